/** A model over the air: from ModelPush to the committed slot, over a real broker, with frames going on meanwhile. */
import { execFile } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { publicLine, publicOf, Witness, generateKeys } from '../../clients/keys/index.js';
import {
  ModelPush,
  pushModel,
  readPackageFile,
  signPackage,
  type PushOptions,
  type PushResult,
  type SealedModel,
  type SignedPackage,
} from '../../clients/publisher/index.js';
import { packFaceModel } from '../../demo/household.js';
import { toHex } from '../../protocol/bytes.js';
import type { SigningKey } from '../../protocol/keys.js';
import { Topics } from '../../protocol/topics.js';
import { availableBrokers } from './brokers.js';
import { PREFIX, theScenes, until, World } from './world.js';

const execute = promisify(execFile);

describe.each(availableBrokers())('a push over %s', (broker) => {
  let world: World;
  let frame: Uint8Array;
  let model: SealedModel;
  let links = 0;

  beforeAll(async () => {
    world = await World.create({ broker, sensor: { queueCapacity: 64, offerAgainAfter: 1_000 } });
    const [scene] = await theScenes();
    if (scene === undefined) throw new Error('no scene');
    frame = world.frameOf(scene);
    model = await packFaceModel({ name: 'new faces', segmentBytes: 32 * 1024 });
  }, 60_000);
  afterAll(() => world?.close());

  const push = async (
    signed: SignedPackage,
    options: Partial<PushOptions> & { readonly key?: SigningKey } = {},
    during: (run: ModelPush) => Promise<unknown> = () => Promise.resolve(),
  ): Promise<PushResult> => {
    const owner = publicOf(world.home.ownerKeys);
    const run = ModelPush.create({
      link: await world.home.link(`publisher-${(links += 1)}`),
      key: world.home.publisherKeys.signing,
      owner: owner.signing,
      witness: Witness.open(undefined, owner.kid),
      packages: [{ bytes: signed.bytes, contentKey: model.contentKey }],
      prefixes: [PREFIX],
      timeoutMs: 20_000,
      ...options,
    });
    const result = run.run();
    await during(run);
    return result;
  };
  const sign = (sequence: number): SignedPackage =>
    signPackage(model, world.home.publisherKeys.signing, sequence);
  /** The model that made a label now. A broker without a disk loses labels when it dies: then another frame tells. */
  const inForce = async (attempts = 4): Promise<string> => {
    try {
      const { model: digest } = await world.labelOf(world.sensor.sendFrame(frame), 3_000);
      return toHex(digest);
    } catch (error) {
      if (attempts === 1) throw error;
      return inForce(attempts - 1);
    }
  };

  test('is committed, with every segment sent once, while frames get their labels', async () => {
    const before = world.labels.length;
    const sent: Uint8Array[] = [];
    const timer = setInterval(() => sent.push(world.sensor.sendFrame(frame)), 40);
    const signed = sign(2);
    const result = await push(signed);
    clearInterval(timer);
    expect(result.targets).toMatchObject([{ prefix: PREFIX, state: 'committed' }]);
    expect(result.bytes).toBe(model.segments.reduce((sum, { length }) => sum + length, 0));
    await world.labelled(before + sent.length);
    expect(await inForce()).toBe(toHex(signed.digest));
    // What the device can go back to is kept, and nothing of the fetch.
    expect(existsSync(join(world.agent.modelFolder, 'package.previous'))).toBe(true);
    expect(existsSync(join(world.agent.modelFolder, 'incoming'))).toBe(false);
    expect(readFileSync(join(world.agent.modelFolder, 'package')).equals(signed.bytes)).toBe(true);
    // The same again: nothing is to be done.
    expect(await push(signed)).toMatchObject({ bytes: 0, targets: [{ state: 'committed' }] });
  }, 60_000);

  test('an older package, and one of a stranger, are refused with the reason; the model in force goes on', async () => {
    const digest = await inForce();
    expect((await push(sign(1))).targets).toMatchObject([{ state: 'refused', code: 'MODEL_SEQUENCE' }]);
    expect(await inForce()).toBe(digest);
    const stranger = generateKeys('publisher', 'stranger').signing;
    const theirs = signPackage(model, stranger, 3);
    const refused = await push(theirs, { key: stranger });
    expect(refused.targets).toMatchObject([{ state: 'refused', code: 'UNKNOWN_SENDER' }]);
    const sensor = world.home.sensorKeys.signing;
    const wrong = await push(signPackage(model, sensor, 3), { key: sensor });
    expect(wrong.targets).toMatchObject([{ state: 'refused', code: 'WRONG_ROLE' }]);
    expect(await inForce()).toBe(digest);
  }, 60_000);

  test('goes on after the agent was killed in the middle, and fetches only what is missing', async () => {
    const total = model.segments.length;
    let have = 0;
    const result = await push(sign(4), {}, async (run) => {
      await until(
        () =>
          (have = run.reports[0]?.have ?? 0) >= Math.min(16, total / 2) ||
          run.reports[0]?.state === 'committed',
        () => 'a half',
        15_000,
      );
      await world.agent.kill();
      world.agent.restart();
    });
    expect(have).toBeGreaterThan(0);
    expect(result.targets).toMatchObject([{ state: 'committed' }]);
    expect(await inForce()).toBe(toHex(sign(4).digest));
  }, 60_000);

  test('a program brings a package file to one device and hears how far it is', async () => {
    const file = join(world.folder, 'faces.szm');
    writeFileSync(file, sign(5).bytes);
    writeFileSync(join(world.folder, 'faces.key'), Buffer.from(model.contentKey).toString('base64url'));
    const { home } = world;
    const owner = publicOf(home.ownerKeys);
    const options = {
      link: await home.link('installer'),
      key: home.publisherKeys.signing,
      owner: owner.signing,
      witness: Witness.open(undefined, owner.kid),
      packages: [await readPackageFile(file)],
      prefix: PREFIX,
    };
    const fractions: number[] = [];
    const report = await pushModel({ ...options, progress: (fraction) => fractions.push(fraction) });
    expect(report).toMatchObject({ prefix: PREFIX, state: 'committed' });
    expect(fractions).toEqual(fractions.toSorted((a, b) => a - b));
    expect(fractions.at(-1)).toBe(1);
    expect(fractions.some((fraction) => fraction > 0 && fraction < 1)).toBe(true);
    expect(await inForce()).toBe(toHex(sign(5).digest));
    const older = [{ bytes: sign(4).bytes, contentKey: model.contentKey }];
    await expect(pushModel({ ...options, packages: older })).rejects.toMatchObject({
      code: 'MODEL_SEQUENCE',
    });
    const signal = AbortSignal.abort(new Error('not now'));
    await expect(pushModel({ ...options, signal })).rejects.toThrow('not now');
  }, 60_000);

  test('the command line: to all devices of the roster, what they run, and back', async () => {
    const file = join(world.folder, 'again.szm');
    writeFileSync(file, sign(6).bytes);
    writeFileSync(join(world.folder, 'again.key'), Buffer.from(model.contentKey).toString('base64url'));
    const { home } = world;
    const keys = join(world.folder, 'keys');
    const owner = publicLine(publicOf(home.ownerKeys));
    const cli = async (...args: readonly string[]): Promise<Record<string, unknown>> => {
      const main = 'dist/clients/cli/main.js';
      const rest = ['--broker', world.broker.url];
      const { stdout } = await execute(process.execPath, [
        main,
        '--home',
        keys,
        '--json',
        'model',
        ...args,
        ...rest,
      ]);
      return JSON.parse(stdout) as Record<string, unknown>;
    };
    const pushed = await cli('push', file, '--roster', 'all', '--owner', owner);
    expect(pushed).toMatchObject({
      absent: [],
      targets: [{ prefix: PREFIX, name: 'porch', state: 'committed' }],
    });
    const status = async (): Promise<unknown> => cli('status', '--roster', 'all', '--owner', owner);
    expect(await status()).toMatchObject({
      absent: [],
      devices: [{ name: 'porch', models: { loaded: true, committed: [6, toHex(sign(6).digest)], floor: 6 } }],
    });
    await cli('rollback', 'porch', '--book', join(keys, 'owner.book.json'));
    await until(
      () => world.agent.log.some(({ message }) => message === 'the model before is in force again'),
      () => world.report(),
    );
    expect(await inForce()).not.toBe(toHex(sign(6).digest));
    await expect(cli('push', file, '--roster', 'zone:0123456789abcdef', '--owner', owner)).rejects.toThrow(
      'no zone',
    );
    await expect(cli('push', file, '--roster', 'sensors', '--owner', owner)).rejects.toThrow('--roster');
  }, 60_000);

  test('goes on at a broker that forgot the roster, with an agent that has started since', async () => {
    const owner = publicOf(world.home.ownerKeys);
    const seen = join(world.folder, 'publisher.seen.json');
    const witness = (): Witness => Witness.open(seen, owner.kid);
    expect((await push(sign(7), { witness: witness() })).targets).toMatchObject([{ state: 'committed' }]);
    const link = await world.home.link('the broker itself');
    const { roster } = new Topics(PREFIX);
    let retained: Uint8Array | undefined;
    await link.subscribe(roster, ({ payload }) => (retained ??= payload));
    await until(
      () => retained !== undefined,
      () => 'the roster',
    );
    await link.publish(roster, '', { retain: true });
    await world.agent.kill();
    world.agent.restart();
    expect((await push(sign(8), { witness: witness() })).targets).toMatchObject([{ state: 'committed' }]);
    if (retained) await link.publish(roster, retained, { retain: true });
    expect(await inForce()).toBe(toHex(sign(8).digest));
  }, 60_000);

  test('the broker dies again and again: the push completes', async () => {
    const result = await push(sign(9), {}, async () => {
      for (let i = 0; i < 3; i += 1) {
        await new Promise((resolve) => setTimeout(resolve, 150));
        await world.broker.crash();
      }
    });
    expect(result.targets).toMatchObject([{ state: 'committed' }]);
    expect(await inForce()).toBe(toHex(sign(9).digest));
  }, 90_000);
});
