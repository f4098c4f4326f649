/**
 * Who may still take part: revoked, expired and re-enrolled members, the roster's lease, label epochs.
 */
import { randomBytes } from 'node:crypto';
import {
  codeName,
  equalBytes,
  openRecord,
  parseRecord,
  recordKey,
  signRulesHello,
  AgreementKey,
} from '../../protocol/index.js';
import {
  type DeviceUnderTest,
  expectOk,
  faceModel,
  frame,
  type LabelReader,
  type Party,
  party,
  readyDevice,
  seconds,
  type SensorChannel,
} from './device-under-test.js';
import type { TaReply } from './ta-host.js';

const DAY = 86_400;
const status = (reply: TaReply): string => {
  expect(reply.result).toBe(0);
  return codeName(reply.a)!;
};

let device: DeviceUnderTest;
let sensor: Party;
let rules: Party;
let publisher: Party;

beforeAll(async () => {
  ({ device, sensor, rules, publisher } = await readyDevice());
});
afterAll(() => device.stop());
afterEach(async () => expectOk(await device.roster([sensor, rules, publisher])));

const label = async (channel: SensorChannel): Promise<Uint8Array> =>
  expectOk(await device.ta.call('FRAME', channel.writer.seal(frame()))).out;
const offer = async (from: Party, options: { time?: number } = {}): Promise<string> =>
  status(await device.ta.call('OFFER', (await device.sealOffer(from, options)).offer));
const rulesHello = async (host: Party): Promise<string> => {
  const hello = await device.hello();
  const message = signRulesHello(
    {
      device: hello.device,
      freshNonce: randomBytes(16),
      prekey: AgreementKey.generate().publicKey,
      time: device.counter(),
      rosterVersion: 0,
      modelSequence: 0,
    },
    host.signing,
  );
  return status(await device.ta.call('RULES_HELLO', message));
};

test('a revoked sensor: its next frame is refused, its channel is gone, its offer again does not bring it back', async () => {
  const other = party('sensor');
  expectOk(await device.roster([sensor, other, rules, publisher]));
  const channel = await device.openChannel(sensor);
  const kept = await device.openChannel(other);
  const sent = channel.writer.seal(frame());
  expectOk(await device.ta.call('FRAME', sent));
  expectOk(await device.roster([other, rules, publisher]));
  expect(status(await device.ta.call('FRAME', channel.writer.seal(frame())))).toBe('NO_CHANNEL');
  expect(status(await device.ta.call('FRAME', sent))).toBe('NO_CHANNEL'); // nor the label that was kept
  expect(status(await device.ta.call('OFFER', channel.offer))).toBe('UNKNOWN_SENDER');
  await label(kept); // the other one's channel stays
});

test('enrolled again: an older offer stays older', async () => {
  const first = await device.openChannel(sensor);
  const second = await device.openChannel(sensor);
  expectOk(await device.roster([rules, publisher]));
  expectOk(await device.roster([sensor, rules, publisher]));
  expect(status(await device.ta.call('OFFER', first.offer))).toBe('STALE_COUNTER');
  expectOk(await device.ta.call('OFFER', second.offer)); // no operation
  expect(status(await device.ta.call('FRAME', second.writer.seal(frame())))).toBe('NO_CHANNEL');
  await label(await device.openChannel(sensor));
});

test('a revoked rules host gets no offer any more, and what it has opens no later label', async () => {
  const revoked = party('rules');
  expectOk(await device.roster([sensor, rules, revoked, publisher]));
  const channel = await device.openChannel(sensor);
  const spy = await device.labelReader(revoked);
  expect(spy.open(await label(channel), sensor).results.kind).toBe('detections');

  expectOk(await device.roster([sensor, rules, publisher]));
  const sealed = await label(channel);
  expect(() => spy.open(sealed, sensor)).toThrow();
  expect(opensUnderAnyEpoch(spy, sealed, (await device.hello()).device)).toBe(false);
  expect(await rulesHello(revoked)).toBe('UNKNOWN_SENDER');
  expect(status(await device.ta.call('RULES_HELLO', spy.message))).toBe('UNKNOWN_SENDER');

  const reader = await device.labelReader(rules);
  expect(reader.open(sealed, sensor).results.kind).toBe('detections');
  expect(reader.offer.epoch).toBeGreaterThan(spy.offer.epoch);
  expect(equalBytes(reader.offer.secret, spy.offer.secret)).toBe(false);
});

/** Tries the secret with every epoch number near by: a new epoch must be a new secret, not a new number. */
const opensUnderAnyEpoch = (reader: LabelReader, sealed: Uint8Array, of: Uint8Array): boolean => {
  const context = { purpose: 'label', device: of, sender: sensor.signing.kid } as never;
  for (let epoch = reader.offer.epoch - 2; epoch < reader.offer.epoch + 4; epoch++) {
    try {
      openRecord(parseRecord(sealed), recordKey(reader.offer.secret, context, epoch), context);
      return true;
    } catch {
      continue;
    }
  }
  return false;
};

test('a revoked publisher: its package is refused, also half way', async () => {
  const model = await faceModel();
  const revoked = party('publisher');
  const sequence = (await device.hello()).modelSequence + 1;
  expectOk(await device.roster([sensor, rules, publisher, revoked]));
  const load = await device.package(revoked, model, sequence);
  expectOk(await device.ta.call('MODEL_BEGIN', load.begin));
  expectOk(await device.ta.call('MODEL_SEGMENT', model.segments[0], 0));
  expectOk(await device.roster([sensor, rules, publisher]));
  expect(status(await device.ta.call('MODEL_SEGMENT', model.segments[1], 1))).toBe('MODEL_UNKNOWN');
  expect(status(await device.ta.call('MODEL_BEGIN', load.begin))).toBe('UNKNOWN_SENDER');
});

test('expiry: judged by the latest of owner, build and offers within a day of the owner', async () => {
  const inTwoHours = party('sensor', seconds() + 7200);
  const inTwoDays = party('sensor', seconds() + 2 * DAY);
  expectOk(await device.roster([sensor, inTwoHours, inTwoDays, rules, publisher]));
  const channel = await device.openChannel(inTwoHours);
  await label(channel);
  // More than a day ahead of the owner's last: says nothing.
  expect(
    codeName(
      (await device.ta.call('OFFER', (await device.sealOffer(sensor, { time: seconds() + 3 * DAY })).offer))
        .a,
    ),
  ).toBe(undefined);
  await label(channel);
  // Within a day it does, for offers and for channels that are open.
  expectOk(
    await device.ta.call('OFFER', (await device.sealOffer(sensor, { time: seconds() + 10_000 })).offer),
  );
  expect(status(await device.ta.call('FRAME', channel.writer.seal(frame())))).toBe('EXPIRED');
  expect(await offer(inTwoHours)).toBe('EXPIRED');
  // Two such offers do not add up to two days.
  for (let i = 1; i < 4; i++)
    expectOk(
      await device.ta.call(
        'OFFER',
        (await device.sealOffer(sensor, { time: seconds() + i * (DAY - 60) })).offer,
      ),
    );
  await label(await device.openChannel(inTwoDays));
  // An earlier time does not turn it back.
  expectOk(await device.ta.call('OFFER', (await device.sealOffer(sensor, { time: 1 })).offer));
  expect(await offer(inTwoHours)).toBe('EXPIRED');
});

test('an end at second 0 of 1970 has passed: it does not stand for having none', async () => {
  const ended = party('sensor', 0);
  expectOk(await device.roster([sensor, ended, rules, publisher]));
  expect(await offer(ended)).toBe('EXPIRED');
  await label(await device.openChannel(sensor)); // without an end: for ever
});

test('the lease ends all service until a fresh roster comes', async () => {
  const channel = await device.openChannel(sensor);
  const sequence = (await device.hello()).modelSequence + 1;
  const leased = await device.signedRoster([sensor, rules, publisher], ++device.rosterVersion, 1);
  expectOk(await device.ta.call('ROSTER', leased));
  const record = channel.writer.seal(frame());
  expectOk(await device.ta.call('FRAME', record));
  await new Promise((resolve) => setTimeout(resolve, 1100));
  const next = channel.writer.seal(frame());
  for (const frameAgain of [record, next])
    expect(status(await device.ta.call('FRAME', frameAgain))).toBe('LEASE_ENDED');
  expect(await offer(sensor)).toBe('LEASE_ENDED');
  expect(await rulesHello(rules)).toBe('LEASE_ENDED');
  expect(status(await device.install(publisher, await faceModel(), sequence))).toBe('LEASE_ENDED');
  expectOk(await device.ta.call('ROSTER', leased)); // in force already, but not a fresh one
  expect(await offer(sensor)).toBe('LEASE_ENDED');

  expectOk(await device.roster([sensor, rules, publisher], 3600));
  expectOk(await device.ta.call('FRAME', next)); // refusing it changed nothing
});

test('epochs strictly increase within a boot; a repeated label is the one of its own epoch', async () => {
  const channel = await device.openChannel(sensor);
  const record = channel.writer.seal(frame());
  const before = await device.labelReader(rules);
  const first = expectOk(await device.ta.call('FRAME', record));
  expect(first.b).toBe(before.offer.epoch);
  expectOk(await device.roster([sensor, rules, publisher]));
  const again = expectOk(await device.ta.call('FRAME', record));
  expect(equalBytes(again.out, first.out)).toBe(true);
  expect(again.b).toBe(first.b + 1);
  expect((await device.labelReader(rules)).offer.epoch).toBe(again.b);
});
