/**
 * Label epochs end by count and by time, on a TA built with 8 records and two seconds instead of 2^20 and 24 hours. (By a change of the
 * roster: membership.test.ts.)
 */
import { codeName, equalBytes } from '../../protocol/index.js';
import { DeviceUnderTest, expectOk, faceModel, frame, party, type LabelReader } from './device-under-test.js';
import { TaHost } from './ta-host.js';

const RECORDS = 8;
const LIFETIME_MS = 2000;
const [sensor, rules, publisher] = [party('sensor'), party('rules'), party('publisher')];

let device: DeviceUnderTest;
beforeEach(async () => {
  device = new DeviceUnderTest(TaHost.create('ta_host_short_epoch'));
  expectOk(await device.claim());
  await device.enrol(sensor, rules, publisher);
  expectOk(await device.install(publisher, await faceModel(), 1));
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
  // A slow machine may see it end by time before: what counts is that no epoch holds more.
  const labels: Uint8Array[] = [];
  const epochs: number[] = [];
  for (let i = 0; i <= RECORDS; i++) {
    const reply = expectOk(await device.ta.call('FRAME', channel.writer.seal(frame())));
    labels.push(reply.out);
    epochs.push(reply.b);
  }
  const inFirst = epochs.filter((epoch) => epoch === first.offer.epoch).length;
  expect(inFirst).toBeLessThanOrEqual(RECORDS);
  expect(epochs.at(-1)).toBeGreaterThan(first.offer.epoch);
  expect(labels.map((label) => opens(first, label))).toEqual(
    epochs.map((epoch) => epoch === first.offer.epoch),
  );
  const second = await device.labelReader(rules);
  expect(second.offer.epoch).toBeGreaterThan(first.offer.epoch);
  expect(equalBytes(second.offer.secret, first.offer.secret)).toBe(false);
  const reply = expectOk(await device.ta.call('FRAME', channel.writer.seal(frame())));
  if (reply.b === second.offer.epoch) expect(opens(second, reply.out)).toBe(true);
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
  await new Promise((resolve) => setTimeout(resolve, LIFETIME_MS + 200));
  const reply = expectOk(await device.ta.call('FRAME', channel.writer.seal(frame())));
  expect(reply.b).toBeGreaterThan(first.offer.epoch);
  expect(opens(first, reply.out)).toBe(false);
  expect(codeName((await device.ta.call('PING')).a)).toBeUndefined();
});
