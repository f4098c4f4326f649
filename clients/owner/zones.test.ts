import type { SmartZoneError } from '../../protocol/errors.js';
import { AgreementKey, SigningKey } from '../../protocol/keys.js';
import { kidToHex, type Kid } from '../../protocol/kid.js';
import type { Roster } from '../../protocol/messages/roster.js';
import type { BookDevice } from './book.js';
import {
  addToZone,
  removeFromZone,
  rosterZones,
  withoutDevice,
  zonesFromJson,
  zonesOfRoster,
  zonesToJson,
  type BookZone,
} from './zones.js';

const keys = (): { signing: Uint8Array; agreement: Uint8Array; kid: Kid } => {
  const signing = SigningKey.generate();
  return { signing: signing.publicKey, agreement: AgreementKey.generate().publicKey, kid: signing.kid };
};
const device = (name: string): BookDevice => ({
  name,
  prefix: `smartzone/${name}`,
  ...keys(),
  level: 0,
  counter: 1,
});
const [porch, garage, attic] = [device('porch-pi'), device('garage-pi'), device('attic-pi')];
const two = (): readonly BookZone[] => addToZone([], 'porch', [porch, garage]);
const codeOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    return (error as SmartZoneError).code;
  }
  return 'accepted';
};
const namesOf = (zones: readonly BookZone[]): object =>
  Object.fromEntries(zones.map(({ name, devices }) => [name, devices]));

test('a zone is made with its first devices, and keeps its id when more join', () => {
  const first = two();
  const second = addToZone(first, 'porch', [garage, attic]);
  expect(namesOf(second)).toEqual({ porch: ['porch-pi', 'garage-pi', 'attic-pi'] });
  expect(second[0]?.id).toEqual(first[0]?.id);
  const both = addToZone(second, 'garage', [garage]);
  expect(namesOf(both)).toEqual({ porch: ['porch-pi', 'garage-pi', 'attic-pi'], garage: ['garage-pi'] });
  expect(kidToHex(both[1]!.id)).not.toBe(kidToHex(both[0]!.id));
  expect(namesOf(first)).toEqual({ porch: ['porch-pi', 'garage-pi'] });
});

test.each([
  ['', [porch]],
  ['ä'.repeat(33), [porch]],
  ['0123456789abcdef', [porch]],
  ['empty', []],
  ['many', Array.from({ length: 17 }, (_, i) => device(`pi-${i}`))],
])('no zone: %j', (name, devices) => {
  expect(codeOf(() => addToZone([], name, devices))).toBe('CONFIG_INVALID');
});

test('devices leave; without one the zone goes; by name or by id', () => {
  const zones = addToZone(two(), 'garage', [garage]);
  expect(namesOf(removeFromZone(zones, 'porch', [porch]))).toEqual({
    porch: ['garage-pi'],
    garage: ['garage-pi'],
  });
  expect(namesOf(removeFromZone(zones, 'porch', [porch, garage]))).toEqual({ garage: ['garage-pi'] });
  expect(namesOf(removeFromZone(zones, kidToHex(zones[0]!.id), []))).toEqual({ garage: ['garage-pi'] });
  expect(namesOf(withoutDevice(zones, 'garage-pi'))).toEqual({ porch: ['porch-pi'] });
  for (const [name, devices] of [
    ['attic', []],
    ['garage', [porch]],
  ] as const)
    expect(codeOf(() => removeFromZone(zones, name, devices))).toBe('NOT_IN_ZONE');
});

test('the roster lists both keys of a device that changes them, and no zone without devices', () => {
  const next = keys();
  const zones = addToZone(addToZone([], 'porch', [porch, garage]), 'attic', [attic]);
  const changing = { ...porch, next: { signing: next.signing, agreement: next.agreement } };
  const listed = rosterZones({ zones, devices: [changing, garage] });
  expect(listed.map(({ name, devices }) => [name, devices.map(kidToHex)])).toEqual([
    ['porch', [porch.kid, next.kid, garage.kid].map(kidToHex)],
  ]);
  // Back from it, for a book that was lost: the pair of keys is one device.
  const roster = {
    zones: listed,
    devices: [
      { name: 'porch-pi', signingKey: porch.signing },
      { name: 'porch-pi', signingKey: next.signing },
      { name: 'garage-pi', signingKey: garage.signing },
    ],
  } as unknown as Roster;
  expect(zonesOfRoster(roster)).toEqual([
    { name: 'porch', id: zones[0]?.id, devices: ['porch-pi', 'garage-pi'] },
  ]);
});

test('into the book and back; a book of before there were zones has none; a damaged one is refused', () => {
  const zones = two();
  const json = zonesToJson(zones);
  expect(zonesFromJson(JSON.parse(JSON.stringify(json)) as typeof json)).toEqual(zones);
  expect(zonesFromJson(undefined)).toEqual([]);
  for (const damage of [{ name: 7 }, { devices: 'porch-pi' }, { devices: [7] }, { id: 'xyz' }])
    expect(() => zonesFromJson([{ ...json[0]!, ...damage } as never])).toThrow();
});
