/** Linux can write to the shared buffer at any time, also while the TA works on it: that must change nothing. */
import { EngineTool } from '../../clients/publisher/index.js';
import { BUFFER, codeName, type Results } from '../../protocol/index.js';
import {
  faceModel,
  frame,
  readyDeviceOn,
  type DeviceUnderTest,
  type Party,
} from '../ta/device-under-test.js';
import type { LabelReader, SensorChannel } from '../ta/device-under-test.js';
import { HammeredTa } from './hammered-ta.js';
import { theScenes } from './world.js';
import { resizePicture } from '../../clients/picture/index.js';

const ROUNDS = 60;

let device: DeviceUnderTest<HammeredTa>;
let sensor: Party;
let publisher: Party;
let channel: SensorChannel;
let reader: LabelReader;
let picture: Uint8Array<ArrayBuffer>;
let expected: number[];

beforeAll(async () => {
  const ta = await HammeredTa.open();
  const ready = await readyDeviceOn(ta);
  ({ device, sensor, publisher } = ready);
  channel = await device.openChannel(sensor);
  reader = await device.labelReader(ready.rules);
  const [scene] = await theScenes();
  if (scene === undefined) throw new Error('no scene');
  const shape = { width: 128, height: 128, channels: 3 } as const;
  picture = Uint8Array.from(resizePicture(scene.picture, shape, 'crop').data);
  const { graph } = await faceModel();
  expected = (await EngineTool.find().infer(graph, 'u8', picture)).results.map(({ score }) =>
    Math.fround(score),
  );
  expect(expected.length).toBeGreaterThan(0);
});
afterAll(() => device?.ta.stop());
afterEach(async () => {
  device.ta.hammer = undefined;
  expect(await label()).toEqual(expected);
});

const scores = (results: Results): number[] =>
  results.kind === 'detections' ? results.detections.map(({ score }) => score) : [];

/** Sends the picture; its scores, or the code that it was refused with. */
const label = async (): Promise<number[] | string> => {
  const reply = await device.ta.call('FRAME', channel.writer.seal(frame(picture)));
  expect(reply.result).toBe(0);
  return reply.a === 0 ? scores(reader.open(reply.out, sensor).results) : (codeName(reply.a) ?? `${reply.a}`);
};

const count = (outcomes: readonly (number[] | string)[]): Record<string, number> => {
  const counts: Record<string, number> = {};
  for (const outcome of outcomes) {
    const name = typeof outcome === 'string' ? outcome : 'label';
    counts[name] = (counts[name] ?? 0) + 1;
  }
  return counts;
};

test('a record that is rewritten while it is read is refused, or gives the label of what was sealed', async () => {
  device.ta.hammer = (_command, { length }) => ({ from: 0, to: length, after: 0 });
  const outcomes: (number[] | string)[] = [];
  for (let round = 0; round < ROUNDS; round += 1) outcomes.push(await label());
  for (const outcome of outcomes) if (typeof outcome !== 'string') expect(outcome).toEqual(expected);
  const counts = count(outcomes);
  for (const code of Object.keys(counts))
    expect(['label', 'BAD_TAG', 'MALFORMED', 'TRUNCATED', 'NO_CHANNEL', 'UNKNOWN_ALGORITHM']).toContain(code);
  console.log(`${ROUNDS} frames, ${device.ta.writes} bytes rewritten meanwhile:`, counts);
  expect(device.ta.writes).toBeGreaterThan(ROUNDS * 1000);
});

test('only the record’s end, in the moments in which it is decrypted', async () => {
  device.ta.hammer = (_command, { length }) => ({ from: length - 64, to: length, after: 0 });
  const outcomes: (number[] | string)[] = [];
  for (let round = 0; round < ROUNDS; round += 1) outcomes.push(await label());
  for (const outcome of outcomes)
    expect(typeof outcome === 'string' ? outcome : 'label').toMatch(/^(label|BAD_TAG)$/);
  for (const outcome of outcomes) if (typeof outcome !== 'string') expect(outcome).toEqual(expected);
  console.log(`${ROUNDS} frames, their last 64 bytes rewritten:`, count(outcomes));
});

test('once the record is read its place may be rewritten: the labels are right', async () => {
  // Opening the record takes a fraction of a millisecond, the network some; which of them is under way depends on the machine.
  let labels = 0;
  let round = 0;
  for (; labels < 5 && round < 300; round += 1) {
    device.ta.hammer = (_command, { length }) => ({ from: 0, to: length, after: 1 + (round % 8) });
    device.ta.writes = 0;
    const outcome = await label();
    if (typeof outcome === 'string') continue;
    expect(outcome).toEqual(expected);
    if (device.ta.writes > 0) labels += 1;
  }
  console.log(`${labels} labels made while their records were rewritten, in ${round} rounds`);
  expect(labels).toBe(5);
});

test('a reply that is rewritten while it is made is damaged, never another one', async () => {
  device.ta.hammer = () => ({ from: BUFFER.in, to: BUFFER.in + 1024, after: 0 });
  let damaged = 0;
  for (let round = 0; round < 20; round += 1) {
    const reply = await device.ta.call('FRAME', channel.writer.seal(frame(picture)));
    expect([reply.result, reply.a]).toEqual([0, 0]);
    try {
      expect(scores(reader.open(reply.out, sensor).results)).toEqual(expected);
    } catch (error) {
      damaged += 1;
      expect(error).toHaveProperty('code');
    }
  }
  console.log(`20 replies rewritten, ${damaged} damaged`);
});

test('segments of a model that are rewritten while they are read are refused, or are the publisher’s', async () => {
  const model = await faceModel();
  const codes: string[] = [];
  let installed = 1;
  for (let round = 0; round < 3 * model.segments.length; round += 1) {
    const victim = round % model.segments.length;
    device.ta.hammer = (command, { length }, a) =>
      command === 'MODEL_SEGMENT' && a === victim ? { from: 0, to: length, after: 0 } : undefined;
    const reply = await device.install(publisher, model, 2 + round);
    expect(reply.result).toBe(0);
    codes.push(reply.a === 0 ? 'OK' : (codeName(reply.a) ?? `${reply.a}`));
    if (reply.a === 0) installed = 2 + round;
    device.ta.hammer = undefined;
    expect((await device.hello()).modelSequence).toBe(installed);
  }
  console.log(`${codes.length} packages, one segment of each rewritten:`, count(codes));
  for (const code of codes) expect(code).toMatch(/^(OK|MODEL_DIGEST)$/);
  expect(codes).toContain('MODEL_DIGEST');
});
