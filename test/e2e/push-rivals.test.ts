/** Two pushes at once, and a disk without room: one complete model at a time, and everybody is told how things stand. */
import { existsSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import {
  signPackage,
  type ModelPush,
  type SealedModel,
  type SignedPackage,
} from '../../clients/publisher/index.js';
import { packFaceModel } from '../../demo/household.js';
import { toHex } from '../../protocol/bytes.js';
import { availableBrokers } from './brokers.js';
import { Camera } from './camera.js';
import { packLargeModel } from './large-model.js';
import { preparePush } from './publishing.js';
import { theScenes, until, World } from './world.js';

const fetched = (push: ModelPush, least: number): Promise<void> =>
  until(
    () => (push.reports[0]?.have ?? 0) >= least,
    () => JSON.stringify(push.reports),
  );
const sign = (world: World, model: SealedModel, sequence: number): SignedPackage =>
  signPackage(model, world.home.publisherKeys.signing, sequence);

let small: SealedModel;
let large: SealedModel;
beforeAll(async () => {
  small = await packFaceModel({ name: 'new faces', segmentBytes: 32 * 1024 });
  large = await packLargeModel({ segmentBytes: 8 * 1024 });
}, 60_000);

describe.each(availableBrokers())('two pushes at once over %s', (broker) => {
  let world: World;
  beforeAll(async () => {
    world = await World.create({ broker });
  }, 60_000);
  afterAll(() => world?.close());

  /** @returns the reports of the first one, which is under way, and of the second */
  const both = async (
    first: SignedPackage,
    second: SignedPackage,
  ): Promise<[ModelPush['reports'][number] | undefined, ModelPush['reports'][number] | undefined]> => {
    const one = await preparePush(world, first, large.contentKey);
    const ended = one.run();
    await fetched(one, 16);
    const other = await preparePush(world, second, small.contentKey);
    const results = await Promise.all([ended, other.run()]);
    const [[a], [b]] = results.map(({ targets }) => targets) as [typeof one.reports, typeof one.reports];
    return [a, b];
  };
  const committed = (): boolean => existsSync(join(world.agent.modelFolder, 'incoming'));

  test('the newer model wins; the publisher of the other is told', async () => {
    const [first, second] = await both(sign(world, large, 2), sign(world, small, 3));
    expect(first).toMatchObject({ state: 'superseded', code: 'MODEL_SUPERSEDED' });
    expect(second).toMatchObject({ state: 'committed' });
    expect(committed()).toBe(false);
    // Run again it is older than what the device has.
    const again = await (await preparePush(world, sign(world, large, 2), large.contentKey)).run();
    expect(again.targets).toMatchObject([{ state: 'refused', code: 'MODEL_SEQUENCE' }]);
  }, 60_000);

  test('an older one does not disturb it', async () => {
    const [first, second] = await both(sign(world, large, 5), sign(world, small, 4));
    expect(first).toMatchObject({ state: 'committed' });
    expect(second).toMatchObject({ state: 'superseded', code: 'MODEL_SUPERSEDED' });
    expect(committed()).toBe(false);
  }, 60_000);
});

const DISK = 6 * 2 ** 20;
const mayMount = spawnSync('unshare', ['--mount', 'mount', '-t', 'tmpfs', 'none', '/mnt']).status === 0;
if (!mayMount) console.warn('skipped: a full disk: this user may not mount a file system of its own');

(mayMount ? describe : describe.skip)('a full disk', () => {
  let world: World;
  let filler: string;
  beforeAll(async () => {
    world = await World.create({ modelDisk: DISK, sensor: { queueCapacity: 64 } });
    filler = join(world.agent.modelFolder, 'filler');
  }, 60_000);
  afterAll(() => world?.close());

  /** Leaves so many bytes free; where a push writes meanwhile it may be less. */
  const fill = (left: number): void => {
    rmSync(filler, { force: true });
    const { bavail, bsize } = statfsSync(world.agent.modelFolder);
    try {
      writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - left), 1));
    } catch (error) {
      // Segments came between the question and the answer: what of the filler fitted has filled the disk.
      if ((error as NodeJS.ErrnoException).code !== 'ENOSPC') throw error;
    }
  };
  const camera = async (): Promise<Camera> => {
    const [scene] = await theScenes();
    if (scene === undefined) throw new Error('no scene');
    return new Camera(world, world.frameOf(scene));
  };
  const waits = (push: ModelPush): Promise<void> =>
    until(
      () => push.reports[0]?.state === 'waiting' && push.reports[0].code === 'MODEL_DISK',
      () => `${JSON.stringify(push.reports)}\n${world.report()}`,
    );
  const oldGoesOn = async (watched: Camera): Promise<void> => {
    const count = watched.labels.length;
    await until(
      () => watched.labels.length > count + 5,
      () => world.report(),
    );
    expect(watched.models()).toEqual(new Set([toHex(world.signed.digest)]));
  };

  test('in the middle of a push: it waits, says so, and goes on when there is room', async () => {
    const watched = await camera();
    const signed = sign(world, large, 2);
    const push = await preparePush(world, signed, large.contentKey, { timeoutMs: 60_000 });
    const running = push.run();
    await fetched(push, 64);
    fill(0);
    await waits(push);
    expect(push.reports[0]?.reason).toMatch(/ENOSPC/);
    await oldGoesOn(watched);
    const had = push.reports[0]?.have ?? 0;
    expect(had).toBeGreaterThanOrEqual(64);
    rmSync(filler);
    const result = await running;
    watched.stop();
    expect(result.targets).toMatchObject([{ state: 'committed' }]);
    // What was there was not sent again.
    const again = result.bytes / large.segments.reduce((sum, { length }) => sum + length, 0);
    console.log(
      `full after ${had} of ${large.segments.length} segments; sent ${again.toFixed(2)} of the package in all`,
    );
  }, 90_000);

  test('from the beginning: says what is missing; its publisher gives up, comes back, and it is taken', async () => {
    fill(100 * 1024);
    const signed = sign(world, small, 3);
    const push = await preparePush(world, signed, small.contentKey, { timeoutMs: 4_000 });
    const running = push.run();
    await waits(push);
    expect(push.reports[0]?.reason).toMatch(/bytes are needed, \d+ are free/);
    expect((await running).targets).toMatchObject([{ state: 'timed out', code: 'MODEL_DISK' }]);
    rmSync(filler);
    const again = await (await preparePush(world, signed, small.contentKey)).run();
    expect(again.targets).toMatchObject([{ state: 'committed' }]);
  }, 60_000);

  test('more than models.maxMebibytes allows is refused, and nothing is kept of it', async () => {
    const bounded = await World.create({ agent: { 'models.maxMebibytes': 2 } });
    try {
      const push = await preparePush(bounded, sign(bounded, large, 2), large.contentKey);
      expect((await push.run()).targets).toMatchObject([{ state: 'refused', code: 'MODEL_DISK' }]);
      expect(existsSync(join(bounded.agent.modelFolder, 'incoming'))).toBe(false);
      const fits = await preparePush(bounded, sign(bounded, small, 2), small.contentKey);
      expect((await fits.run()).targets).toMatchObject([{ state: 'committed' }]);
    } finally {
      await bounded.close();
    }
  }, 60_000);
});
