import { randomBytes } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseRecord } from '../../protocol/messages/record.js';
import type { CleartextSearch } from '../../demo/cleartext-search.js';
import type { Recorded } from './recorder.js';
import { readMemory } from './process-memory.js';
import { RememberedRandomness, searchFor, secretsOf } from './secrets.js';
import { theScenes, until, World } from './world.js';

/** 16 random bytes, all of them letters and digits: a name is text. */
const LABELS = [randomBytes(12).toString('base64url')];
/** Rows of every frame that are noise: unlike a photograph they can occur nowhere by chance. */
const CANARY_ROWS = 8;

const sensorRandom = new RememberedRandomness();
const rulesRandom = new RememberedRandomness();
const frames: Uint8Array[] = [];
const runs: Recorded[][] = [];
let world: World;
let secrets: [string, Uint8Array][];
let search: CleartextSearch;

const withCanary = (frame: Uint8Array): Uint8Array => {
  const copy = Uint8Array.from(frame);
  const [, width = 0, channels = 0] = world.model.header.input.dims;
  copy.set(randomBytes(CANARY_ROWS * width * channels), copy.length - CANARY_ROWS * width * channels);
  return copy;
};

/** Sends frames; returns what the listener heard meanwhile. */
const run = async (pictures: readonly Uint8Array[]): Promise<Recorded[]> => {
  const heard = world.recorder.messages.length;
  const labels = world.labels.length;
  for (const picture of pictures) {
    const frame = withCanary(picture);
    frames.push(frame);
    await world.labelOf(world.sensor.sendFrame(frame));
  }
  await world.sensor.idle();
  expect(world.labels.length - labels).toBe(pictures.length);
  const isLabel = /\/label\//;
  await until(
    () => world.recorder.of(isLabel).length === world.labels.length,
    () => `the listener heard ${world.recorder.of(isLabel).length} of ${world.labels.length} labels`,
  );
  return world.recorder.messages.slice(heard);
};

beforeAll(async () => {
  world = await World.create({
    pack: { labels: LABELS },
    sensor: { random: sensorRandom },
    rules: { random: rulesRandom },
    agent: { 'telemetry.intervalMs': 500 },
  });
  const scenes = await theScenes();
  const pictures = (people: boolean): Uint8Array[] =>
    scenes.filter((scene) => scene.people === people).map((scene) => world.frameOf(scene));
  runs.push(await run(pictures(true)), await run(pictures(false)));
  await until(
    () => world.recorder.of(world.topics.telemetry).length > 0,
    () => 'no telemetry was heard',
  );
  secrets = [
    ...LABELS.map((label): [string, Uint8Array] => [`label name ${label}`, Buffer.from(label)]),
    ...secretsOf(world, sensorRandom, rulesRandom),
  ];
  search = searchFor(secrets, frames);
});
afterAll(() => world?.close());

test('the two runs differ in what was seen, and only the rules host knows', () => {
  const seen = (from: number): number =>
    world.labels
      .slice(from, from + 6)
      .filter(({ results }) => results.kind === 'detections' && results.detections.length > 0).length;
  expect([seen(0), seen(6)]).toEqual([6, 0]);
  const named = world.labels.flatMap(({ results }) =>
    results.kind === 'detections' ? results.detections : [],
  );
  expect(new Set(named.map(({ name }) => name))).toEqual(new Set([LABELS[0]]));
  expect(world.trouble).toEqual([]);
});

test('nothing that the broker carried has a frame, a label name or a key in it', () => {
  const { messages, bytes } = world.recorder;
  for (const { topic, payload } of messages) {
    expect({ topic, finding: search.find(payload) }).toEqual({ topic, finding: undefined });
    expect(search.find(Buffer.from(topic))).toBeUndefined();
  }
  const heard = messages.filter(({ topic }) => topic.endsWith('/frame')).length;
  expect(heard).toBe(frames.length);
  console.log(
    `searched ${messages.length} messages, ${bytes} bytes, for ${secrets.length} names and keys ` +
      `and the windows of ${frames.length} frames: none`,
  );
});

test('the search finds each secret where it is planted', () => {
  const carrier = world.recorder.of(/\/frame$/)[0]?.payload;
  if (carrier === undefined) throw new Error('no frame was heard');
  const plant = (bytes: Uint8Array, at: number): Uint8Array => {
    const copy = Uint8Array.from(carrier);
    copy.set(bytes, at);
    return copy;
  };
  for (const [name, bytes] of secrets)
    expect(search.find(plant(bytes, 1001))).toMatchObject({ secret: name, at: 1001 });
  frames.forEach((frame, i) => {
    // From the noise, which is this frame's alone; photographs come more than once.
    const window = frame.subarray(frame.length - 777, frame.length - 777 + 16);
    const found = search.find(plant(window, 2003));
    expect(found).toMatchObject({ secret: `frame ${i}` });
    // The byte before may agree by chance: then the finding begins there.
    expect(2003 - (found?.at ?? 0)).toBeGreaterThanOrEqual(0);
    expect(2003 - (found?.at ?? 0)).toBeLessThan(16);
  });
});

test('label records say nothing by number, size or topic', () => {
  const shape = (messages: readonly Recorded[]): [string, number][] =>
    messages
      .filter(({ topic }) => topic.includes('/label/'))
      .map(({ topic, payload }) => [topic, payload.length]);
  const [first, second] = runs.map(shape);
  expect(first).toHaveLength(6);
  expect(first).toEqual(second);
  const sizes = new Set(world.recorder.of(/\/label\//).map(({ payload }) => payload.length));
  expect(sizes.size).toBe(1);
  console.log(`label records: ${world.recorder.of(/\/label\//).length}, each of ${[...sizes].join()} bytes`);
});

test('the agent has no frame, label name or key in its memory, nor has its TEE client', () => {
  const { pid, teePids } = world.agent;
  if (teePids.client === undefined) throw new Error('no TEE client process');
  // What must be there: the topics, and the ciphertext that both have worked on.
  const last = world.recorder.of(/\/label\//).at(-1)?.payload;
  if (last === undefined) throw new Error('no label was heard');
  const channel = Buffer.from(parseRecord(last).channel);
  for (const [name, process] of [
    ['agent', pid],
    ['TEE client', teePids.client],
  ] as const) {
    const findings: string[] = [];
    let known = 0;
    const start = Date.now();
    const size = readMemory(process, (piece, region) => {
      const finding = search.find(piece);
      if (finding) findings.push(`${finding.secret} in ${region.name}`);
      if (Buffer.from(piece.buffer, piece.byteOffset, piece.length).includes(channel)) known += 1;
    });
    console.log(`${name}: ${(size / 2 ** 20).toFixed(0)} MiB searched in ${Date.now() - start} ms`);
    expect({ name, findings }).toEqual({ name, findings: [] });
    expect(known).toBeGreaterThan(0);
  }
});

test('nor is there any of it in the files of agent, TEE and models', () => {
  const folder = join(world.folder, 'agent');
  const files = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) =>
    entry.isFile(),
  );
  const names = files.map(({ name }) => name);
  expect(names).toEqual(expect.arrayContaining(['agent.json', 'package', 'offer', 'huk']));
  let bytes = 0;
  for (const { parentPath, name } of files) {
    const content = readFileSync(join(parentPath, name));
    bytes += content.length;
    expect({ name, finding: search.find(content) }).toEqual({ name, finding: undefined });
  }
  console.log(`${files.length} files, ${bytes} bytes searched`);
  const keys = readFileSync(join(world.folder, 'keys', 'sensor.key.json'));
  expect(search.find(keys)).toBeDefined();
});
