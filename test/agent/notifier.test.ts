import { execFileSync, spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { Log } from '../../agent/log.js';
import { packageRoot } from '../../agent/package-root.js';
import { silentNotifier, SystemdNotifier } from '../../agent/service/notifier.js';
import { Watchdog } from '../../agent/service/watchdog.js';

const root = packageRoot();
const log = new Log({ level: 'error' });
let folder: string;
let socket: string;
let receiver: ChildProcessWithoutNullStreams;
const datagrams: { pid: number; fields: string[] }[] = [];
const environment = { ...process.env };

beforeAll(async () => {
  execFileSync('make', ['-s', '-C', join(root, 'agent/service/native')]);
  folder = mkdtempSync(join(tmpdir(), 'smart-zone-notify-'));
  const program = join(folder, 'receiver');
  execFileSync('cc', [
    '-std=c11',
    '-D_GNU_SOURCE',
    '-Wall',
    '-o',
    program,
    join(root, 'test/agent/notify-receiver.c'),
  ]);
  socket = join(folder, 'notify');
  receiver = spawn(program, [socket]);
  await new Promise<void>((resolve, reject) => {
    receiver.once('exit', () => reject(new Error('the receiver ended')));
    createInterface({ input: receiver.stdout }).on('line', (line) => {
      if (line === 'listening') return resolve();
      const [pid = '', text = ''] = line.split('\t');
      datagrams.push({ pid: Number(pid), fields: text.split('|') });
    });
  });
  process.env['NOTIFY_SOCKET'] = socket;
});

beforeEach(() => datagrams.splice(0));

afterAll(() => {
  process.env = environment;
  receiver.stdin.end();
  rmSync(folder, { recursive: true });
});

const received = async (field: string): Promise<{ pid: number; fields: string[] }> => {
  for (let i = 0; i < 300; i += 1) {
    const hit = datagrams.find(({ fields }) => fields.includes(field));
    if (hit) return hit;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
  throw new Error(`no ${field} in ${JSON.stringify(datagrams)}`);
};

test('watchdog, reloading and stopping come from this very process', async () => {
  const notifier = SystemdNotifier.create({ NOTIFY_SOCKET: socket }, log);
  notifier.watchdog();
  notifier.reloading();
  notifier.stopping();
  expect((await received('WATCHDOG=1')).pid).toBe(process.pid);
  expect((await received('STOPPING=1')).pid).toBe(process.pid);
  const { fields } = await received('RELOADING=1');
  const monotonic = fields.find((field) => field.startsWith('MONOTONIC_USEC='));
  const now = process.hrtime.bigint() / 1000n;
  const age = now - BigInt(monotonic?.slice('MONOTONIC_USEC='.length) ?? 0);
  expect(age >= 0n && age < 10_000_000n).toBe(true);
});

test('ready and status arrive, and a status cannot smuggle in other fields', async () => {
  const notifier = SystemdNotifier.create({ NOTIFY_SOCKET: socket }, log);
  await notifier.ready('labels\nMAINPID=1\r\u2028STOPPING=1');
  const ready = await received('READY=1');
  expect(ready.fields).toContain('STATUS=labels MAINPID=1 STOPPING=1');
  expect(ready.fields).toContain(`MAINPID=${process.pid}`);
  expect(ready.fields).not.toContain('STOPPING=1');
  await notifier.status('loading\nREADY=0');
  await received('STATUS=loading READY=0');
});

test('without the systemd-notify command ready goes as a datagram', async () => {
  const path = process.env['PATH'];
  process.env['PATH'] = folder;
  try {
    await SystemdNotifier.create({ NOTIFY_SOCKET: socket }, log).ready('labels');
    expect((await received('READY=1')).pid).toBe(process.pid);
  } finally {
    process.env['PATH'] = path;
  }
});

test('without a service manager nothing is sent', async () => {
  const notifier = SystemdNotifier.create({}, log);
  expect(notifier).toBe(silentNotifier);
  await notifier.ready('labels');
  expect(datagrams).toEqual([]);
});

test('a service manager that went away does no harm', () => {
  const lines: string[] = [];
  const notifier = SystemdNotifier.create(
    { NOTIFY_SOCKET: join(folder, 'gone') },
    new Log({ write: (line) => lines.push(line) }),
  );
  notifier.watchdog();
  expect(lines.join('')).toContain('cannot be notified');
});

describe('Watchdog', () => {
  const env = { WATCHDOG_USEC: '60000', WATCHDOG_PID: `${process.pid}` };
  const wait = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

  test('is fed while the check succeeds, and not when it fails', async () => {
    let fed = 0;
    let healthy = true;
    const watchdog = Watchdog.create({
      env,
      check: () => (healthy ? Promise.resolve() : Promise.reject(new Error('no answer'))),
      feed: () => (fed += 1),
      log: new Log({ write: () => undefined }),
    });
    await wait(150);
    expect(fed).toBeGreaterThanOrEqual(3);
    healthy = false;
    await wait(50);
    const before = fed;
    await wait(150);
    expect(fed).toBe(before);
    watchdog?.stop();
  });

  test('starves while the check hangs', async () => {
    let fed = 0;
    let checks = 0;
    const watchdog = Watchdog.create({
      env,
      check: () => ((checks += 1), new Promise(() => undefined)),
      feed: () => (fed += 1),
      log,
    });
    await wait(150);
    expect([checks, fed]).toEqual([1, 0]);
    watchdog?.stop();
  });

  test('is off when nobody asks this process for it', () => {
    const parts = { check: () => Promise.resolve(), feed: () => undefined, log };
    expect(Watchdog.create({ ...parts, env: {} })).toBeUndefined();
    expect(Watchdog.create({ ...parts, env: { ...env, WATCHDOG_PID: '1' } })).toBeUndefined();
  });
});
