/**
 * Trusted storage cut at every write boundary of every operation that stores something: reopened, the state is the one before or the
 * one after, byte for byte, and the operation can be done again. Then every copy from before an operation is put back: who notices.
 */
import { cpSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Witness } from '../../clients/keys/index.js';
import { readPackage, type SealedModel, type SignedPackage } from '../../clients/publisher/index.js';
import { DeviceTrust } from '../../clients/trust/index.js';
import {
  codeName,
  encodeFrame,
  encodeModelBegin,
  signOwners,
  SigningKey,
  verifyEvidence,
  verifyModelStatus,
  verifyOwnerReply,
} from '../../protocol/index.js';
import {
  afterPowerCut,
  buildDiskJournal,
  entryChoices,
  readDiskJournal,
  type DiskChange,
} from '../support/disk-journal.js';
import { DeviceUnderTest, expectOk, party, type DeviceKeys } from './device-under-test.js';
import { tinyModels } from './model/tiny-models.js';
import { TaHost, type TaReply } from './ta-host.js';

const program = fileURLToPath(new URL('../../build/ctest/ta_host', import.meta.url));
const [sensor, rules, publisher] = [party('sensor'), party('rules'), party('publisher')];
const MEMBERS = [sensor, rules, publisher];

type Noticed = readonly [byClient: string, byTa: string];
const NOT_NOTICED: Noticed = ['-', 'OK'];
const ROLLED_BACK: Noticed = ['STATE_ROLLED_BACK', 'STATE_ROLLED_BACK'];

/** One operation of the story, with what trusted storage was before it and every change that it made there. */
interface Step {
  readonly what: string;
  readonly before: string;
  readonly after: string;
  readonly changes: readonly DiskChange[];
  readonly views: readonly [before: unknown, after: unknown];
  /** On a device that was reopened: does it again. */
  readonly again: (device: DeviceUnderTest) => Promise<TaReply>;
  /** What comes of that where it was done before the cut. */
  readonly done: readonly string[];
  /** What becomes of the copy from before: a client that saw the device after it, and the TA where one that did speaks to it. */
  readonly restored: Noticed;
}

let folder: string;
let journal: string;
let story: DeviceUnderTest;
let containers: readonly SealedModel[];
const steps: Step[] = [];

const status = ({ a }: TaReply): string => (a === 0 ? 'OK' : (codeName(a) ?? `code ${a}`));

/** What anybody can see that a restart must not change. */
const view = async (ta: TaHost): Promise<unknown> => {
  const device = new DeviceUnderTest(ta);
  const {
    device: kid,
    agreementKey,
    claimNonce,
    rosterVersion,
    modelSequence,
    modelFloor,
    signingKey,
  } = await device.hello();
  const { floor, committed, trial, previous } = verifyModelStatus(
    (await ta.call('MODEL_STATUS')).out,
    signingKey,
  );
  return JSON.stringify([
    [...kid, ...agreementKey],
    claimNonce === undefined,
    [rosterVersion, modelSequence, modelFloor, floor],
    [committed, trial, previous].map((part) => part && [part[0], String(part[1])]),
  ]);
};

const files = (storage: string): Map<string, string> =>
  new Map(
    readdirSync(storage)
      .filter((name) => !name.endsWith('.new')) // begun, and never looked at
      .map((name) => [name, readFileSync(join(storage, name)).toString('base64')]),
  );

const copyOf = (name: string): string => {
  const copy = join(folder, name);
  cpSync(story.ta.storage, copy, { recursive: true });
  return copy;
};

const reopened = async <T>(storage: string, use: (device: DeviceUnderTest) => Promise<T>): Promise<T> => {
  const ta = TaHost.of(program, { storage });
  try {
    const device = new DeviceUnderTest(ta);
    Object.assign(device, { owner: story.owner, ownerCounter: 1000, rosterVersion: 1000 });
    return await use(device);
  } finally {
    await ta.stop();
  }
};

/** Does a step, and writes down what it changes. The view afterwards is that of a TA which starts on it. */
const step = async (
  what: string,
  act: (device: DeviceUnderTest) => Promise<TaReply>,
  restored: Noticed,
  done: readonly string[] = ['OK'],
  expected = 'OK',
): Promise<void> => {
  const before = copyOf(`${steps.length} before`);
  writeFileSync(journal, '');
  expect([what, status(await act(story))]).toEqual([what, expected]);
  const changes = readDiskJournal(journal);
  const after = copyOf(`${steps.length} after`);
  const seen = async (copy: string): Promise<unknown> => {
    const scratch = join(folder, 'seen');
    rmSync(scratch, { recursive: true, force: true });
    cpSync(copy, scratch, { recursive: true });
    return reopened(scratch, ({ ta }) => view(ta));
  };
  steps.push({
    what,
    before,
    after,
    changes,
    views: [await seen(before), await seen(after)],
    again: act,
    done,
    restored,
  });
};

let signed: readonly SignedPackage[];
/** Installs the container under the next number. */
const install = (device: DeviceUnderTest, sequence: number): Promise<TaReply> =>
  device.install(publisher, containers[0]!, sequence);
const load = (device: DeviceUnderTest, model: SignedPackage): Promise<TaReply> =>
  device.ta.call('MODEL_BEGIN', encodeModelBegin(readPackage(model.bytes).envelope, null));

const labels = async (device: DeviceUnderTest, count: number): Promise<void> => {
  const { input } = containers[0]!.header;
  const channel = await device.sealOffer(sensor, input);
  expectOk(await device.ta.call('OFFER', channel.offer));
  const data = new Uint8Array(4 * input.dims[0]!);
  for (let i = 0; i < count; i++)
    expectOk(
      await device.ta.call(
        'FRAME',
        channel.writer.seal(encodeFrame({ ...input, id: new Uint8Array(8), time: i, data })),
      ),
    );
};

beforeAll(async () => {
  await TaHost.create().stop(); // builds it
  containers = await tinyModels();
  folder = mkdtempSync(join(tmpdir(), 'ta-cuts-'));
  journal = join(folder, 'journal');
  const storage = join(folder, 'storage');
  mkdirSync(storage);
  const env = {
    LD_PRELOAD: buildDiskJournal(folder),
    SZ_JOURNAL: journal,
    SZ_JOURNAL_ROOT: storage,
    // The recorder comes before the sanitizer's runtime, and replaces nothing that it needs.
    ASAN_OPTIONS: 'verify_asan_link_order=0',
  };
  story = new DeviceUnderTest(TaHost.of(program, { storage, env }));
  const { owner } = story;
  await story.hello(); // it has started, and stored its first identity
  const second = SigningKey.generate();
  const say = (type: 'reset' | 'rollback' | 'rotate') => async (device: DeviceUnderTest) =>
    device.ta.call('OWNER', await device.statement({ type }));
  const roster = (device: DeviceUnderTest) => device.roster(MEMBERS);

  await step('claim', (device) => device.claim(), ['UNTRUSTED_DEVICE', 'NOT_CLAIMED'], ['ALREADY_CLAIMED']);
  await step('roster', roster, ['-', 'UNKNOWN_SENDER']);
  await step('model commit', async (device) => install(device, (await device.hello()).modelSequence + 1), [
    '-',
    'STATE_ROLLED_BACK',
  ]);
  signed = [(await story.package(publisher, containers[0]!, 2)).signed];
  await step(
    'model commit, on trial',
    async (device) => install(device, (await device.hello()).modelSequence + 1),
    ROLLED_BACK,
  );
  await story.ta.restart();
  await step('trial start', (device) => load(device, signed[0]!), NOT_NOTICED);
  expectOk(await story.load(readPackage(signed[0]!.bytes), null));
  await labels(story, 10);
  await step('trial: a start forgiven', (device) => device.ta.call('MODEL_STATUS'), NOT_NOTICED);
  await labels(story, 90);
  await step('trial: confirmed', (device) => device.ta.call('MODEL_STATUS'), NOT_NOTICED);
  await step('rollback', say('rollback'), NOT_NOTICED, ['MODEL_UNKNOWN']);
  await step(
    'rebase',
    async (device) =>
      device.ta.call(
        'OWNER',
        await device.statement({ type: 'rebase', floor: ((await device.hello()).modelFloor ?? 0) + 10 }),
      ),
    ROLLED_BACK,
  );
  await step('next device keys', say('rotate'), NOT_NOTICED);
  const rotated = verifyOwnerReply(expectOk(await say('rotate')(story)).out);
  const next: DeviceKeys = { signingKey: rotated.next![0], agreementKey: rotated.next![1] };
  await step(
    'next device keys put in place',
    async (device) =>
      device.ta.call(
        'ROSTER',
        await device.signedRoster(MEMBERS, ++device.rosterVersion, undefined, { devices: [next] }),
      ),
    ['UNTRUSTED_DEVICE', 'STATE_ROLLED_BACK'],
  );
  const succession = [signOwners({ generation: 2, keys: [owner.publicKey, second.publicKey] }, owner)];
  await step(
    'owner succession',
    async (device) =>
      device.ta.call(
        'ROSTER',
        await device.signedRoster(MEMBERS, ++device.rosterVersion, undefined, { succession }),
      ),
    ROLLED_BACK,
  );
  await step('reset', say('reset'), NOT_NOTICED);
}, 300_000);

afterAll(async () => {
  await story.ta.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** All that a cut may leave: with and without bytes that are not synced, and with any of the entries that are not. */
const cutsOf = ({ before, changes }: Step) =>
  Array.from({ length: changes.length + 1 }, (_, count) =>
    entryChoices(before, changes, count).flatMap((kept) =>
      [false, true].map((lost) => ({ count, kept, lost, answered: count === changes.length })),
    ),
  ).flat();

const everything = (storage: string): string =>
  JSON.stringify(readdirSync(storage).map((name) => [name, readFileSync(join(storage, name), 'base64')]));

test('cut anywhere: before or after, never between; after once it is answered; and it can be done again', async () => {
  let [cuts, states] = [0, 0];
  const counts: string[] = [];
  for (const step of steps) {
    const { what, before, after, changes, views, again, done } = step;
    // Not vacuous: the operation stores something, and by a rename.
    expect([what, changes.map(({ operation, path }) => (path === '.' ? 'sync entries' : operation))]).toEqual(
      [what, ['create', 'write', 'sync', 'rename', 'sync entries']],
    );
    expect(files(before)).not.toEqual(files(after));
    const seen = new Set<string>();
    let became = 0;
    for (const cut of cutsOf(step)) {
      const storage = join(folder, 'cut');
      rmSync(storage, { recursive: true, force: true });
      afterPowerCut(before, changes, cut.count, cut.lost, storage, cut.kept);
      const left = files(storage);
      const isAfter = JSON.stringify([...left]) === JSON.stringify([...files(after)]);
      const which = isAfter ? after : before;
      expect([what, cut, [...left]]).toEqual([what, cut, [...files(which)]]);
      if (cut.answered) expect([what, cut, isAfter]).toEqual([what, cut, true]);
      became += isAfter ? 1 : 0;
      cuts += 1;
      // Equal disks have one future.
      const disk = everything(storage);
      if (seen.has(disk)) continue;
      seen.add(disk);
      const redone = await reopened(storage, async (device) => {
        expect([what, cut, await view(device.ta)]).toEqual([what, cut, views[isAfter ? 1 : 0]]);
        return status(await again(device));
      });
      expect([what, cut, isAfter ? done : ['OK']]).toEqual([what, cut, expect.arrayContaining([redone])]);
    }
    expect(became).toBeGreaterThan(0);
    states += seen.size;
    counts.push(`${what} ${became}`);
  }
  console.log(
    `storage cuts: ${cuts} of ${cuts} in ${steps.length} operations, ${states} different disks reopened ` +
      `(after: ${counts.join(', ')})`,
  );
}, 300_000);

test('a copy from before is put back: who has seen the state after it notices, or nobody can', async () => {
  for (const { what, before, after, restored } of steps) {
    const storage = join(folder, 'restored');
    const start = (copy: string): void => {
      rmSync(storage, { recursive: true, force: true });
      cpSync(copy, storage, { recursive: true });
    };
    // A client that sees the device as it is after the operation; the roster is the newest one that lists it.
    const witness = Witness.open(undefined, story.owner.kid);
    start(after);
    const seen = await reopened(storage, async (device) => {
      const hello = await device.hello();
      const message = await device.signedRoster(MEMBERS, Math.max(hello.rosterVersion, 1));
      const trust = new DeviceTrust(story.owner.publicKey, witness);
      trust.receiveRoster(message);
      trust.receiveHello((await device.ta.call('HELLO')).out);
      expect([what, trust.device?.kid]).toEqual([what, hello.device]);
      return hello;
    });
    start(before);
    const verdict = await reopened(storage, async (device) => {
      const refusals: string[] = [];
      const trust = new DeviceTrust(story.owner.publicKey, witness);
      trust.on('refused', ({ error }) => refusals.push(error.code));
      trust.receiveHello((await device.ta.call('HELLO')).out);
      const hello = await device.hello();
      const known = {
        rosterVersion: seen.rosterVersion,
        modelSequence: seen.modelFloor ?? seen.modelSequence,
      };
      const offer = await device.sealOffer(sensor, { ...containers[0]!.header.input, ...known });
      const told = status(await device.ta.call('OFFER', offer.offer));
      const nonce = new Uint8Array(16);
      const evidence = verifyEvidence((await device.ta.call('EVIDENCE', nonce)).out, hello.signingKey, nonce);
      // In every case the evidence says that hardware does not prevent it.
      expect(evidence.items.get('anti-rollback-level')).toEqual({ value: 100, measured: true });
      return [refusals[0] ?? '-', told];
    });
    expect([what, verdict]).toEqual([what, restored]);
  }
});
