/**
 * The power fails at every change that a push makes on the disk, of the agent and of trusted storage. What is on the disk then is
 * made anew from a journal of a real push, once with everything, once without what was not synced, and once without the names
 * that were not; agent and TEE start on it, a complete model answers a frame, and the same push, run again, completes.
 */
import { cpSync, existsSync, mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { AgentProcess } from '../../demo/agent-process.js';
import { packFaceModel } from '../../demo/household.js';
import { publicOf, Witness } from '../../clients/keys/index.js';
import { ModelPush, signPackage, type PushResult, type SealedModel } from '../../clients/publisher/index.js';
import { toHex } from '../../protocol/bytes.js';
import {
  afterPowerCut,
  buildDiskJournal,
  readDiskJournal,
  unsyncedEntries,
  type DiskChange,
} from '../support/disk-journal.js';
import { PREFIX, theScenes, until, World } from './world.js';

const EVERY = process.env['SMART_ZONE_TEST_LONG'] === '1';
const SAMPLED = 6;

let world: World;
let frame: Uint8Array;
let model: SealedModel;
let changes: DiskChange[];
let before: string;

const signed = () => signPackage(model, world.home.publisherKeys.signing, 2);

const push = async (): Promise<PushResult> => {
  const owner = publicOf(world.home.ownerKeys);
  const link = await connect('publisher');
  return ModelPush.create({
    link,
    key: world.home.publisherKeys.signing,
    owner: owner.signing,
    witness: Witness.open(undefined, owner.kid),
    packages: [{ bytes: signed().bytes, contentKey: model.contentKey }],
    prefixes: [PREFIX],
    timeoutMs: 30_000,
  }).run();
};

let connections = 0;
/** Nothing is kept for it at the broker. */
const connect = (name: string) => world.home.link(`${name}-${(connections += 1)}`, { sessionExpiry: 0 });

/** What the broker retains of the cut before: to its witnesses this device would be one whose storage was put back. */
const forget = async (): Promise<void> => {
  const link = await connect('cleaner');
  const { topics, home } = world;
  const { sensorKeys, rulesKeys } = home;
  const { kid: sensor } = sensorKeys.signing;
  const { kid: rules } = rulesKeys.signing;
  for (const topic of [
    topics.hello,
    topics.modelStatus,
    topics.sensorOffer(sensor),
    topics.sensorReceipt(sensor),
    topics.rulesHello(rules),
    topics.rulesOffer(rules),
  ])
    await link.publish(topic, '', { retain: true });
  await link.close();
};

const start = (folder: string, env: Readonly<Record<string, string>> = {}): AgentProcess =>
  AgentProcess.start({ folder, brokerUrl: world.broker.url, prefix: PREFIX, env });

/** The digest of the model that answers now. Its clients remember nothing: to them an older state is as good. */
const inForce = async (): Promise<string> => {
  const links = await Promise.all(['rules', 'sensor'].map((name) => connect(name)));
  const [first, second] = links;
  const rules = await world.home.rules({ ...(first && { link: first }) });
  const sensor = await world.home.sensor({ ...(second && { link: second }) });
  try {
    await Promise.all([rules.ready(), sensor.ready()]);
    let digest = '';
    rules.on('label', (label) => (digest = toHex(label.model)));
    // A frame can overtake the offer of its channel at an agent that has just started: the sensor would seal it again later.
    for (let i = 0; digest === '' && i < 20; i += 1) {
      sensor.sendFrame(frame);
      await until(
        () => digest !== '',
        () => 'a label',
        500,
      ).catch(() => undefined);
    }
    return digest;
  } finally {
    await sensor.close();
    await rules.close();
    for (const link of links) await link.close();
  }
};

beforeAll(async () => {
  world = await World.create({ broker: 'aedes' });
  const [scene] = await theScenes();
  if (scene === undefined) throw new Error('no scene');
  frame = world.frameOf(scene);
  model = await packFaceModel({ name: 'new faces', segmentBytes: 64 * 1024 });
  await world.sensor.close();
  await world.rules.close();
  await world.agent.stop();
  before = join(world.folder, 'before');
  const folder = join(world.folder, 'agent');
  cpSync(folder, before, {
    recursive: true,
    filter: (path) => !path.endsWith('.sock') && !path.endsWith('socket'),
  });
  const journal = join(world.folder, 'journal');
  const library = buildDiskJournal(world.folder);
  const agent = start(folder, { LD_PRELOAD: library, SZ_JOURNAL: journal, SZ_JOURNAL_ROOT: folder });
  await agent.logged('ready');
  expect((await push()).targets).toMatchObject([{ state: 'committed' }]);
  await agent.stop();
  changes = readDiskJournal(journal).filter(({ path }) => /^(models|tee\/storage)(\/|$)/.test(path));
}, 120_000);
afterAll(() => world?.close());

test('the journal has the whole push: segments, both renames, and trusted storage', () => {
  const seen = (operation: string, path: RegExp): number =>
    changes.filter((change) => change.operation === operation && path.test(change.path)).length;
  expect(seen('write', /incoming\/package\.part$/)).toBeGreaterThanOrEqual(model.segments.length);
  expect(seen('rename', /incoming\/package\.part$/)).toBe(1);
  expect(seen('rename', /models\/package\.new$/)).toBe(1);
  expect(seen('rename', /^tee\/storage\//)).toBeGreaterThan(0);
  expect(seen('sync', /./)).toBeGreaterThan(3);
});

test('after every cut one complete model is in force, and the push completes', async () => {
  const old = toHex(world.signed.digest);
  const fresh = toHex(signed().digest);
  const points = changes.flatMap((_change, i) => {
    const count = i + 1;
    const entries = unsyncedEntries(before, changes, count) > 0;
    return [
      { count, lost: false, kept: 'all' },
      { count, lost: true, kept: 'all' },
      // Names, too, that no sync of their directory followed.
      ...(entries ? [{ count, lost: true, kept: 'none' } as const] : []),
    ] as const;
  });
  const step = EVERY ? 1 : points.length / SAMPLED;
  const tried = Array.from(
    { length: EVERY ? points.length : SAMPLED },
    (_, i) => points[Math.floor((i + 0.5) * step)],
  );
  if (EVERY) tried.splice(0, tried.length, ...points);
  const folder = join(world.folder, 'cut');
  for (const point of tried) {
    if (point === undefined) continue;
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    afterPowerCut(before, changes, point.count, point.lost, folder, point.kept);
    await forget();
    const agent = start(folder);
    try {
      await agent.logged('ready');
      expect([old, fresh]).toContain(await inForce());
      expect((await push()).targets).toMatchObject([{ state: 'committed' }]);
      expect(await inForce()).toBe(fresh);
      expect(existsSync(join(folder, 'models', 'incoming'))).toBe(false);
    } catch (error) {
      const change = changes[point.count - 1];
      const log = agent.log.slice(-6).map((line) => JSON.stringify(line));
      throw new Error(
        `cut ${JSON.stringify(point)} after ${change?.operation} ${change?.path}: ${(error as Error).message}\n${log.join('\n')}`,
        { cause: error },
      );
    } finally {
      await agent.stop();
    }
  }
  console.log(`power cuts: ${tried.length} of ${points.length}`);
}, 3_600_000);
