/** The package as npm ships it: no compiler, no development dependencies, no addon; a label is opened with what is in it. */
import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../agent/package-root.js';
import { deadLinks } from '../../packaging/links.mjs';

const root = packageRoot();
let folder: string;
let files: string[];
const installed = (...path: string[]): string => join(folder, 'home', 'node_modules', 'smart-zone', ...path);

const npm = (cwd: string, ...args: string[]): string =>
  execFileSync('npm', args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
const node = (...args: string[]): string =>
  execFileSync(process.execPath, args, { cwd: join(folder, 'home'), encoding: 'utf8' });

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'sz-package-'));
  const start = Date.now();
  // In a copy: `prepack` builds dist/ from scratch, and other tests run what is in it.
  const copy = join(folder, 'copy');
  const leftOut = new Set(['node_modules', 'dist', 'build', '.git'].map((name) => join(root, name)));
  cpSync(root, copy, { recursive: true, filter: (path) => !leftOut.has(path) });
  symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  const home = join(folder, 'home');
  mkdirSync(home);
  const output = npm(copy, 'pack', '--json', '--pack-destination', folder);
  const [packed] = JSON.parse(output.slice(output.indexOf('['))) as [
    { filename: string; files: { path: string }[]; size: number; unpackedSize: number },
  ];
  files = packed.files.map(({ path }) => path);
  writeFileSync(join(home, 'package.json'), JSON.stringify({ name: 'home', private: true, type: 'module' }));
  npm(
    home,
    'install',
    '--omit=dev',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    join(folder, packed.filename),
  );
  console.log(
    `${files.length} files, ${(packed.size / 1024).toFixed(0)} KiB packed, ` +
      `${(packed.unpackedSize / 1024).toFixed(0)} KiB unpacked; packed and installed in ${Date.now() - start} ms`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test('nothing is compiled when it is installed', () => {
  expect(existsSync(installed('binding.gyp'))).toBe(false);
  const { scripts = {} } = JSON.parse(readFileSync(installed('package.json'), 'utf8')) as {
    scripts?: Record<string, string>;
  };
  for (const name of ['preinstall', 'install', 'postinstall', 'prepare'])
    expect(scripts).not.toHaveProperty(name);
});

test('it has what is documented, with types, and neither tests nor native products', () => {
  const { exports, bin } = JSON.parse(readFileSync(installed('package.json'), 'utf8')) as {
    exports: Record<string, string | Record<string, string>>;
    bin: Record<string, string>;
  };
  for (const entry of Object.values(exports))
    for (const path of typeof entry === 'string' ? [entry] : Object.values(entry))
      expect([path, existsSync(installed(path))]).toEqual([path, true]);
  for (const path of Object.values(bin)) expect([path, existsSync(installed(path))]).toEqual([path, true]);
  expect(files).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'protocol/smart-zone.cddl']));
  expect(
    files.filter((path) => /\.test\.|^test\/|^dist\/(test|demo|bench)\/|\.(node|so|gyp|c|h|cc)$/.test(path)),
  ).toEqual([]);
});

test('links in its documents lead to what is in it', () => {
  expect(files.filter((path) => path.endsWith('.md')).length).toBeGreaterThan(10);
  expect(
    deadLinks(
      installed(),
      files.map((path) => installed(path)),
    ),
  ).toEqual([]);
});

test('every client loads, and none of them the addon or anything native of ours', () => {
  const program = `
    for (const name of ['protocol', 'owner', 'publisher', 'rules', 'sensor'])
      console.log(name, Object.keys(await import('smart-zone/' + name)).length);
    const report = process.report.getReport();
    console.log('native:', report.sharedObjects.filter((path) => /smart.zone|teec/i.test(path)).join());
  `;
  const lines = node('--input-type=module', '--eval', program).trim().split('\n');
  expect(lines.slice(0, 5).map((line) => line.split(' ')[0])).toEqual([
    'protocol',
    'owner',
    'publisher',
    'rules',
    'sensor',
  ]);
  for (const line of lines.slice(0, 5)) expect(Number(line.split(' ')[1])).toBeGreaterThan(3);
  expect(lines[5]).toBe('native:');
  expect(readdirSync(join(folder, 'home', 'node_modules'))).not.toContain('typescript');
});

test('a label is sealed and opened with it', () => {
  const program = `
    import { asChannelId, openRecord, parseRecord, recordKey, RecordWriter, signLabel, SigningKey, verifyLabel } from 'smart-zone/protocol';
    import { randomBytes } from 'node:crypto';
    const [device, sensor] = [SigningKey.generate(), SigningKey.generate()];
    const secret = randomBytes(32);
    const context = { purpose: 'label', device: device.kid, sender: sensor.kid };
    const label = {
      frameChannel: asChannelId(randomBytes(8)), frameNumber: 1, frameTag: randomBytes(16), frameId: randomBytes(8),
      sensorTime: 1, sensor: sensor.kid, device: device.kid, bootNonce: randomBytes(16), model: randomBytes(32),
      results: { kind: 'classes', classes: [{ index: 0, name: 'person at the door', score: 0.5 }] },
    };
    const record = new RecordWriter(secret, context, asChannelId(randomBytes(8)), 3).seal(signLabel(label, device, 512));
    const opened = verifyLabel(openRecord(parseRecord(record), recordKey(secret, context, 3), context), device.publicKey);
    console.log(opened.results.classes[0].name);
  `;
  expect(node('--input-type=module', '--eval', program).trim()).toBe('person at the door');
});

test('its commands start', () => {
  expect(node(installed('dist', 'clients', 'cli', 'main.js'), '--version').trim()).toMatch(/^\d+\.\d+\.\d+$/);
  expect(node(installed('dist', 'agent', 'main.js'), '--version').trim()).toMatch(/^\d+\.\d+\.\d+$/);
});
