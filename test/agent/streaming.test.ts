import { randomBytes } from 'node:crypto';
import { openSync, readSync, writeSync, closeSync } from 'node:fs';
import { join } from 'node:path';
import type { Agent } from '../../agent/agent.js';
import type { ModelStatus } from '../../agent/models/model-loader.js';
import { importTflite, pack, type SealedModel } from '../../clients/publisher/index.js';
import type { LabelEvent } from '../../clients/rules/index.js';
import type { SensorClient } from '../../clients/sensor/index.js';
import { until } from '../support/party-fixture.js';
import { faceNetwork } from '../ta/device-under-test.js';
import { brokers } from './brokers.js';
import { DeviceFixture, PREFIX } from './device-fixture.js';

/** The face detector's arena takes 1280 of it; its weights would take 600 more. */
const SMALL_HEAP_KIB = 1600;

/** A device with the face detector, in a TEE with this heap. */
class FaceDevice {
  readonly labels: LabelEvent[] = [];
  readonly statuses: ModelStatus[] = [];
  #rules: Promise<unknown> | undefined;

  private constructor(
    readonly fixture: DeviceFixture,
    readonly agent: Agent,
  ) {}

  static async create(
    model: SealedModel,
    heapKib: number | undefined,
    ...set: string[]
  ): Promise<FaceDevice> {
    const start = brokers.find(({ name }) => name === 'aedes')?.start ?? brokers[0]!.start;
    const fixture = DeviceFixture.create(await start());
    if (heapKib === undefined) delete process.env['SMART_ZONE_TEE_HEAP_KIB'];
    else process.env['SMART_ZONE_TEE_HEAP_KIB'] = String(heapKib);
    const agent = await fixture.agent(...set);
    const created = new FaceDevice(fixture, agent);
    const watcher = await fixture.link('watcher');
    await watcher.subscribe(`${PREFIX}/model/status`, ({ payload }) => {
      created.statuses.push(JSON.parse(Buffer.from(payload).toString()) as ModelStatus);
    });
    await agent.start();
    fixture.stage(await fixture.claim(), model, 1);
    await until(
      () => created.statuses.some(({ state }) => state === 'active' || state === 'failed'),
      'a model',
    );
    return created;
  }

  get status(): ModelStatus | undefined {
    return this.statuses.at(-1);
  }

  async open(): Promise<SensorClient> {
    this.#rules ??= this.fixture.openRules(this.labels);
    await this.#rules;
    const sensor = await this.fixture.openSensor();
    await sensor.ready(10_000);
    return sensor;
  }
}

const packFaces = async (segmentBytes: number): Promise<SealedModel> =>
  pack(importTflite(await faceNetwork(), 'face_detection_short_range.tflite'), {
    name: 'faces',
    preset: 'face-detection-short-range',
    segmentBytes,
  });
let model: SealedModel;
const devices: FaceDevice[] = [];
beforeAll(async () => {
  model = await packFaces(16 * 1024);
});
afterEach(async () => {
  delete process.env['SMART_ZONE_TEE_HEAP_KIB'];
  for (const device of devices.splice(0)) await device.fixture.close();
});
const create = async (packed: SealedModel, heapKib?: number, ...set: string[]): Promise<FaceDevice> => {
  const device = await FaceDevice.create(packed, heapKib, ...set);
  devices.push(device);
  return device;
};

const pictures = Array.from({ length: 4 }, () => new Uint8Array(randomBytes(128 * 128 * 3)));
const labelsOf = async (device: FaceDevice): Promise<unknown[]> => {
  const sensor = await device.open();
  const before = device.labels.length;
  for (const picture of pictures) sensor.sendFrame(picture);
  await until(() => device.labels.length >= before + pictures.length, 'labels');
  return device.labels.slice(before).map(({ results }) => results);
};

test('labels of a streamed model are those of the resident one, with a large and with a small shared buffer', async () => {
  const resident = await create(model);
  expect(resident.status).toMatchObject({ state: 'active', sequence: 1 });
  const expected = await labelsOf(resident);
  // The second leaves room for few segments at a time; in the third the largest do not fit beside another.
  const cases = [
    [model],
    [model, 'tee.bufferSize=163840'],
    [await packFaces(128 * 1024), 'tee.bufferSize=196608'],
  ] as const;
  for (const [packed, ...set] of cases) {
    const streamed = await create(packed, SMALL_HEAP_KIB, ...set);
    expect(streamed.status?.streamed).toBeGreaterThan(100_000);
    expect(await labelsOf(streamed)).toEqual(expected);
  }
}, 60_000);

test('after the TEE client died the segments of the model that the TA still has are at hand', async () => {
  const device = await create(model, SMALL_HEAP_KIB);
  const before = await labelsOf(device);
  process.kill(device.agent.tee.pid!, 'SIGKILL');
  expect(await labelsOf(device)).toEqual(before);
}, 60_000);

test('a segment damaged on disk costs frames, not the agent; restored it works again', async () => {
  const device = await create(model, SMALL_HEAP_KIB);
  await labelsOf(device);
  const file = openSync(join(device.fixture.folder, 'models', 'package'), 'r+');
  // In the last large weight segment, which is streamed.
  const at = 5_000 + model.segments.slice(0, -3).reduce((sum, { length }) => sum + length, 0);
  const byte = new Uint8Array(1);
  readSync(file, byte, 0, 1, at);
  const flip = (): void => {
    byte[0]! ^= 1;
    writeSync(file, byte, 0, 1, at);
  };
  flip();
  const sensor = await device.open();
  sensor.sendFrame(pictures[0]!);
  await until(() => device.agent.counters.get('frames_lost_model_digest') > 0, 'a lost frame');
  flip();
  closeSync(file);
  await labelsOf(device);
}, 60_000);

test('too little memory even to stream: the status says what is missing', async () => {
  const device = await create(model, 1380);

  expect(device.status).toMatchObject({ state: 'failed', code: 'MODEL_MEMORY' });
  expect(device.status?.reason).toMatch(
    / KiB needed even with all weights streamed, [\d,]+ KiB free: \d+ KiB missing/,
  );
}, 60_000);
