/**
 * The first start of a software TEE and the claim of its device, cut at every change on the disk: the folder, the key that stands for
 * the hardware's, trusted storage. Whatever a power cut may take, the TEE starts again, and a claim that was answered has happened.
 */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BUFFER, Command, equalBytes } from '../../protocol/index.js';
import {
  afterPowerCut,
  buildDiskJournal,
  entryChoices,
  readDiskJournal,
  type DiskChange,
} from '../support/disk-journal.js';
import { Client, ended, eventually, testPrograms } from '../support/soft-tee.js';
import { DeviceUnderTest, expectOk, type TaCalls } from './device-under-test.js';
import type { TaReply } from './ta-host.js';

/** A software TEE in a folder that may be there or not. */
class Tee implements TaCalls {
  private constructor(
    private readonly pid: number,
    private readonly client: Client,
  ) {}

  static async start(folder: string, env: Readonly<Record<string, string>> = {}): Promise<Tee> {
    const ta = join(testPrograms.products, 'smart-zone-ta');
    const supervisor = spawn(testPrograms.supervisor, ['--dir', folder, '--ta', ta], {
      stdio: ['ignore', 'ignore', 'pipe'],
      env: { ...process.env, ...env },
    });
    let log = '';
    supervisor.stderr.on('data', (chunk: Buffer) => (log += chunk.toString()));
    await eventually(() => log.includes('ready') || supervisor.exitCode !== null);
    if (supervisor.pid === undefined || supervisor.exitCode !== null) throw new Error(log);
    const client = new Client({ SMART_ZONE_TEE_DIR: folder });
    const tee = new Tee(supervisor.pid, client);
    try {
      await client.open(BUFFER.in + BUFFER.out);
    } catch (error) {
      await tee.stop();
      throw new Error(`${(error as Error).message}: ${log}`, { cause: error });
    }
    return tee;
  }

  async call(command: keyof typeof Command, input = new Uint8Array(0), a = 0): Promise<TaReply> {
    const { output, ...reply } = await this.client.invoke(Command[command], {
      input,
      a,
      outOffset: BUFFER.in,
      outLength: BUFFER.out,
    });
    return { ...reply, out: new Uint8Array(output) };
  }

  async stop(): Promise<void> {
    await this.client.kill();
    process.kill(this.pid, 'SIGTERM');
    await ended(this.pid);
  }
}

let folder: string;
let before: string;
let changes: readonly DiskChange[];
/** Changes of the first start; those after it are the claim's. */
let started: number;
let claimed: Uint8Array;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'first-start-'));
  const disk = join(folder, 'disk');
  before = join(folder, 'before');
  mkdirSync(disk);
  mkdirSync(before);
  const journal = join(folder, 'journal');
  const env = { LD_PRELOAD: buildDiskJournal(folder), SZ_JOURNAL: journal, SZ_JOURNAL_ROOT: disk };
  const device = new DeviceUnderTest(await Tee.start(join(disk, 'tee'), env));
  await device.hello();
  started = readDiskJournal(journal).length;
  expectOk(await device.claim());
  changes = readDiskJournal(journal);
  claimed = (await device.hello()).signingKey;
  await device.stop();
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** The files that decide what the device is. */
const kept = (disk: string): string => {
  const home = join(disk, 'tee');
  const huk = join(home, 'huk');
  const storage = join(home, 'storage');
  const names = existsSync(storage) ? readdirSync(storage).filter((name) => !name.endsWith('.new')) : [];
  return JSON.stringify([
    existsSync(huk) ? readFileSync(huk, 'hex') : null,
    names.map((name) => [name, readFileSync(join(storage, name), 'base64')]),
  ]);
};

test('the journal has the folder, the key and trusted storage, and their names are synced', () => {
  const has = (operation: string, path: string): boolean =>
    changes.some((change) => change.operation === operation && change.path === path);
  expect(['tee', 'tee/storage'].map((path) => has('mkdir', path))).toEqual([true, true]);
  expect(has('rename', 'tee/huk.new')).toBe(true);
  expect(started).toBeGreaterThan(10);
  expect(changes.length).toBe(started + 5);
});

test('cut anywhere: it starts again, and what was answered has happened', async () => {
  const disk = join(folder, 'cut');
  const different = new Map<string, { count: number; kept: readonly boolean[]; lost: boolean }>();
  let cuts = 0;
  const lay = (cut: { count: number; kept: readonly boolean[]; lost: boolean }): void => {
    rmSync(disk, { recursive: true, force: true });
    afterPowerCut(before, changes, cut.count, cut.lost, disk, cut.kept);
  };
  lay({ count: changes.length, kept: entryChoices(before, changes, changes.length)[0] ?? [], lost: true });
  const whole = kept(disk);
  for (let count = 0; count <= changes.length; count++)
    for (const choice of entryChoices(before, changes, count))
      for (const lost of [false, true]) {
        const cut = { count, kept: choice, lost };
        lay(cut);
        const left = kept(disk);
        if (count === changes.length) expect([cut, left]).toEqual([cut, whole]);
        if (!different.has(left)) different.set(left, cut);
        cuts += 1;
      }
  for (const cut of different.values()) {
    lay(cut);
    const device = new DeviceUnderTest(await Tee.start(join(disk, 'tee')));
    try {
      const { signingKey, claimNonce } = await device.hello();
      const isClaimed = claimNonce === undefined;
      expect([cut, isClaimed, equalBytes(signingKey, claimed)]).toEqual([cut, isClaimed, isClaimed]);
      if (cut.count === changes.length) expect([cut, isClaimed]).toEqual([cut, true]);
    } finally {
      await device.stop();
    }
  }
  console.log(`first start: ${cuts} cuts leave ${different.size} different devices, all of them started`);
}, 300_000);
