/** The owner's commands as a person types them, with a real agent: from init to the recovery of a lost key. */
import { spawn } from 'node:child_process';
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Agent } from '../../agent/agent.js';
import { Topics } from '../../protocol/topics.js';
import { runCli, type CliResult } from '../support/cli.js';
import { until } from '../support/party-fixture.js';
import { taSourcesDigest } from '../support/ta-sources.js';
import { brokers } from './brokers.js';
import { DeviceFixture, PREFIX } from './device-fixture.js';

const [broker] = brokers;
if (broker === undefined) throw new Error('no broker');
const NAME = PREFIX.split('/')[1] ?? '';

let device: DeviceFixture;
let agent: Agent;
let home: string;
let guest: string;
let recovery: string;

const at = (): readonly string[] => ['--broker', device.broker.url];
const owner = (...argv: string[]): Promise<CliResult> => runCli(home, ['owner', ...argv, ...at()]);
const json = async (...argv: string[]): Promise<Record<string, unknown>> => {
  const { status, out, err } = await runCli(home, ['--json', 'owner', ...argv, ...at()]);
  expect({ status, err }).toEqual({ status: 0, err: '' });
  return JSON.parse(out) as Record<string, unknown>;
};
const secret = (name: string, text: string): string => {
  const file = join(device.folder, name);
  writeFileSync(file, `${text}\n`);
  return file;
};

beforeAll(async () => {
  device = DeviceFixture.create(await broker.start());
  home = join(device.folder, 'home');
  guest = join(device.folder, 'guest');
  recovery = join(device.folder, 'stick', 'recovery.key.json');
  agent = await device.agent();
  await agent.start();
});
afterAll(() => device.close());

test('init: a key, a recovery key with a passphrase of its own, the line to pin, and what to do with them', async () => {
  const argv = ['--passphrase-file', secret('pass', 'correct horse'), '--recovery', recovery];
  const made = await runCli(home, [
    'owner',
    'init',
    ...argv,
    '--recovery-passphrase-file',
    secret('pass-2', 'battery staple'),
  ]);
  expect(made.status).toBe(0);
  expect(made.err).toContain(`Move ${recovery} away from this machine now`);
  expect(readFileSync(join(home, 'owner.pub'), 'utf8')).toBe(made.out);
  for (const file of [join(home, 'owner.key.json'), recovery])
    expect(JSON.parse(readFileSync(file, 'utf8'))).toMatchObject({ secret: { kdf: 'scrypt' } });
  expect(await runCli(home, ['owner', 'init', ...argv])).toMatchObject({ status: 78 });
  process.env['SMART_ZONE_PASSPHRASE'] = 'correct horse';
});
afterAll(() => delete process.env['SMART_ZONE_PASSPHRASE']);

test('claim shows evidence and the fingerprint that the agent logs; the level must be named', async () => {
  expect(await owner('claim', '--device', NAME, '--yes')).toMatchObject({ status: 64 });
  const refused = await owner('claim', '--device', NAME, '--accept', 'optee', '--yes');
  expect(refused).toMatchObject({ status: 77 });
  expect(refused.err).toContain('it is software');
  const claim = await owner('claim', '--device', NAME, '--accept', 'software', '--yes');
  expect(claim.status).toBe(0);
  const shown = /device (([0-9a-f]{4} ){3}[0-9a-f]{4}), TA/.exec(claim.err)?.[1];
  const logged = device.logLines
    .map((line) => JSON.parse(line) as { message: string })
    .filter(({ message }) => message === 'this device');
  expect(shown).toBeDefined();
  expect(logged).toMatchObject([{ fingerprint: shown, claimed: false }, { claimed: true }]);
  expect(claim.err).toContain('tee: software (measured)');
});

test('the evidence names the sources; verify appraises it and says what failed', async () => {
  const { items } = (await json('evidence', NAME)) as { items: { name: string; value: unknown }[] };
  expect(items.find(({ name }) => name === 'sources-sha256')).toEqual({
    name: 'sources-sha256',
    value: taSourcesDigest(),
    measured: false,
  });
  const policy = secret('policy.yaml', `level: software\nitems: { sources-sha256: ${taSourcesDigest()} }`);
  expect(await owner('verify', NAME, '--policy', policy)).toMatchObject({ status: 0 });
  writeFileSync(policy, 'level: optee\nroster: newest\n');
  const failed = await owner('verify', NAME, '--policy', policy);
  expect(failed.status).toBe(77);
  expect(failed.out.split('\n')[0]).toBe('FAIL  level: software (self-asserted), expected optee or more');
  expect(failed.out).toContain('ok    roster');
  writeFileSync(policy, 'level: none\n');
  const mistaken = await owner('verify', NAME, '--policy', policy);
  expect(mistaken.status).toBe(78);
  expect(mistaken.err).toContain(`${policy}:1:8`);
});

test('invite prints one line; another machine pastes it and needs nothing else', async () => {
  let line = '';
  const inviting = runCli(
    home,
    ['owner', 'invite', '--role', 'sensor', '--name', 'porch', '--expires', '60s', ...at()],
    (out) => (line = /'(szi1\.[\w-]+)'/.exec(out)?.[1] ?? line),
  );
  await until(() => line !== '', 'the line');
  // Another machine, in a process of its own: here the two must not write at the same time.
  const accepted = await acceptElsewhere(line);
  expect(accepted).toMatchObject({ name: 'porch', role: 'sensor', prefix: PREFIX });
  expect((await inviting).out).toContain('sensor porch takes part');
  expect(JSON.parse(readFileSync(join(guest, 'connection.json'), 'utf8'))).toEqual({
    broker: device.broker.url,
    prefix: PREFIX,
  });
  expect(existsSync(join(guest, 'sensor.key.json'))).toBe(true);
  // It knows device, broker and owner now.
  const status = await runCli(guest, ['--json', 'status']);
  expect(JSON.parse(status.out)).toMatchObject({ prefix: PREFIX });
}, 30_000);

/** `key accept` in a process of its own. */
async function acceptElsewhere(line: string): Promise<unknown> {
  const child = spawn(process.execPath, [
    'dist/clients/cli/main.js',
    '--home',
    guest,
    '--json',
    'key',
    'accept',
    line,
  ]);
  let out = '';
  child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()));
  let err = '';
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const code = await new Promise((resolve) => child.once('close', resolve));
  expect({ code, err }).toEqual({ code: 0, err: '' });
  return JSON.parse(out);
}

test('status names what is not as it should be', async () => {
  const fine = await json('status');
  expect(fine).toMatchObject({
    generation: 1,
    ownerKeys: 2,
    devices: [{ name: NAME, agent: 'online', level: 'software', rosterBehind: 0, trouble: [] }],
    members: [{ name: 'porch', trouble: null }],
  });
  await agent.stop();
  const away = await owner('status');
  expect(away.out).toContain('the agent is offline');
  agent = await device.agent();
  await agent.start();
  await until(() => agent.isReady, 'the agent');
});

test('a broker that lost the roster: model status says so, and what mends it', async () => {
  const models = (): Promise<CliResult> =>
    runCli(home, ['model', 'status', '--to', NAME, '--timeout', '0.5', ...at()]);
  expect(await models()).toMatchObject({ status: 0, out: expect.stringContaining('no model') as string });
  const other = await device.link('a broker that forgets');
  await other.publish(new Topics(PREFIX).roster, '', { retain: true });
  expect(await models()).toMatchObject({
    status: 1,
    out: expect.stringContaining('smart-zone owner roster --publish') as string,
  });
  expect(await owner('roster', '--publish')).toMatchObject({ status: 0 });
  expect(await models()).toMatchObject({ status: 0 });
});

test('rotate gives the device new keys', async () => {
  const [before] = (await json('roster'))['devices'] as { kid: string }[];
  const rotated = await json('rotate', NAME);
  expect(rotated['kid']).not.toBe(before?.kid);
  const [after] = (await json('roster'))['devices'] as { kid: string }[];
  expect(after?.kid).toBe(rotated['kid']);
});

test('rotate-key puts another key in place; interrupted between book and file, the next command finishes it', async () => {
  const line = readFileSync(join(home, 'owner.pub'), 'utf8');
  const file = join(home, 'owner.key.json');
  const before = readFileSync(file, 'utf8');
  const pass = ['--passphrase-file', join(device.folder, 'pass')];
  expect(await json('rotate-key', ...pass)).toMatchObject({ generation: 2, owners: 2 });
  expect(readFileSync(join(home, 'owner.pub'), 'utf8')).not.toBe(line);
  // As if it had died before the files were renamed.
  renameSync(file, join(home, 'owner.next.key.json'));
  writeFileSync(file, before, { mode: 0o600 });
  expect(await json('roster')).toMatchObject({ generation: 2 });
  expect(existsSync(join(home, 'owner.next.key.json'))).toBe(false);
  await json('revoke', 'porch');
});

test('recover, from the recovery key alone', async () => {
  const lost = join(device.folder, 'lost');
  renameSync(home, lost);
  process.env['SMART_ZONE_PASSPHRASE'] = 'a new one';
  const recovered = await json(
    'recover',
    '--recovery-key',
    recovery,
    '--recovery-passphrase-file',
    join(device.folder, 'pass-2'),
    '--passphrase-file',
    secret('pass-3', 'a new one'),
  );
  expect(recovered).toMatchObject({
    generation: 3,
    owners: 2,
    devices: [{ name: NAME, prefix: PREFIX }],
    members: [],
  });
  const roster = recovered['roster'] as number;
  await until(
    () => device.logLines.some((each) => each.includes('a roster is in force')) && agent.isReady,
    'the roster',
  );
  expect(await json('reset', NAME)).toEqual({ reset: NAME, roster: roster + 1 });
  // Whoever has the lost folder can say nothing any more.
  process.env['SMART_ZONE_PASSPHRASE'] = 'correct horse';
  const thief = await runCli(lost, ['owner', 'reset', NAME, ...at()]);
  expect(thief).toMatchObject({ status: 77 });
  expect(thief.err).toContain('owner');
  rmSync(lost, { recursive: true });
});
