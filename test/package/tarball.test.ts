/**
 * The published package as its users get it: packed, installed without development dependencies and without scripts. It must
 * compile nothing, and its client libraries must work without the native parts.
 */
import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const run = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sz-package-'));
const source = join(folder, 'source');
const installed = join(folder, 'node_modules', 'smart-zone');

/** A device that seals a label, and a rules host that opens it: the exports and nothing else. */
const OPENS_A_LABEL = `
import { AgreementKey, asChannelId, openRecord, parseRecord, recordKey, RecordWriter, signLabel, SigningKey, verifyLabel }
  from 'smart-zone/protocol';
import { RulesClient } from 'smart-zone/rules';
import { SensorClient } from 'smart-zone/sensor';
import { Owner } from 'smart-zone/owner';
import { importTflite } from 'smart-zone/publisher';

const device = SigningKey.generate();
const sensor = SigningKey.generate();
const secret = new Uint8Array(32).fill(5);
const channel = asChannelId(new Uint8Array(8).fill(1));
const context = { purpose: 'label', device: device.kid, sender: sensor.kid };
const label = {
  frameChannel: channel, frameNumber: 1, frameTag: new Uint8Array(16), frameId: new Uint8Array(8), sensorTime: 1,
  sensor: sensor.kid, device: device.kid, bootNonce: new Uint8Array(16), model: new Uint8Array(32),
  results: { kind: 'classes', classes: [{ index: 3, name: 'cat', score: 0.5 }] },
};
const record = new RecordWriter(secret, context, channel, 1).seal(signLabel(label, device, 512));
const opened = verifyLabel(openRecord(parseRecord(record), recordKey(secret, context, 1), context), device.publicKey);
const addons = process.report.getReport().sharedObjects.filter((file) => /smart_zone|teec/.test(file));
console.log(JSON.stringify({
  name: opened.results.classes[0].name,
  exports: [RulesClient, SensorClient, Owner, importTflite, AgreementKey].map((each) => typeof each),
  addons,
}));
`;

beforeAll(async () => {
  const env = {
    ...process.env,
    npm_config_cache: process.env['npm_config_cache'] ?? join(tmpdir(), 'sz-npm-cache'),
  };
  // A copy: packing builds dist/ from scratch, and other tests run from the repository's.
  const { stdout: files } = await run('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root });
  for (const file of files.trim().split('\n')) cpSync(join(root, file), join(source, file));
  symlinkSync(join(root, 'node_modules'), join(source, 'node_modules'));
  const { stdout } = await run('npm', ['pack', '--json', '--pack-destination', folder], { cwd: source, env });
  // What the build says comes before npm's JSON.
  const listed = JSON.parse(stdout.slice(stdout.indexOf('\n[') + 1)) as
    { filename: string }[] | Record<string, { filename: string }>;
  const [packed] = Array.isArray(listed) ? listed : Object.values(listed);
  writeFileSync(join(folder, 'package.json'), '{"private": true, "type": "module"}\n');
  const tarball = join(folder, packed?.filename ?? '');
  await run('npm', ['install', '--omit=dev', '--ignore-scripts', '--no-audit', '--no-fund', tarball], {
    cwd: folder,
    env,
  });
}, 240_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('it opens a label without the native parts and without a compiler', async () => {
  writeFileSync(join(folder, 'label.mjs'), OPENS_A_LABEL);
  const { stdout } = await run(process.execPath, ['label.mjs'], {
    cwd: folder,
    env: { PATH: '/nonexistent' },
  });
  expect(JSON.parse(stdout)).toEqual({
    name: 'cat',
    exports: ['function', 'function', 'function', 'function', 'function'],
    addons: [],
  });
});

test('nothing in it compiles when it is installed, and no source, test or native part is shipped', async () => {
  const description = JSON.parse(await readFile(join(installed, 'package.json'), 'utf8')) as {
    scripts: Record<string, string>;
  };
  for (const script of ['install', 'preinstall', 'postinstall', 'prepare'])
    expect(description.scripts[script]).toBeUndefined();
  const files = await readdir(installed, { recursive: true });
  expect(
    files.filter((file) => /binding\.gyp$|\.test\.js$|\.node$|\.so$|\.c$|tsbuildinfo$/.test(file)),
  ).toEqual([]);
  expect(files.filter((file) => /(^|\/)(test|demo|bench)\//.test(file))).toEqual([]);
  for (const needed of [
    'dist/protocol/index.d.ts',
    'dist/clients/rules/index.d.ts',
    'protocol/smart-zone.cddl',
    'LICENSE',
    'README.md',
  ])
    expect(files).toContain(needed);
});

test('both commands answer', async () => {
  for (const command of ['smart-zone', 'smart-zone-agent']) {
    const { stdout } = await run(join(folder, 'node_modules', '.bin', command), ['--version']);
    expect(stdout.trim()).toMatch(/^\d+\.\d+\.\d+$/);
  }
});
