import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import mqtt, { type MqttClient } from 'mqtt';
import { AccessList } from '../../broker-dev/access.js';
import { startBroker, type DevBroker, type Observed } from '../../broker-dev/broker.js';
import { BrokerLink } from '../../agent/broker/link.js';
import { loadConfig } from '../../agent/config.js';
import { Log } from '../../agent/log.js';
import { packageRoot } from '../../agent/package-root.js';
import { Authority } from '../support/authority.js';

const sensor = '0011223344556677';
const prefix = 'smartzone/porch';
let folder: string;
let broker: DevBroker;
const seen: Observed[] = [];

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'smart-zone-tls-'));
  const authority = Authority.create(folder);
  authority.issue('server', '/CN=broker');
  authority.issue('agent', '/CN=agent:porch');
  authority.issue('sensor', `/CN=sensor:${sensor}`);
  broker = await startBroker({
    port: 0,
    tls: { cert: join(folder, 'server.pem'), key: join(folder, 'server.key'), ca: join(folder, 'ca.pem') },
    access: new AccessList({}),
    observe: (message) => seen.push(message),
  });
});

afterAll(async () => {
  await broker.stop();
  rmSync(folder, { recursive: true });
});

/** aedes reports a publication after it has been passed on. */
const until = async (condition: () => boolean): Promise<void> => {
  for (let i = 0; i < 500 && !condition(); i += 1) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(condition()).toBe(true);
};

const links: BrokerLink[] = [];
const clients: MqttClient[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) client.end(true);
  await Promise.all(links.splice(0).map((link) => link.stop()));
});

const connectAs = async (name: string): Promise<MqttClient> => {
  const client = await mqtt.connectAsync(broker.url, {
    ca: readFileSync(join(folder, 'ca.pem')),
    cert: readFileSync(join(folder, `${name}.pem`)),
    key: readFileSync(join(folder, `${name}.key`)),
    reconnectPeriod: 0,
  });
  clients.push(client);
  return client;
};

const linkWith = (...set: string[]): BrokerLink => {
  const link = BrokerLink.create({
    config: loadConfig({ set: [`broker.url=${broker.url}`, 'broker.clientId=agent', ...set] }).broker,
    log: new Log({ write: () => undefined }),
    subscriptions: [`${prefix}/sensor/+/frame`],
    state: { topic: `${prefix}/state`, payload: (state) => Buffer.from(state) },
    receiveMaximum: 8,
    maximumPacketSize: 1 << 20,
  });
  links.push(link);
  return link;
};

test('client certificates name the parties, and each may do what its role needs', async () => {
  const link = linkWith(
    `broker.tls.ca=${join(folder, 'ca.pem')}`,
    `broker.tls.cert=${join(folder, 'agent.pem')}`,
    `broker.tls.key=${join(folder, 'agent.key')}`,
  );
  const frame = new Promise<Buffer>((resolve) => link.once('message', ({ payload }) => resolve(payload)));
  link.start();
  await link.whenOnline();
  const client = await connectAs('sensor');
  await client.publishAsync(`${prefix}/sensor/${sensor}/frame`, 'sealed', { qos: 1 });
  expect((await frame).toString()).toBe('sealed');
  await until(() =>
    seen.some(({ topic, payload }) => topic.endsWith('/frame') && payload.toString() === 'sealed'),
  );
  const [granted] = await client.subscribeAsync(`${prefix}/hello`, { qos: 1 });
  expect(granted?.qos).toBe(1);
  await expect(client.subscribeAsync('#', { qos: 1 })).rejects.toThrow();
  const closed = new Promise<void>((resolve) => client.once('close', () => resolve()));
  client.publish(`${prefix}/roster`, 'forged', { qos: 1, retain: true });
  await closed;
  expect(seen.some(({ topic }) => topic.endsWith('/roster'))).toBe(false);
});

test.each([
  ['an unknown authority', []],
  ['no client certificate', (): string[] => [`broker.tls.ca=${join(folder, 'ca.pem')}`]],
])('no connection with %s', async (_what, set) => {
  const link = linkWith('broker.reconnectMinMs=20', ...(typeof set === 'function' ? set() : set));
  let online = false;
  link.once('online', () => (online = true));
  link.start();
  await new Promise((resolve) => setTimeout(resolve, 400));
  expect(online).toBe(false);
});

test('a new password in the file is used without a restart', async () => {
  const users = { 'agent:porch': 'old' };
  const guarded = await startBroker({ port: 0, access: new AccessList({ users }) });
  const file = join(folder, 'password');
  writeFileSync(file, 'old\n');
  const link = linkWith(
    `broker.url=${guarded.url}`,
    'broker.username=agent:porch',
    `broker.passwordFile=${file}`,
    'broker.reconnectMinMs=20',
  );
  link.start();
  await link.whenOnline();
  expect(link.reloadCredentials()).toBe(false);
  writeFileSync(file, 'new\n');
  const offline = new Promise<void>((resolve) => link.once('offline', resolve));
  expect(link.reloadCredentials()).toBe(true);
  await offline;
  // The broker knows the old one only.
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(link.isOnline).toBe(false);
  writeFileSync(file, 'old\n');
  await link.whenOnline();
  await link.stop();
  await guarded.stop();
});

test('the command starts, says where it listens, and ends on SIGTERM', async () => {
  const main = join(packageRoot(), 'dist/broker-dev/main.js');
  const child = spawn(process.execPath, [main, '--port', '0'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const line = await new Promise<string>((resolve) =>
    child.stdout.once('data', (data: Buffer) => resolve(data.toString())),
  );
  expect(line).toMatch(/^listening on mqtt:\/\/127\.0\.0\.1:\d+\n$/);
  const client = await mqtt.connectAsync(line.trim().slice('listening on '.length), { reconnectPeriod: 0 });
  await client.endAsync();
  const exit = new Promise((resolve) => child.once('exit', resolve));
  child.kill('SIGTERM');
  expect(await exit).toBe(0);
});
