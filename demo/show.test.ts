/** The demo says so when something is wrong: the parties here are puppets, the judging is the demo's own. */
import { EventEmitter } from 'node:events';
import { randomBytes } from 'node:crypto';
import type { BrokerLink } from '../clients/link/index.js';
import { generateKeys, ROLES } from '../clients/keys/index.js';
import { resizePicture } from '../clients/picture/index.js';
import { EngineTool, type EngineResult, type SealedModel } from '../clients/publisher/index.js';
import type { RulesClient } from '../clients/rules/index.js';
import type { SensorClient } from '../clients/sensor/index.js';
import { PERSON, packObjectModel, type Household } from './household.js';
import { loadDoorScenes, type Scene } from './scenes.js';
import { LineScreen } from './screen.js';
import { Show, summaryLine, type Summary } from './show.js';

let scenes: Scene[];
let model: SealedModel;
let seen: (readonly EngineResult[])[];
const parties = ROLES.map((role) => generateKeys(role, role));

beforeAll(async () => {
  scenes = (await loadDoorScenes()).slice(2, 5);
  model = await packObjectModel();
  seen = await Promise.all(
    scenes.map(async ({ picture }) => {
      const { data } = resizePicture(picture, { width: 300, height: 300, channels: 3 });
      return (await EngineTool.find().infer(model.graph, 'u8', data)).results;
    }),
  );
});

interface Mischief {
  /** Says that there is one more than there are. */
  readonly more?: boolean;
  /** Says that the first one is elsewhere. */
  readonly moved?: boolean;
  readonly withhold?: boolean;
  /** What the broker sees, from what the frame was. */
  readonly sees?: (frame: Uint8Array) => Uint8Array;
}

/** Plays three frames to puppets. */
const play = async ({
  more = false,
  moved = false,
  withhold = false,
  sees = () => randomBytes(500),
}: Mischief): Promise<Summary> => {
  const printed: string[] = [];
  const show = new Show(new LineScreen('p', (text) => printed.push(text)), 'p');
  const rules = new EventEmitter();
  let number = 0;
  const sendFrame = (data: Uint8Array): Uint8Array => {
    const frameId = randomBytes(8);
    const found = (seen[number] ?? []).map(({ class: index, score, box: [left, top, right, bottom] }) => ({
      index,
      name: model.header.labels[index],
      score,
      box: { x: moved ? left + 0.1 : left, y: top, width: right - left, height: bottom - top },
    }));
    const another = { index: 3, name: PERSON, score: 0.9, box: { x: 0, y: 0, width: 1, height: 1 } };
    const detections = more ? [...found, another] : found;
    show.observed({ clientId: 'c', topic: 'p/x', payload: Buffer.from(sees(data)), retain: false, qos: 1 });
    number += 1;
    const label = {
      frameId,
      number,
      sensorTime: 0,
      received: 5,
      results: { kind: 'detections', detections },
    };
    const withName = { ...label, sensor: { name: 'camera' }, device: { name: 'porch' } };
    if (!withhold) setImmediate(() => rules.emit('label', withName));
    return frameId;
  };
  await show.play({
    home: { parties } as unknown as Household,
    model,
    sensor: { sendFrame, idle: () => Promise.resolve() } as unknown as SensorClient,
    rules: rules as unknown as RulesClient,
    link: {} as BrokerLink,
    scenes,
    interval: 5,
    frames: 3,
    stop: new AbortController().signal,
    patience: 50,
  });
  return show.summary();
};

test('all is well', async () => {
  const summary = await play({});
  expect(summary).toMatchObject({
    good: true,
    frames: 3,
    labels: 3,
    lost: 0,
    wrong: 0,
    leaks: [],
    latencyMs: 5,
  });
  expect(summaryLine(summary)).toMatch(/^ok: 3 frames, 3 labels.*nothing in the clear/);
});

test('labels that do not come are lost frames', async () => {
  expect(await play({ withhold: true })).toMatchObject({ good: false, frames: 3, labels: 0, lost: 3 });
});

test('labels that say something else than the network does are wrong', async () => {
  expect(await play({ more: true })).toMatchObject({ good: false, wrong: 3, lost: 0 });
  // One of the three has somebody in it.
  expect(await play({ moved: true })).toMatchObject({ good: false, wrong: 1, lost: 0 });
});

test.each([
  ['a part of a frame', (frame: Uint8Array) => frame.subarray(20_000, 20_100), 'a frame in x'],
  ['a label name', () => Buffer.from(`{"seen":"${PERSON}"}`), 'a label name in x'],
  ['a key', () => parties[1]?.signing.exportSeed() ?? new Uint8Array(), "the sensor's signing key in x"],
  [
    'the content key in base64',
    () => Buffer.from(Buffer.from(model.contentKey).toString('base64')),
    'the content key in x',
  ],
])('%s in the clear', async (_what, sees, leak) => {
  const summary = await play({ sees });
  expect(summary).toMatchObject({ good: false, lost: 0, wrong: 0, leaks: [leak] });
  expect(summaryLine(summary)).toMatch(/^FAILED: .*IN THE CLEAR/);
});
