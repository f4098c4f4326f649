import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Log } from '../../agent/log.js';
import { silentNotifier, SystemdNotifier } from '../../agent/service/notifier.js';
import { Watchdog } from '../../agent/service/watchdog.js';
import { NotifySocket, type Datagram } from './notify-socket.js';

const log = new Log({ level: 'error' });
let folder: string;
let manager: NotifySocket;
const environment = { ...process.env };
const received = (field: string): Promise<Datagram> => manager.received(field);

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'smart-zone-notify-'));
  manager = await NotifySocket.create(folder);
  process.env['NOTIFY_SOCKET'] = manager.path;
});

beforeEach(() => manager.datagrams.splice(0));

afterAll(() => {
  process.env = environment;
  manager.close();
  rmSync(folder, { recursive: true });
});

test('watchdog, reloading and stopping come from this very process', async () => {
  const notifier = SystemdNotifier.create({ NOTIFY_SOCKET: manager.path }, log);
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
  const notifier = SystemdNotifier.create({ NOTIFY_SOCKET: manager.path }, log);
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
    await SystemdNotifier.create({ NOTIFY_SOCKET: manager.path }, log).ready('labels');
    expect((await received('READY=1')).pid).toBe(process.pid);
  } finally {
    process.env['PATH'] = path;
  }
});

test('without a service manager nothing is sent', async () => {
  const notifier = SystemdNotifier.create({}, log);
  expect(notifier).toBe(silentNotifier);
  await notifier.ready('labels');
  expect(manager.datagrams).toEqual([]);
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
    let checks = 0;
    let healthy = true;
    const watchdog = Watchdog.create({
      env,
      check: () => {
        checks += 1;
        return healthy ? Promise.resolve() : Promise.reject(new Error('no answer'));
      },
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
    await wait(20);
    const all = checks;
    await wait(100);
    expect(checks).toBe(all);
  });

  test('is fed soon after a check that failed, and says so once', async () => {
    let fed = 0;
    let healthy = false;
    const lines: string[] = [];
    const watchdog = Watchdog.create({
      env: { ...env, WATCHDOG_USEC: '6000000' }, // a check every two seconds
      check: () => (healthy ? Promise.resolve() : Promise.reject(new Error('no answer'))),
      feed: () => (fed += 1),
      log: new Log({ write: (line) => lines.push(line) }),
    });
    await wait(500);
    healthy = true;
    await wait(400);
    expect([fed, lines.length]).toEqual([1, 1]);
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
