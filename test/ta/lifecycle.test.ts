/**
 * A device over its life: claimed, restarted, reset, its storage damaged, taken away or put back. Each test has its own device.
 */
import { cpSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomBytes } from 'node:crypto';
import { codeName, equalBytes, SigningKey, verifyOwnerReply } from '../../protocol/index.js';
import { signPackage, type SignedPackage } from '../../clients/publisher/index.js';
import {
  DeviceUnderTest,
  expectOk,
  faceModel,
  frame,
  party,
  readyDevice,
  seconds,
} from './device-under-test.js';
import { TaHost, type TaReply } from './ta-host.js';

const DAY = 86_400;
const status = (reply: TaReply): string => {
  expect(reply.result).toBe(0);
  return codeName(reply.a)!;
};

let device: DeviceUnderTest;
afterEach(() => device.stop());

describe('claim', () => {
  beforeEach(() => {
    device = new DeviceUnderTest(TaHost.create());
  });

  test('refused: another nonce, counter 0, another device, a signer who is not among the owners', async () => {
    const before = await device.hello();
    const claim = { type: 'claim', owners: [device.owner.publicKey] } as const;
    const send = async (message: Uint8Array): Promise<string> =>
      status(await device.ta.call('OWNER', message));
    expect(await send(await device.statement(claim, { nonce: randomBytes(16) }))).toBe('STALE_NONCE');
    expect(await send(await device.statement(claim, { nonce: before.bootNonce }))).toBe('STALE_NONCE');
    expect(await send(await device.statement(claim, { counter: 0 }))).toBe('STALE_COUNTER');
    expect(await send(await device.statement(claim, { device: device.owner.kid }))).toBe('WRONG_DEVICE');
    expect(await send(await device.statement(claim, {}, SigningKey.generate()))).toBe('NOT_OWNER');
    expect(await send(await device.statement({ type: 'reset' }))).toBe('NOT_CLAIMED');
    expect(equalBytes((await device.hello()).claimNonce!, before.claimNonce!)).toBe(true);
    expectOk(await device.claim());
  });

  test('makes another device of it, which the reply names; the same statement again does nothing and is answered again', async () => {
    const before = await device.hello();
    const message = await device.statement({ type: 'claim', owners: [device.owner.publicKey] });
    const reply = expectOk(await device.ta.call('OWNER', message));
    const after = await device.hello();
    expect(verifyOwnerReply(reply.out)).toMatchObject({ status: 0, device: before.device });
    expect(equalBytes(verifyOwnerReply(reply.out).signingKey, after.signingKey)).toBe(true);
    for (const key of ['device', 'signingKey', 'agreementKey', 'bootNonce', 'prekey'] as const)
      expect(equalBytes(after[key], before[key])).toBe(false);
    expect(after.claimNonce).toBeUndefined();
    const again = expectOk(await device.ta.call('OWNER', message));
    expect(again.out).toEqual(reply.out);
    expect(status(await device.claim())).toBe('ALREADY_CLAIMED');
    expect(equalBytes((await device.hello()).device, after.device)).toBe(true);
  });

  test('with three owners: each of them may sign rosters and a reset, nobody else', async () => {
    const others = [SigningKey.generate(), SigningKey.generate()] as const;
    expectOk(await device.claim([device.owner.publicKey, ...others.map((key) => key.publicKey)]));
    for (const [i, key] of [...others, device.owner].entries())
      expectOk(await device.ta.call('ROSTER', await device.signedRoster([], i + 1, undefined, { key })));
    const stranger = SigningKey.generate();
    expect(
      status(await device.ta.call('ROSTER', await device.signedRoster([], 9, undefined, { key: stranger }))),
    ).toBe('NOT_OWNER');
    expect(
      status(await device.ta.call('OWNER', await device.statement({ type: 'reset' }, {}, stranger))),
    ).toBe('NOT_OWNER');
    expectOk(await device.ta.call('OWNER', await device.statement({ type: 'reset' }, {}, others[1])));
  });

  test('four owners are too many, none too few', async () => {
    const key = device.owner.publicKey;
    const claims = [[], [key, key, key, key]].map((owners) => ({ type: 'claim', owners }) as const);
    for (const claim of claims) await expect(device.statement(claim)).rejects.toThrow();
    expect((await device.hello()).claimNonce).toBeDefined();
  });
});

test('reset: identity, owners, counters and floors stay; members, channels and model are gone', async () => {
  const ready = await readyDevice();
  ({ device } = ready);
  const { sensor, rules, publisher } = ready;
  const revoked = party('sensor');
  const oldRoster = await device.signedRoster([sensor, revoked], 2);
  expectOk(await device.ta.call('ROSTER', oldRoster));
  device.rosterVersion = 2;
  expectOk(await device.roster([sensor, rules, publisher]));
  const channel = await device.openChannel(sensor);
  const before = await device.hello();
  const statement = await device.statement({ type: 'reset' });
  expectOk(await device.ta.call('OWNER', statement));

  const after = await device.hello();
  expect(equalBytes(after.signingKey, before.signingKey)).toBe(true);
  expect(equalBytes(after.agreementKey, before.agreementKey)).toBe(true);
  expect(equalBytes(after.bootNonce, before.bootNonce)).toBe(false);
  expect(after).toMatchObject({ rosterVersion: 0, modelSequence: 0 });
  expect(after.claimNonce).toBeUndefined();
  expect(after.inputShape).toBeUndefined();
  expect(status(await device.ta.call('FRAME', channel.writer.seal(frame())))).toBe('NO_CHANNEL');
  expect(status(await device.ta.call('OFFER', (await device.sealOffer(sensor)).offer))).toBe(
    'UNKNOWN_SENDER',
  );
  expectOk(await device.ta.call('OWNER', statement)); // answered again; what it did is not done again

  // Rosters of before are still older: who was revoked does not come back.
  expect(status(await device.ta.call('ROSTER', oldRoster))).toBe('STALE_ROSTER');
  await device.ta.restart();
  expect(status(await device.ta.call('ROSTER', oldRoster))).toBe('STALE_ROSTER');
  expectOk(await device.roster([sensor, publisher]));
  expect(status(await device.install(publisher, await faceModel(), 1))).toBe('MODEL_SEQUENCE');
  expectOk(await device.install(publisher, await faceModel(), 2));
  expectOk(await device.ta.call('FRAME', (await device.openChannel(sensor)).writer.seal(frame())));
});

describe('restart', () => {
  test('identity, owners, counters, roster, model and floor are there again; boot, channels and epoch are new', async () => {
    const ready = await readyDevice();
    ({ device } = ready);
    const model = await faceModel();
    const before = await device.hello();
    const stored = await device.signedRoster(device.members, 2);
    expectOk(await device.ta.call('ROSTER', stored));
    const reader = await device.labelReader(ready.rules);
    const offer = await device.sealOffer(ready.sensor);
    expect((await device.ta.restart()).result).toBe(0);

    const after = await device.hello();
    expect(equalBytes(after.signingKey, before.signingKey)).toBe(true);
    expect(equalBytes(after.agreementKey, before.agreementKey)).toBe(true);
    expect(equalBytes(after.bootNonce, before.bootNonce)).toBe(false);
    expect(equalBytes(after.prekey, before.prekey)).toBe(false);
    expect(after).toMatchObject({ rosterVersion: 2, modelSequence: 1 });
    expect(status(await device.ta.call('OFFER', offer.offer))).toBe('STALE_NONCE'); // sealed to the old prekey
    expectOk(await device.ta.call('ROSTER', stored)); // in force already
    expect(status(await device.ta.call('ROSTER', await device.signedRoster([], 1)))).toBe('STALE_ROSTER');
    const again = await device.statement({ type: 'reset' }, { counter: 1 });
    expect(status(await device.ta.call('OWNER', again))).toBe('STALE_COUNTER');
    expect(equalBytes((await device.labelReader(ready.rules)).offer.secret, reader.offer.secret)).toBe(false);

    const channel = await device.openChannel(ready.sensor);
    expect(status(await device.ta.call('FRAME', channel.writer.seal(frame())))).toBe('NO_MODEL');
    expect(status(await device.load(sameWith(model, ready.publisher.signing, 2), null))).toBe(
      'MODEL_UNKNOWN',
    );
    expectOk(await device.load(sameWith(model, ready.publisher.signing, 1), null));
    expectOk(await device.ta.call('FRAME', channel.writer.seal(frame())));
    expect(status(await device.install(ready.publisher, model, 1))).toBe('MODEL_SEQUENCE');
  });

  test('the calendar does not go back: whom an owner saw expire stays expired', async () => {
    device = new DeviceUnderTest(TaHost.create());
    expectOk(await device.claim()); // says what day it is
    const late = party('sensor', seconds() - 2 * DAY);
    const issued = seconds() - 10 * DAY; // a roster of before says less
    expectOk(await device.ta.call('ROSTER', await device.signedRoster([late], 1, undefined, { issued })));
    const offer = async (): Promise<string> =>
      status(await device.ta.call('OFFER', (await device.sealOffer(late)).offer));
    expect(await offer()).toBe('EXPIRED');
    await device.ta.restart();
    expect(await offer()).toBe('EXPIRED');
  });
});

/** The package that the device has: SUIT signatures are deterministic (Ed25519). */
const sameWith = (
  model: Awaited<ReturnType<typeof faceModel>>,
  key: SigningKey,
  sequence: number,
): { envelope: Uint8Array; segments: readonly Uint8Array[] } => {
  const signed: SignedPackage = signPackage(model, key, sequence);
  return { envelope: signed.envelope, segments: model.segments };
};

describe('trusted storage', () => {
  const files = (): string[] => readdirSync(device.ta.storage).map((name) => join(device.ta.storage, name));

  test('one object; damaged in any part: the TA does not start, and does not become another device', async () => {
    ({ device } = await readyDevice());
    const before = await device.hello();
    expect(files()).toHaveLength(1);
    const file = files()[0]!;
    const good = readFileSync(file);
    for (let i = 0; i < 12; i++) {
      const bad = Buffer.from(good);
      bad[Math.floor(((good.length - 1) * i) / 11)]! ^= 0x10;
      writeFileSync(file, bad);
      expect((await device.ta.restart()).result).toBe(0xf0100001); // TEE_ERROR_CORRUPT_OBJECT
      expect(files()).toHaveLength(1);
    }
    writeFileSync(file, good.subarray(0, good.length / 2));
    expect((await device.ta.restart()).result).toBe(0xf0100001);
    writeFileSync(file, good);
    expect((await device.ta.restart()).result).toBe(0);
    expect(equalBytes((await device.hello()).device, before.device)).toBe(true);
  });

  test('out of reach: the TA does not start and says so; then it is the same device', async () => {
    ({ device } = await readyDevice());
    const before = await device.hello();
    const away = `${device.ta.storage}-away`;
    renameSync(device.ta.storage, away);
    expect((await device.ta.restart()).result).toBe(0xf0100003); // TEE_ERROR_STORAGE_NOT_AVAILABLE
    renameSync(away, device.ta.storage);
    expect((await device.ta.restart()).result).toBe(0);
    expect(equalBytes((await device.hello()).device, before.device)).toBe(true);
  });

  test('erased: a new, unclaimed identity', async () => {
    ({ device } = await readyDevice());
    const before = await device.hello();
    for (const file of files()) rmSync(file);
    await device.ta.restart();
    const after = await device.hello();
    expect(after).toMatchObject({ rosterVersion: 0, modelSequence: 0 });
    expect(after.claimNonce).toBeDefined();
    expect(equalBytes(after.device, before.device)).toBe(false);
  });

  test('put back from before the claim: another device; from before a roster: told by who knows newer', async () => {
    device = new DeviceUnderTest(TaHost.create());
    const unclaimed = `${device.ta.storage}-unclaimed`;
    const older = `${device.ta.storage}-older`;
    const putBack = async (copy: string): Promise<void> => {
      rmSync(device.ta.storage, { recursive: true });
      renameSync(copy, device.ta.storage);
      expect((await device.ta.restart()).result).toBe(0);
    };
    cpSync(device.ta.storage, unclaimed, { recursive: true });
    expectOk(await device.claim());
    const sensor = party('sensor');
    await device.enrol(sensor, party('sensor'));
    cpSync(device.ta.storage, older, { recursive: true });
    expectOk(await device.roster([sensor]));
    const seen = await device.hello();

    await putBack(older);
    expect(await device.hello()).toMatchObject({ rosterVersion: 1 });
    const told = await device.sealOffer(sensor, { rosterVersion: seen.rosterVersion });
    expect(status(await device.ta.call('OFFER', told.offer))).toBe('STATE_ROLLED_BACK');
    await putBack(unclaimed);
    expect(equalBytes((await device.hello()).device, seen.device)).toBe(false);
    expect((await device.hello()).claimNonce).toBeDefined();
  });

  test('not to be written: refused, nothing changes, frames go on; then it works', async () => {
    const ready = await readyDevice();
    ({ device } = ready);
    const { sensor, rules, publisher } = ready;
    const channel = await device.openChannel(sensor);
    const before = await device.hello();
    const { b: epoch } = await device.ta.call('PING');
    const away = `${device.ta.storage}-away`;
    renameSync(device.ta.storage, away);

    expect(status(await device.ta.call('ROSTER', await device.signedRoster([rules], 2)))).toBe(
      'STORAGE_FAILED',
    );
    expect(status(await device.ta.call('OWNER', await device.statement({ type: 'reset' })))).toBe(
      'STORAGE_FAILED',
    );
    expect(status(await device.install(publisher, await faceModel(), 2))).toBe('STORAGE_FAILED');
    expect(await device.hello()).toEqual(before);
    expect((await device.ta.call('PING')).b).toBe(epoch);
    const record = channel.writer.seal(frame()); // the frame path makes no storage call
    expectOk(await device.ta.call('FRAME', record));
    expectOk(await device.ta.call('FRAME', record));
    await device.labelReader(rules);
    await device.openChannel(sensor);

    renameSync(away, device.ta.storage);
    await device.ta.restart();
    expect(await device.hello()).toMatchObject({ rosterVersion: 1, modelSequence: 1 });
    expectOk(await device.install(publisher, await faceModel(), 2));
    expectOk(await device.ta.call('ROSTER', await device.signedRoster([sensor], 2)));
    expectOk(await device.ta.call('OWNER', await device.statement({ type: 'reset' })));
  });
});
