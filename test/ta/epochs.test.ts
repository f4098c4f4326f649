/**
 * Label epochs end by count and by time, on a TA built with 8 records and two seconds instead of 2^20 and 24 hours. (By a change of the
 * roster: membership.test.ts.)
 */
import { codeName, equalBytes } from '../../protocol/index.js';
import { DeviceUnderTest, expectOk, faceModel, frame, party, type LabelReader } from './device-under-test.js';
import { TaHost } from './ta-host.js';

const RECORDS = 8;
const LIFETIME = 2;
/** Seconds of the TEE's clock, which stands still in these tests: later than the TA's start by any real one. */
const NOW = 10_000_000;
const [sensor, rules, publisher] = [party('sensor'), party('rules'), party('publisher')];

let device: DeviceUnderTest;
beforeAll(() => TaHost.create('ta_host_short_epoch').stop(), 300_000); // builds it
beforeEach(async () => {
  device = new DeviceUnderTest(TaHost.create('ta_host_short_epoch'));
  expectOk(await device.claim());
  await device.enrol(sensor, rules, publisher);
  expectOk(await device.install(publisher, await faceModel(), 1));
  await device.ta.clock(NOW);
});
afterEach(() => device.stop());

const opens = (reader: LabelReader, sealed: Uint8Array): boolean => {
  try {
    reader.open(sealed, sensor);
    return true;
  } catch {
    return false;
  }
};

test('by count: the record after the last one is of the next epoch, and the former secret does not open it', async () => {
  const channel = await device.openChannel(sensor);
  const first = await device.labelReader(rules);
  const labels: Uint8Array[] = [];
  const epochs: number[] = [];
  for (let i = 0; i <= RECORDS; i++) {
    const reply = expectOk(await device.ta.call('FRAME', channel.writer.seal(frame())));
    labels.push(reply.out);
    epochs.push(reply.b);
  }
  // With a label comes the epoch of the next one: the agent offers it before it is needed.
  expect(epochs.map((epoch) => epoch - first.offer.epoch)).toEqual(
    Array.from({ length: RECORDS + 1 }, (_, i) => (i < RECORDS - 1 ? 0 : 1)),
  );
  expect(labels.map((label) => opens(first, label))).toEqual(labels.map((_, i) => i < RECORDS));
  const second = await device.labelReader(rules);
  expect(second.offer.epoch).toBeGreaterThan(first.offer.epoch);
  expect(equalBytes(second.offer.secret, first.offer.secret)).toBe(false);
  const reply = expectOk(await device.ta.call('FRAME', channel.writer.seal(frame())));
  expect(opens(second, reply.out)).toBe(true);
});

test('telemetry counts as well', async () => {
  const { b: epoch } = await device.ta.call('PING');
  let last = epoch;
  let records = 0;
  while (last === epoch && records < 2 * RECORDS) {
    last = expectOk(await device.ta.call('TELEMETRY', Uint8Array.of(0xa0))).b;
    records++;
  }
  expect(last).toBe(epoch + 1);
  expect(records).toBeLessThanOrEqual(RECORDS + 1);
});

test('by time: the next label is of another epoch, whose secret a revoked rules host never had', async () => {
  const channel = await device.openChannel(sensor);
  const first = await device.labelReader(rules);
  await device.ta.clock(NOW + LIFETIME);
  expect(opens(first, expectOk(await device.ta.call('FRAME', channel.writer.seal(frame()))).out)).toBe(true);
  await device.ta.clock(NOW + LIFETIME + 1);
  const reply = expectOk(await device.ta.call('FRAME', channel.writer.seal(frame())));
  expect(reply.b).toBeGreaterThan(first.offer.epoch);
  expect(opens(first, reply.out)).toBe(false);
  expect(codeName((await device.ta.call('PING')).a)).toBeUndefined();
});
