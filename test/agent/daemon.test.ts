import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../agent/package-root.js';
import { startBroker, type DevBroker } from '../../broker-dev/broker.js';
import { until } from '../support/party-fixture.js';
import { freePort } from './mosquitto.js';
import { NotifySocket } from './notify-socket.js';

let folder: string;
let broker: DevBroker;
let manager: NotifySocket;
let healthPort: number;
let daemon: ChildProcess;
let log = '';
const states: string[] = [];

const configure = (changes: object): void => {
  const config = {
    device: { name: 'test' },
    broker: { url: broker.url, reconnectMinMs: 20 },
    tee: { storageDir: join(folder, 'tee') },
    models: { directory: join(folder, 'models') },
    health: { port: healthPort },
    ...changes,
  };
  writeFileSync(join(folder, 'agent.json'), JSON.stringify(config));
};

const start = (): ChildProcess => {
  const args = [join(packageRoot(), 'dist/agent/main.js'), '--config', join(folder, 'agent.json')];
  const env = {
    PATH: process.env['PATH'],
    NOTIFY_SOCKET: manager.path,
    WATCHDOG_USEC: '300000',
    JOURNAL_STREAM: '1:2',
  };
  const child = spawn(process.execPath, args, { env, stdio: ['ignore', 'ignore', 'pipe'] });
  child.stderr.on('data', (data: Buffer) => (log += data.toString()));
  return child;
};

const get = async (path: string): Promise<number> =>
  (await fetch(`http://127.0.0.1:${healthPort}${path}`)).status;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'smart-zone-daemon-'));
  broker = await startBroker({
    port: 0,
    observe: ({ topic, payload }) => {
      if (topic === 'smartzone/test/state')
        states.push((JSON.parse(payload.toString()) as { state: string }).state);
    },
  });
  manager = await NotifySocket.create(folder);
  healthPort = await freePort();
  configure({});
  daemon = start();
});

afterAll(async () => {
  daemon.kill('SIGKILL');
  manager.close();
  await broker.stop();
  rmSync(folder, { recursive: true });
});

test('says that it is ready, and feeds the watchdog from its own process', async () => {
  await manager.received('READY=1');
  expect((await manager.received('WATCHDOG=1')).pid).toBe(daemon.pid);
  await until(() => states.at(-1) === 'online', 'online');
  expect([await get('/livez'), await get('/readyz'), await get('/metrics')]).toEqual([200, 200, 200]);
});

test('its log lines are JSON behind a severity', () => {
  const lines = log
    .trim()
    .split('\n')
    .filter((line) => !line.startsWith('smart-zone-tee:'));
  expect(lines.length).toBeGreaterThan(1);
  for (const line of lines) expect(JSON.parse(line.replace(/^<[3-7]>/, ''))).toHaveProperty('message');
});

test('SIGHUP takes over what it can, and names what needs a restart', async () => {
  manager.datagrams.splice(0);
  configure({ queue: { depth: 3 }, labels: { expirySeconds: 9 }, watchdog: { enabled: false } });
  daemon.kill('SIGHUP');
  await manager.received('RELOADING=1');
  await manager.received('READY=1');
  await until(() => log.includes('reloaded'), 'log');
  const line = log.split('\n').find((text) => text.includes('reloaded')) ?? '';
  expect(JSON.parse(line.slice(3))).toMatchObject({
    applied: 'queue.depth labels.expirySeconds',
    needRestart: 'watchdog.enabled',
  });
});

test('SIGHUP with a bad configuration keeps the old one', async () => {
  manager.datagrams.splice(0);
  configure({ queue: { depth: 0 } });
  daemon.kill('SIGHUP');
  await manager.received('READY=1');
  await until(() => log.includes('kept the configuration'), 'log');
  expect(log).toContain('queue.depth');
  expect(await get('/readyz')).toBe(200);
});

test('the watchdog starves while its TEE process is frozen, whatever the event loop does', async () => {
  const pid = Number(/"process":(\d+)/.exec(log)?.[1]);
  process.kill(pid, 'SIGSTOP');
  await new Promise((resolve) => setTimeout(resolve, 300));
  manager.datagrams.splice(0);
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(manager.datagrams.filter(({ fields }) => fields.includes('WATCHDOG=1'))).toEqual([]);
  expect(await get('/livez')).toBe(200);
  process.kill(pid, 'SIGCONT');
  await manager.received('WATCHDOG=1');
});

test('SIGTERM: offline, stopping, exit 0', async () => {
  const exit = new Promise((resolve) => daemon.once('exit', resolve));
  daemon.kill('SIGTERM');
  expect(await exit).toBe(0);
  await manager.received('STOPPING=1');
  expect(states.at(-1)).toBe('offline');
});

test('killed, it leaves no TEE process behind, and the next one starts', async () => {
  configure({});
  manager.datagrams.splice(0);
  log = '';
  daemon = start();
  await manager.received('READY=1');
  const pid = Number(/"process":(\d+)/.exec(log)?.[1]);
  const alive = (): boolean => {
    try {
      return process.kill(pid, 0);
    } catch {
      return false;
    }
  };
  expect(alive()).toBe(true);
  daemon.kill('SIGKILL');
  await until(() => !alive(), 'the end of the TEE process');
  await until(() => states.at(-1) === 'offline', 'will');
  manager.datagrams.splice(0);
  daemon = start();
  await manager.received('READY=1');
  await until(() => states.at(-1) === 'online', 'online');
});
