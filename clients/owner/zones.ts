import { SmartZoneError } from '../../protocol/errors.js';
import { equalBytes } from '../../protocol/bytes.js';
import { asKid, kidFromHex, kidToHex, KID_LENGTH, signingKid, type Kid } from '../../protocol/kid.js';
import { MOST_ZONE_DEVICES, type Roster, type Zone } from '../../protocol/messages/roster.js';
import { systemRandomness, type Randomness } from '../../protocol/randomness.js';
import type { BookContent, BookDevice } from './book.js';

/** Devices that share the work of the sensors that send to the zone. */
export interface BookZone {
  readonly name: string;
  /** Drawn at random; stays when devices come and go. */
  readonly id: Kid;
  /** By their names in the book: their keys may change. */
  readonly devices: readonly string[];
}

export interface ZoneJson {
  name: string;
  id: string;
  devices: string[];
}

type Zones = readonly BookZone[];

/**
 * Adds devices to a zone, which is made where there is none of this name.
 * @throws CONFIG_INVALID for a name that none can have, and for too many devices
 */
export function addToZone(
  zones: Zones,
  name: string,
  devices: readonly BookDevice[],
  random: Randomness = systemRandomness,
): Zones {
  if (name === '' || Buffer.byteLength(name) > 64 || /^[0-9a-f]{16}$/i.test(name))
    throw new SmartZoneError('CONFIG_INVALID', 'the name of a zone has 1 to 64 bytes, and is no id');
  const known = zones.find((zone) => zone.name === name);
  const all = [...new Set([...(known?.devices ?? []), ...devices.map((device) => device.name)])];
  if (all.length === 0 || all.length > MOST_ZONE_DEVICES)
    throw new SmartZoneError('CONFIG_INVALID', `a zone has 1 to ${MOST_ZONE_DEVICES} devices`);
  const zone = { name, id: known?.id ?? asKid(random.bytes(KID_LENGTH)), devices: all };
  return known === undefined ? [...zones, zone] : zones.map((each) => (each === known ? zone : each));
}

/**
 * Takes devices out of a zone, or the whole zone; one without devices goes as well.
 * @param devices none: all
 * @throws NOT_IN_ZONE where there is no such zone, or a device is not in it
 */
export function removeFromZone(zones: Zones, name: string, devices: readonly BookDevice[]): Zones {
  const zone = zones.find((each) => each.name === name || kidToHex(each.id) === name);
  if (zone === undefined) {
    const names = zones.map((each) => each.name).join(', ');
    throw new SmartZoneError('NOT_IN_ZONE', `there is no zone ${name}: ${names || 'none'}`);
  }
  for (const device of devices)
    if (!zone.devices.includes(device.name))
      throw new SmartZoneError('NOT_IN_ZONE', `${device.name} is not in zone ${zone.name}`);
  const out = new Set(devices.length === 0 ? zone.devices : devices.map((device) => device.name));
  return zones.flatMap((each) => (each === zone ? without(each, out) : [each]));
}

/** A device that goes leaves its zones. */
export function withoutDevice(zones: Zones, device: string): Zones {
  return zones.flatMap((zone) => without(zone, new Set([device])));
}

function without(zone: BookZone, out: ReadonlySet<string>): BookZone[] {
  const devices = zone.devices.filter((each) => !out.has(each));
  return devices.length === 0 ? [] : [{ ...zone, devices }];
}

/** As the roster lists them: a device whose keys are about to change with both, so that it is in the zone all the time. */
export function rosterZones({ zones, devices }: Pick<BookContent, 'zones' | 'devices'>): Zone[] {
  return zones.flatMap(({ id, name, devices: names }) => {
    const kids = devices
      .filter((device) => names.includes(device.name))
      .flatMap(({ kid, next }) => (next === undefined ? [kid] : [kid, signingKid(next.signing)]))
      .slice(0, MOST_ZONE_DEVICES);
    return kids.length === 0 ? [] : [{ id, name, devices: kids }];
  });
}

/** Back from a roster, for a book that was lost. */
export function zonesOfRoster({ zones, devices }: Roster): Zones {
  return zones.map(({ id, name, devices: kids }) => ({
    id,
    name,
    devices: [
      ...new Set(
        devices
          .filter(({ signingKey }) => kids.some((kid) => equalBytes(kid, signingKid(signingKey))))
          .map((device) => device.name),
      ),
    ],
  }));
}

export const zonesToJson = (zones: Zones): ZoneJson[] =>
  zones.map(({ name, id, devices }) => ({ name, id: kidToHex(id), devices: [...devices] }));

/** @param json undefined in books of before there were zones */
export function zonesFromJson(json: readonly ZoneJson[] | undefined): Zones {
  return (json ?? []).map(({ name, id, devices }) => {
    if (
      typeof name !== 'string' ||
      !Array.isArray(devices) ||
      !devices.every((each) => typeof each === 'string')
    )
      throw new Error('damaged');
    return { name, id: kidFromHex(id), devices };
  });
}
