import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { generateKeys, publicOf, Witness } from '../keys/index.js';
import { MessageDevice } from '../../test/support/message-device.js';
import { signOwners } from '../../protocol/messages/owners.js';
import { signRoster, type Roster } from '../../protocol/messages/roster.js';
import { AgreementKey } from '../../protocol/keys.js';
import { DeviceTrust, type TrustedDevice } from './device-trust.js';

const owner = generateKeys('owner', 'me');
const device = new MessageDevice();
device.rosterVersion = 5;
device.modelSequence = 3;

function roster(version: number, change: Partial<Roster> = {}, signer = owner): Uint8Array {
  const { publicKey: signingKey } = device.signing;
  const { publicKey: agreementKey } = device.agreement;
  return signRoster(
    {
      version,
      issued: 1,
      members: [],
      devices: [{ signingKey, agreementKey, securityLevel: 0, name: 'pi' }],
      zones: [],
      ...change,
    },
    signer.signing,
  );
}

function start(witness = Witness.open(undefined, owner.signing.kid)) {
  const trust = new DeviceTrust(publicOf(owner).signing, witness);
  const refused: string[] = [];
  const devices: TrustedDevice[] = [];
  trust.on('refused', ({ what, error }) => refused.push(`${what} ${error.code}`));
  trust.on('device', (each) => devices.push(each));
  return { trust, refused, devices };
}

test('roster and hello may come in either order', () => {
  for (const order of ['roster', 'hello']) {
    const { trust, devices } = start();
    if (order === 'hello') trust.receiveHello(device.hello());
    trust.receiveRoster(roster(5));
    if (order === 'roster') trust.receiveHello(device.hello());
    expect(devices).toHaveLength(1);
    expect(trust.device).toMatchObject({ name: 'pi', behind: false });
  }
});

test('a roster of another owner, or one that was changed, does not count', () => {
  const { trust, refused } = start();
  trust.receiveRoster(roster(9, {}, generateKeys('owner', 'mallory')));
  const flipped = Uint8Array.from(roster(9));
  flipped[flipped.length - 70] = (flipped[flipped.length - 70] ?? 0) ^ 1;
  trust.receiveRoster(flipped);
  trust.receiveRoster(Uint8Array.of(0xff));
  expect(trust.roster).toBeUndefined();
  expect(refused).toHaveLength(3);
  expect(refused[0]).toBe('roster NOT_OWNER');
});

test('rosters only go up; two of one version are a conflict; the same again is nothing', () => {
  const { trust, refused } = start();
  trust.receiveRoster(roster(5));
  trust.receiveRoster(roster(5));
  expect(refused).toEqual([]);
  trust.receiveRoster(roster(4));
  trust.receiveRoster(roster(5, { issued: 2 }));
  expect(refused).toEqual(['roster STALE_ROSTER', 'roster ROSTER_CONFLICT']);
  trust.receiveRoster(roster(6));
  expect(trust.roster?.version).toBe(6);
});

test('an empty message clears nothing', () => {
  const { trust, refused } = start();
  trust.receiveRoster(roster(5));
  trust.receiveHello(device.hello());
  trust.receiveRoster(new Uint8Array(0));
  trust.receiveHello(new Uint8Array(0));
  expect(trust.device?.name).toBe('pi');
  expect(refused).toEqual([]);
});

test('a device that the roster does not name, or names with another static key, is not trusted', () => {
  const { trust, refused } = start();
  trust.receiveRoster(roster(5));
  trust.receiveHello(new MessageDevice().hello());
  trust.receiveHello(device.hello({ agreementKey: AgreementKey.generate().publicKey }));
  expect(refused).toEqual(['hello UNTRUSTED_DEVICE', 'hello UNTRUSTED_DEVICE']);
  expect(trust.device).toBeUndefined();
});

test('a device below the level that the roster asks for is not used', () => {
  const { trust, refused } = start();
  const { publicKey: signingKey } = device.signing;
  const { publicKey: agreementKey } = device.agreement;
  trust.receiveRoster(roster(5, { devices: [{ signingKey, agreementKey, securityLevel: 2, name: 'pi' }] }));
  trust.receiveHello(device.hello({ securityLevel: 1 }));
  expect(refused).toEqual(['hello LEVEL_TOO_LOW']);
  trust.receiveHello(device.hello({ securityLevel: 2 }));
  expect(trust.device?.name).toBe('pi');
});

test('a device whose storage was put back is refused, also after a restart of the client', () => {
  const witness = Witness.open(undefined, owner.signing.kid);
  const first = start(witness);
  first.trust.receiveRoster(roster(5));
  first.trust.receiveHello(device.hello());
  const second = start(witness);
  // The roster is known from the witness, though the broker has none.
  expect(second.trust.roster?.version).toBe(5);
  second.trust.receiveHello(device.hello({ rosterVersion: 4 }));
  second.trust.receiveHello(device.hello({ modelSequence: 2 }));
  expect(second.refused).toEqual(['hello STATE_ROLLED_BACK', 'hello STATE_ROLLED_BACK']);
  // A reset device has none of either: that is no older state in force.
  second.trust.receiveHello(device.hello({ rosterVersion: 0, modelSequence: 0 }));
  expect(second.trust.device).toMatchObject({ behind: true });
});

test('a device that has not taken the newest roster is behind until it has', () => {
  const { trust, devices } = start();
  trust.receiveRoster(roster(5));
  trust.receiveHello(device.hello());
  trust.receiveRoster(roster(6));
  expect(trust.device?.behind).toBe(true);
  trust.receiveHello(device.hello({ rosterVersion: 6 }));
  expect(trust.device?.behind).toBe(false);
  expect(devices.map(({ behind }) => behind).at(0)).toBe(false);
});

test('a device that leaves the roster is trusted no more', () => {
  const { trust, refused } = start();
  trust.receiveRoster(roster(5));
  trust.receiveHello(device.hello());
  trust.receiveRoster(roster(6, { devices: [] }));
  expect(trust.device).toBeUndefined();
  expect(refused).toContain('hello UNTRUSTED_DEVICE');
});

test('the hello of a boot that has ended is refused', () => {
  const { trust, refused } = start();
  trust.receiveRoster(roster(5));
  const before = device.hello();
  trust.receiveHello(before);
  device.reboot();
  trust.receiveHello(device.hello());
  trust.confirmAlive();
  trust.receiveHello(before);
  expect(refused).toEqual(['hello STALE_NONCE']);
  expect(trust.device?.hello.bootNonce).toEqual(device.bootNonce);
});

test('a recorded hello does not displace the live boot for good', () => {
  const { trust, refused } = start();
  const recorded = device.hello();
  device.reboot();
  const live = device.hello();
  trust.receiveRoster(roster(5));
  trust.receiveHello(live);
  trust.confirmAlive();
  // Never seen by this process, so it could be a new boot.
  trust.receiveHello(recorded);
  trust.receiveHello(live);
  expect(refused).toEqual([]);
  expect(trust.device?.hello.bootNonce).toEqual(device.bootNonce);
});

describe('a stolen key that signed the highest version', () => {
  const next = generateKeys('owner', 'me again');
  const recovery = generateKeys('owner', 'recovery');
  const own = signOwners(
    { generation: 1, keys: [owner, recovery].map(({ signing }) => signing.publicKey) },
    owner.signing,
  );
  const handedOver = signOwners(
    { generation: 2, keys: [next, recovery].map(({ signing }) => signing.publicKey) },
    owner.signing,
  );
  const highest = Number.MAX_SAFE_INTEGER;

  // With and without a recovery key: then rosters before the first succession carry none.
  test.each([[[]], [[own]]])('does not block the owners who replace it, over a restart too', (before) => {
    const seenPath = join(mkdtempSync(join(tmpdir(), 'sz-trust-')), 'seen.json');
    const open = () => start(Witness.open(seenPath, owner.signing.kid));
    const succession = [...before, handedOver];
    let { trust } = open();
    let refused: string[];
    trust.receiveRoster(roster(highest, { ...(before.length > 0 && { succession: before }) }));
    device.ownerGeneration = 1;
    device.rosterVersion = highest;
    trust.receiveHello(device.hello());
    expect(trust.device?.behind).toBe(false);
    expect(trust.seenRoster).toEqual({ rosterVersion: highest, ownerGeneration: 1 });
    ({ trust, refused } = open());
    trust.receiveRoster(roster(7, { succession }, next));
    expect(refused).toEqual([]);
    expect(trust.seenRoster).toEqual({ rosterVersion: 7, ownerGeneration: 2 });
    // The device still has the thief's: it is behind, whatever the number says.
    trust.receiveHello(device.hello());
    expect(trust.device?.behind).toBe(true);
    device.ownerGeneration = 2;
    device.rosterVersion = 7;
    trust.receiveHello(device.hello());
    expect(trust.device?.behind).toBe(false);
    ({ trust, refused } = open());
    expect(trust.seenRoster).toEqual({ rosterVersion: 7, ownerGeneration: 2 });
    trust.receiveRoster(roster(highest, { ...(before.length > 0 && { succession: before }) }));
    trust.receiveRoster(roster(6, { succession }, next));
    trust.receiveRoster(roster(7, { succession, issued: 2 }, next));
    trust.receiveRoster(roster(8, { succession: [own] }, recovery));
    device.ownerGeneration = 1;
    device.rosterVersion = highest;
    trust.receiveHello(device.hello());
    expect(refused).toEqual([
      'roster NOT_OWNER',
      'roster STALE_ROSTER',
      'roster ROSTER_CONFLICT',
      'roster STALE_ROSTER',
      'hello STATE_ROLLED_BACK',
    ]);
    rmSync(dirname(seenPath), { recursive: true });
    delete device.ownerGeneration;
    device.rosterVersion = 5;
  });
});
