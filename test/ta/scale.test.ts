/**
 * 100 sensors and 20 rules hosts on one device, within the heap of a Raspberry Pi 3's TA.
 */
import { BLAZEFACE_RESULTS, importTflite, pack } from '../../clients/publisher/index.js';
import { codeName, equalBytes } from '../../protocol/index.js';
import {
  type DeviceUnderTest,
  expectOk,
  faceModel,
  faceNetwork,
  frame,
  type Party,
  party,
  readyDevice,
  type SensorChannel,
} from './device-under-test.js';

const SENSORS = 100;
const RULES = 20;

let device: DeviceUnderTest;
let publisher: Party;
const sensors = Array.from({ length: SENSORS }, () => party('sensor'));
const hosts = Array.from({ length: RULES }, () => party('rules'));
const channels: SensorChannel[] = [];

beforeAll(async () => {
  const ready = await readyDevice();
  ({ device, publisher } = ready);
  expectOk(await device.roster([...sensors, ...hosts, publisher]));
});
afterAll(() => device.stop());

test('all of them at once, two channels a sensor, the last labels of each', async () => {
  const begin = await device.ta.heap();
  for (const sensor of sensors) channels.push(await device.openChannel(sensor));
  const open = await device.ta.heap();
  const last: { record: Uint8Array; label: Uint8Array }[] = [];
  let labels = 0;
  for (let round = 0; round < 8; round++)
    for (const [i, channel] of (round < 2 ? channels : channels.slice(0, 5)).entries()) {
      const record = channel.writer.seal(frame());
      last[i] = { record, label: expectOk(await device.ta.call('FRAME', record)).out };
      labels++;
    }
  const full = await device.ta.heap();
  for (const { record, label } of last)
    expect(equalBytes(expectOk(await device.ta.call('FRAME', record)).out, label)).toBe(true);
  for (const host of hosts) {
    const reader = await device.labelReader(host);
    for (const [i, { label }] of [...last.entries()].filter(([k]) => k % RULES === 0))
      expect(reader.open(label, sensors[i]!).results.kind).toBe('detections');
  }
  for (const sensor of sensors) await device.openChannel(sensor); // successors
  const heap = await device.ta.heap();
  const each = (full.used - open.used) / labels;
  const all = heap.used + (8 * SENSORS - labels) * each;
  console.log(
    `a channel takes 0 bytes of heap and ${each} for each of its last 8 labels (${last[0]!.label.length} bytes long);`,
    `with all labels of ${SENSORS} sensors ${all} of ${heap.size} bytes`,
  );
  expect(open.used).toBe(begin.used); // channels are static: no sensor can take heap by opening some
  expect(all).toBeLessThan(heap.size / 2);

  // What is kept for repeats leaves room for the owner and the publisher.
  const sequence = (await device.hello()).modelSequence + 1;
  expectOk(await device.install(publisher, await faceModel(), sequence));
  expectOk(await device.roster([...sensors.slice(1), ...hosts, publisher]));
  expect(codeName((await device.ta.call('FRAME', channels[0]!.writer.seal(frame()))).a)).toBe('NO_CHANNEL');
});

test('big labels of many sensors take a bounded share of the heap, the oldest go first', async () => {
  const model = await pack(importTflite(await faceNetwork(), 'faces'), {
    name: 'faces',
    results: { ...BLAZEFACE_RESULTS, most: 64 },
    preset: 'face-detection-short-range',
    labels: ['x'.repeat(48)],
  });
  expectOk(await device.install(publisher, model, (await device.hello()).modelSequence + 1));
  const some: { channel: SensorChannel; records: Uint8Array[] }[] = [];
  for (const sensor of sensors.slice(1, 31))
    some.push({ channel: await device.openChannel(sensor), records: [] });
  let size = 0;
  for (let round = 0; round < 6; round++)
    for (const { channel, records } of some) {
      const record = channel.writer.seal(frame());
      size = expectOk(await device.ta.call('FRAME', record)).out.length;
      records.push(record);
    }
  expect(size * 6 * some.length).toBeGreaterThan(768 * 1024);
  const { used } = await device.ta.heap();
  for (const { records } of some) {
    expectOk(await device.ta.call('FRAME', records[5]));
    expect(codeName((await device.ta.call('FRAME', records[0])).a)).toBe('STALE_NUMBER');
  }
  expectOk(await device.roster([...hosts, publisher])); // closes all channels: what they kept goes with them
  expect(used - (await device.ta.heap()).used).toBeGreaterThan(768 * 1024 - 2 * size);
  expect(used - (await device.ta.heap()).used).toBeLessThan(900 * 1024);
  expectOk(await device.roster([...sensors, ...hosts, publisher]));
});

test('one command a hundred times leaves the heap as it was', async () => {
  const ask = async (): Promise<void> => {
    const hello = await device.hello();
    expectOk(await device.ta.call('EVIDENCE', new Uint8Array(16)));
    expectOk(await device.ta.call('TELEMETRY', new Uint8Array([0xa0])));
    await device.labelReader(hosts[0]!);
    await device.openChannel(sensors[1]!);
    const half = await device.package(publisher, await faceModel(), hello.modelSequence + 1);
    expectOk(await device.ta.call('MODEL_BEGIN', half.begin));
    expectOk(await device.ta.call('MODEL_SEGMENT', (await faceModel()).segments[0], 0));
    expect(codeName((await device.ta.call('MODEL_SEGMENT', new Uint8Array(40), 1)).a)).toBe('MODEL_DIGEST');
    expect(codeName((await device.ta.call('OFFER', new Uint8Array(64))).a)).toBe('TRAILING_BYTES');
  };
  await ask();
  const before = await device.ta.heap();
  for (let i = 0; i < 100; i++) await ask();
  expect((await device.ta.heap()).used).toBe(before.used);
});
