import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCli } from '../../../test/support/cli.js';
import { MessageDevice } from '../../../test/support/message-device.js';
import { PartyFixture, PREFIX, topics } from '../../../test/support/party-fixture.js';
import { generateKeys, publicLine, publicOf, writeKeyFile } from '../../keys/index.js';
import type { Finding } from './finding.js';

/* The command itself: keys, configuration, broker, agent, device, level, owner and model, each as it should be and otherwise. */

let home: string;
let fixture: PartyFixture;
let device: MessageDevice;

beforeAll(async () => {
  fixture = await PartyFixture.create();
});
afterAll(() => fixture.close());
beforeEach(async () => {
  home = mkdtempSync(join(tmpdir(), 'smart-zone-doctor-'));
  device = new MessageDevice();
  device.rosterVersion = 1;
  // All is well, where a test does not say otherwise.
  await retainState('online');
  await fixture.retain(topics.hello, device.hello());
  await fixture.retain(topics.roster, fixture.roster(1, device));
  await retainModel('active');
});
afterEach(() => rmSync(home, { recursive: true }));

const retainState = (state: string): Promise<void> =>
  fixture.retain(topics.state, new TextEncoder().encode(`{"state":"${state}"}`));
const retainModel = (state: string): Promise<void> =>
  fixture.retain(topics.modelStatus, new TextEncoder().encode(`{"state":"${state}"}`));
const forget = (topic: string): Promise<void> => fixture.retain(topic, new Uint8Array(0));
const pinOwner = (keys = fixture.owner): void =>
  writeFileSync(join(home, 'owner.pub'), publicLine(publicOf(keys)));

/** @returns the status, and "verdict: detail - fix" of what was found under each name */
const doctor = async (argv: readonly string[]) => {
  const { status, out } = await runCli(home, ['--json', 'doctor', '--timeout', '1', ...argv]);
  const { findings } = JSON.parse(out) as { findings: Finding[] };
  for (const { verdict, fix } of findings) if (verdict !== 'ok') expect(fix).toMatch(/\w/);
  expect(status).toBe(findings.some(({ verdict }) => verdict === 'fail') ? 69 : 0);
  return (name: string): string[] =>
    findings
      .filter(({ check }) => check === name)
      .map(({ verdict, detail, fix = '' }) => `${verdict}: ${detail} - ${fix}`);
};
const withDevice = (...more: string[]) =>
  doctor(['--config', join(home, 'none.json'), '--broker', fixture.broker.url, '--prefix', PREFIX, ...more]);
/** Where nobody listens: for what is looked at before the broker. */
const NOWHERE = ['--broker', 'http://nowhere'];

test('keys: none, one, one under a passphrase, one that others can read', async () => {
  const keys = fixture.sensor;
  expect((await doctor(NOWHERE))('keys')).toEqual([
    expect.stringMatching(/^warn: none in .* - .*smart-zone key new/),
  ]);
  writeKeyFile(join(home, 'open.key.json'), keys);
  writeKeyFile(join(home, 'sealed.key.json'), keys, { passphrase: 'correct horse' });
  writeKeyFile(join(home, 'shared.key.json'), keys);
  chmodSync(join(home, 'shared.key.json'), 0o644);
  const found = await doctor(NOWHERE);
  expect(found('keys')).toEqual([]);
  expect(found('open.key.json')).toEqual(['ok: readable by you only - ']);
  expect(found('sealed.key.json')).toEqual(['ok: sealed with a passphrase - ']);
  expect(found('shared.key.json')).toEqual([expect.stringMatching(/^fail: .* - .*\w/)]);
});

test('the agent’s configuration: unreadable, no JSON, and its broker and topics where no option names others', async () => {
  const config = join(home, 'agent.json');
  mkdirSync(config);
  expect((await doctor(['--config', config, ...NOWHERE]))('configuration')).toEqual([
    expect.stringMatching(/^fail: .* - sudo smart-zone doctor$/),
  ]);
  rmSync(config, { recursive: true });
  writeFileSync(config, '{ "broker"');
  expect((await doctor(['--config', config, ...NOWHERE]))('configuration')).toEqual([
    expect.stringMatching(/^fail: .*agent\.json.* - .*--check$/),
  ]);
  writeFileSync(
    config,
    JSON.stringify({ broker: { url: fixture.broker.url }, topics: { prefix: PREFIX }, tee: {} }),
  );
  const found = await doctor(['--config', config]);
  expect(found('configuration')).toEqual([]);
  expect(found('broker')).toEqual([expect.stringMatching(/^ok: MQTT 3\.1\.1 at /)]);
  expect(found('agent')).toEqual([expect.stringMatching(/^ok: /)]);
  // Without a library in it, it is the software TEE.
  if (process.platform === 'linux') expect(found('TEE device')[0]).toMatch(/^warn: .*software TEE/);
});

test('a broker without TLS: a word where it is not this machine', async () => {
  expect((await withDevice())('TLS')).toEqual([]);
  const { port } = new URL(fixture.broker.url);
  const found = await withDevice('--broker', `mqtt://0.0.0.0:${port}`);
  expect(found('broker')).toEqual([expect.stringMatching(/^ok: /)]);
  expect(found('TLS')).toEqual([
    expect.stringMatching(/^warn: .*topics, sizes and times .* - .*mqtts:\/\/$/),
  ]);
});

test('something that is no broker', async () => {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    socket.once('data', () => socket.destroy());
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as { port: number };
  const found = await withDevice('--broker', `mqtt://127.0.0.1:${port}`);
  expect(found('broker')).toEqual([expect.stringMatching(/^fail: .* - .*\w/)]);
  expect(found('device')).toEqual([]);
  server.close();
});

test('no device is named', async () => {
  const found = await doctor(['--config', join(home, 'none.json'), '--broker', fixture.broker.url]);
  expect(found('device')).toEqual([
    expect.stringMatching(/^warn: none named, .* - give --device <name> or --prefix/),
  ]);
});

test('the agent: nowhere, offline, not ready, online', async () => {
  const seen: string[] = [];
  const look = async (): Promise<void> => void seen.push(...(await withDevice())('agent'));
  await forget(topics.state);
  await look();
  for (const state of ['offline', 'degraded', 'online']) {
    await retainState(state);
    await look();
  }
  expect(seen).toEqual([
    expect.stringMatching(/^fail: .*no agent has connected.* - .*systemctl status smart-zone-agent/),
    expect.stringMatching(/^fail: .*offline.* - .*journalctl/),
    expect.stringMatching(/^warn: .*degraded.* - .*journalctl/),
    expect.stringMatching(/^ok: .*online/),
  ]);
});

test('the device: no hello, none that it signed, unclaimed; each security level', async () => {
  await forget(topics.hello);
  expect((await withDevice())('device')).toEqual([
    expect.stringMatching(/^fail: no hello .*not reached its TEE - .*journalctl/),
  ]);
  const forged = device.hello();
  forged[forged.length - 1] = (forged.at(-1) ?? 0) ^ 1;
  await fixture.retain(topics.hello, forged);
  expect((await withDevice())('device')).toEqual([expect.stringMatching(/^fail: .* - .*\w/)]);
  const levels: string[] = [];
  for (const securityLevel of [0, 1, 2, 3] as const) {
    await fixture.retain(topics.hello, device.hello({ claimNonce: new Uint8Array(16), securityLevel }));
    const found = await withDevice();
    expect(found('device')).toEqual([expect.stringMatching(/^ok: .*, TA 0\.1\.0/)]);
    expect(found('owner')).toEqual(['warn: the device is unclaimed - smart-zone owner claim']);
    levels.push(...found('security level'));
  }
  expect(levels).toEqual([
    expect.stringMatching(/^warn: software: .* - docs\/op-tee\.md/),
    expect.stringMatching(/^warn: optee-replaceable: .* - docs\/op-tee\.md/),
    expect.stringMatching(/^ok: optee: /),
    expect.stringMatching(/^ok: optee-anti-rollback: /),
  ]);
});

test('the owner: not known here, no roster, a stranger’s, one that the device has not taken, the right one', async () => {
  const unknown = await withDevice();
  expect(unknown('owner')).toEqual([
    expect.stringMatching(/^warn: the device is claimed; .* - give --owner/),
  ]);
  expect(unknown('device')).toEqual([expect.stringMatching(/^ok: /)]);
  pinOwner();
  await forget(topics.roster);
  expect((await withDevice())('owner')).toEqual([
    expect.stringMatching(/^fail: no roster of your owner .* - smart-zone owner roster --publish/),
  ]);
  await fixture.retain(topics.roster, fixture.roster(1, device, {}, generateKeys('owner', 'other')));
  expect((await withDevice())('owner')).toEqual([expect.stringMatching(/^fail: .* - .*\w/)]);
  await fixture.retain(topics.roster, fixture.roster(2, device));
  expect((await withDevice())('owner')).toEqual([
    'fail: pi has not taken roster 2 - smart-zone owner roster --publish',
  ]);
  await fixture.retain(topics.roster, fixture.roster(1, device));
  expect((await withDevice())('owner')).toEqual(['ok: pi is vouched for by roster 1 - ']);
});

test('the model: in force, being loaded, none, refused', async () => {
  const seen: string[] = [];
  for (const state of ['active', 'loading', 'none', 'failed']) {
    await retainModel(state);
    seen.push(...(await withDevice())('model').map((line) => line.replace(/ - .*model pack.*/, ' - pack')));
  }
  expect(seen).toEqual(['ok: active - ', 'ok: loading - ', 'warn: none - pack', 'warn: failed - pack']);
});
