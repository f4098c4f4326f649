/** The nodes in a real Node-RED from npm, with a real device. */
import { execFile, spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect, createServer as createTcpServer, type AddressInfo } from 'node:net';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { publicLine, publicOf } from '../../clients/keys/index.js';
import { FACE } from '../../demo/household.js';
import { kidToHex } from '../../protocol/kid.js';
import { freePort } from '../agent/mosquitto.js';
import { PREFIX, theScenes, until, World } from '../e2e/world.js';

// Node-RED 5 asks for Node 22.
const RELEASE = Number(process.versions.node.split('.')[0]) >= 22 ? 5 : 4;
const INSTALLED = resolve('build', `node-red-${RELEASE}`);

interface Message {
  readonly from: string;
  readonly msg: Record<string, unknown> & { payload: Record<string, unknown> };
}

let world: World;
let receiver: Server;
let admin: string;
let log = '';
const received: Message[] = [];
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  // Too large for everybody who installs this repository: 117 MB.
  if (!existsSync(join(INSTALLED, 'node_modules', 'node-red', 'red.js'))) {
    mkdirSync(INSTALLED, { recursive: true });
    writeFileSync(join(INSTALLED, 'package.json'), '{"private": true}\n');
    await promisify(execFile)(
      'npm',
      ['install', '--silent', '--no-audit', '--no-fund', `node-red@${RELEASE}`],
      {
        cwd: INSTALLED,
      },
    );
  }
  world = await World.create();
  closers.push(() => world.close());
  await world.rules.close();
  receiver = createServer((request, response) => {
    let text = '';
    request.on('data', (chunk: Buffer) => (text += chunk.toString()));
    request.on('end', () => {
      const msg = JSON.parse(text) as Message['msg'];
      received.push({ from: (request.url ?? '').slice(1), msg });
      response.end();
    });
  });
  await new Promise<void>((listening) => receiver.listen(0, '127.0.0.1', listening));
  closers.push(() => new Promise((closed) => receiver.close(closed)));
  closers.push(() => receiver.closeAllConnections());

  const user = join(world.folder, 'node-red');
  const modules = join(user, 'node_modules');
  mkdirSync(modules, { recursive: true });
  cpSync('node-red-contrib-smart-zone', join(modules, 'node-red-contrib-smart-zone'), { recursive: true });
  symlinkSync(resolve('.'), join(modules, 'smart-zone'));
  writeFileSync(
    join(user, 'package.json'),
    JSON.stringify({ private: true, dependencies: { 'node-red-contrib-smart-zone': '0.1.0' } }),
  );
  const port = await freePort();
  writeFileSync(
    join(user, 'settings.js'),
    `module.exports = ${JSON.stringify({ uiHost: '127.0.0.1', uiPort: port, credentialSecret: 'test', flowFile: 'flows.json', telemetry: { enabled: false } })};\n`,
  );
  admin = `http://127.0.0.1:${port}`;
  const child = spawn(
    process.execPath,
    [join(INSTALLED, 'node_modules', 'node-red', 'red.js'), '--userDir', user],
    {
      stdio: ['ignore', 'pipe', 'pipe'],
    },
  );
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (text: Buffer) => (log += text.toString()));
  const exited = new Promise((gone) => child.once('exit', gone));
  closers.push(async () => {
    child.kill('SIGTERM');
    await exited;
  });
  await until(
    () => log.includes('Started flows'),
    () => log,
    40_000,
  );
}, 120_000);

afterAll(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

const deploy = async (flow: readonly object[]): Promise<void> => {
  const response = await fetch(`${admin}/flows`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'node-red-deployment-type': 'full' },
    body: JSON.stringify(flow),
  });
  expect(response.status).toBe(204);
};

/** A flow whose nodes send all they give to this test. */
const flowOf = (key: string, nodes: readonly (Record<string, unknown> & { id: string })[]): object[] => [
  { id: 'tab', type: 'tab', label: 'test' },
  {
    id: 'host',
    type: 'smart-zone-host',
    broker: world.broker.url,
    devices: PREFIX,
    owner: publicLine(publicOf(world.home.ownerKeys)),
    credentials: { key },
  },
  ...nodes.flatMap((node) => {
    const { port } = receiver.address() as AddressInfo;
    const whole = { func: 'msg.payload = { ...msg }; delete msg.payload._msgid; return msg;' };
    return [
      { z: 'tab', host: 'host', wires: [[`${node.id}-all`]], ...node },
      {
        z: 'tab',
        id: `${node.id}-all`,
        type: 'function',
        outputs: 1,
        ...whole,
        wires: [[`${node.id}-post`]],
      },
      {
        z: 'tab',
        id: `${node.id}-post`,
        type: 'http request',
        method: 'POST',
        ret: 'txt',
        paytoqs: 'ignore',
        url: `http://127.0.0.1:${port}/${node.id}`,
        wires: [[]],
      },
    ];
  }),
];

const from = (id: string): Message['msg'][] =>
  received.filter((each) => each.from === id).map(({ msg }) => msg);
const waitFor = (id: string, count: number): Promise<void> =>
  until(
    () => from(id).length >= count,
    () => `${count} from ${id}: ${JSON.stringify(received)}\n${log.slice(-2000)}`,
    20_000,
  );

test(`Node-RED ${RELEASE} loads the nodes, and shows their help`, async () => {
  const response = await fetch(`${admin}/nodes`, { headers: { accept: 'application/json' } });
  const sets = (await response.json()) as {
    module: string;
    types: string[];
    enabled: boolean;
    err?: string;
  }[];
  const ours = sets.find(({ module }) => module === 'node-red-contrib-smart-zone');
  expect(ours).toMatchObject({
    types: ['smart-zone-host', 'smart-zone-label', 'smart-zone-device'],
    enabled: true,
  });
  expect(ours?.err).toBeUndefined();
  const html = await (await fetch(`${admin}/nodes`, { headers: { accept: 'text/html' } })).text();
  for (const type of ours?.types ?? []) {
    expect(html).toContain(`data-template-name="${type}"`);
    expect(html).toContain(`data-help-name="${type}"`);
  }
});

test('labels, events of one class, and the device; keys stay in the credentials', async () => {
  const key = readFileSync(join(world.folder, 'keys', 'rules.key.json'), 'utf8');
  await deploy(
    flowOf(key, [
      { id: 'labels', type: 'smart-zone-label', of: 'label' },
      { id: 'events', type: 'smart-zone-label', of: 'event', class: FACE },
      { id: 'other', type: 'smart-zone-label', of: 'label', sensor: 'another camera' },
      { id: 'device', type: 'smart-zone-device' },
    ]),
  );
  await until(
    () => from('device').some(({ payload }) => payload.state === 'online' && payload.model === 1),
    () => JSON.stringify(received) + log.slice(-2000),
  );
  expect(from('device').at(-1)).toMatchObject({
    topic: 'porch',
    payload: { securityLevel: 0, prefix: PREFIX },
  });
  const scenes = await theScenes();
  const [somebody, nobody] = [true, false].map((people) => scenes.find((scene) => scene.people === people));
  if (somebody === undefined || nobody === undefined) throw new Error('no scenes');
  // The device takes a moment to know a new rules host.
  for (let i = 0; i < 40 && from('labels').length === 0; i++) {
    world.sensor.sendFrame(world.frameOf(nobody));
    await new Promise((wait) => setTimeout(wait, 250));
  }
  expect(from('labels')[0]).toMatchObject({
    topic: 'porch camera',
    payload: { kind: 'detections', detections: [] },
    sensor: { name: 'porch camera', kid: kidToHex(world.home.sensorKeys.signing.kid) },
  });
  expect(from('events')).toEqual([]);
  world.sensor.sendFrame(world.frameOf(somebody));
  await waitFor('events', 1);
  expect(from('events')[0]).toMatchObject({ topic: 'porch camera', payload: { phase: 'new', class: FACE } });
  expect(from('labels').at(-1)?.payload).toMatchObject({
    detections: expect.arrayContaining([expect.objectContaining({ name: FACE })]) as unknown,
  });
  expect(from('other')).toEqual([]);

  // On the disk: the flow without the key, the credentials encrypted, what was seen beside them.
  const user = join(world.folder, 'node-red');
  const secret = String((JSON.parse(key) as { secret: string }).secret);
  for (const name of ['flows.json', 'flows_cred.json'])
    expect(readFileSync(join(user, name), 'utf8')).not.toContain(secret);
  // What was seen of the one device, and the labels that were acted on.
  const seen = readdirSync(join(user, 'smart-zone')).sort();
  expect(seen).toEqual([expect.stringMatching(/\.seen\.json$/), `${seen[0]}`.replace(/json$/, 'labels')]);
  // And not in what the editor gets.
  expect(await (await fetch(`${admin}/credentials/smart-zone-host/host`)).text()).not.toContain(secret);
});

test('a key that is none, or of another role, is said and stops nothing', async () => {
  const sensor = readFileSync(join(world.folder, 'keys', 'sensor.key.json'), 'utf8');
  for (const [key, said] of [
    ['{}', 'not a key file of this release'],
    [sensor, 'a key for sensor, not for rules'],
  ] as const) {
    log = '';
    await deploy(flowOf(key, [{ id: 'labels', type: 'smart-zone-label', of: 'label' }]));
    await until(
      () => log.includes(said),
      () => log,
    );
    expect((await fetch(`${admin}/flows`)).status).toBe(200);
  }
});

test('Node-RED that starts before its broker connects when that is there', async () => {
  const port = await freePort();
  const key = readFileSync(join(world.folder, 'keys', 'rules.key.json'), 'utf8');
  const flow = flowOf(key, [{ id: 'late', type: 'smart-zone-device' }]).map((node) =>
    'broker' in node ? { ...node, broker: `mqtt://127.0.0.1:${port}` } : node,
  );
  log = '';
  await deploy(flow);
  await until(
    () => log.includes('cannot be reached'),
    () => log,
    30_000,
  );
  // What would be the broker: the one that is there, on that port too.
  const { hostname, port: real } = new URL(world.broker.url);
  const relay = createTcpServer((socket) => {
    const onward = connect(Number(real), hostname);
    socket.pipe(onward).pipe(socket);
    for (const each of [socket, onward]) each.on('error', () => undefined);
  });
  await new Promise<void>((listening) => relay.listen(port, '127.0.0.1', listening));
  closers.push(() => relay.close());
  await waitFor('late', 1);
  // Ends the connection through the relay.
  await deploy([{ id: 'tab', type: 'tab', label: 'empty' }]);
}, 90_000);
