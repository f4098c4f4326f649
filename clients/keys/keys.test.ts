import {
  chmodSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { pathToFileURL } from 'node:url';
import { join } from 'node:path';
import { packageRoot } from '../../agent/package-root.js';
import { kidToHex } from '../../protocol/kid.js';
import {
  fingerprint,
  generateKeys,
  needsPassphrase,
  parsePublicLine,
  publicLine,
  publicOf,
  readKeyFile,
  ROLES,
  Witness,
  writeFileAtomic,
  writeKeyFile,
} from './index.js';

function codeOf(action: () => unknown): string | undefined {
  try {
    action();
  } catch (error) {
    return (error as { code?: string }).code;
  }
  return undefined;
}

const posix = process.platform !== 'win32';
const scrypt = { N: 1024, r: 8, p: 1 };
let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'smart-zone-keys-'));
  path = join(folder, 'porch.key.json');
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

describe('key files', () => {
  test.each(ROLES)('a %s key comes back as it was written', (role) => {
    const keys = generateKeys(role, 'Porch camera');
    writeKeyFile(path, keys);
    const back = readKeyFile(path);
    expect(publicOf(back)).toEqual(publicOf(keys));
    expect(back.signing.exportSeed()).toEqual(keys.signing.exportSeed());
    expect(back.agreement?.exportScalar()).toEqual(keys.agreement?.exportScalar());
    if (posix) expect(statSync(path).mode & 0o777).toBe(0o600);
  });

  test('a passphrase seals the private keys and nothing opens them without it', () => {
    const keys = generateKeys('sensor', 'porch');
    writeKeyFile(path, keys, { passphrase: 'naïve café', scrypt });
    const text = readFileSync(path, 'utf8');
    expect(text).not.toContain(Buffer.from(keys.signing.exportSeed()).toString('base64url'));
    expect(needsPassphrase(path)).toBe(true);
    // The same passphrase, composed differently by another keyboard.
    expect(publicOf(readKeyFile(path, { passphrase: 'nai\u0308ve cafe\u0301' }))).toEqual(publicOf(keys));
    expect(() => readKeyFile(path)).toThrow('sealed with a passphrase');
    expect(() => readKeyFile(path, { passphrase: 'wrong' })).toThrow('wrong passphrase');
  });

  test('the passphrase also vouches for the public line', () => {
    writeKeyFile(path, generateKeys('sensor', 'porch'), { passphrase: 'x', scrypt });
    writeFileSync(path, readFileSync(path, 'utf8').replace(/\.porch"/, '.attic"'));
    expect(() => readKeyFile(path, { passphrase: 'x' })).toThrow('wrong passphrase, or damaged');
  });

  test('a public line that belongs to other keys is noticed', () => {
    writeKeyFile(path, generateKeys('sensor', 'porch'));
    const other = publicLine(publicOf(generateKeys('sensor', 'porch')));
    writeFileSync(path, readFileSync(path, 'utf8').replace(/sz1[^"]*/, other));
    expect(() => readKeyFile(path)).toThrow('does not belong');
  });

  test('keys are not overwritten', () => {
    writeKeyFile(path, generateKeys('sensor', 'porch'));
    const before = readFileSync(path);
    expect(() => writeKeyFile(path, generateKeys('sensor', 'porch'))).toThrow('never overwritten');
    expect(readFileSync(path)).toEqual(before);
  });

  test.each(['644', '640', '604'])('a file that others can read (0%s) is refused', (octal) => {
    writeKeyFile(path, generateKeys('sensor', 'porch'));
    chmodSync(path, parseInt(octal, 8));
    if (posix) expect(() => readKeyFile(path)).toThrow('chmod 600');
    else expect(readKeyFile(path).name).toBe('porch');
  });

  test.each([
    ['missing', undefined],
    ['not JSON', 'x'],
    ['null', 'null'],
    ['another format', '{"smart-zone-key":2}'],
    [
      'a greedy key derivation',
      '{"smart-zone-key":1,"role":"sensor","name":"x","public":"y","secret":{"kdf":"scrypt","N":1e12,"r":8,"p":1,"salt":"","iv":"","data":""}}',
    ],
    ['a short secret', '{"smart-zone-key":1,"role":"sensor","name":"x","public":"y","secret":"AAAA"}'],
  ])('%s: KEY_FILE', (_what, content) => {
    if (content !== undefined) writeFileSync(path, content, { mode: 0o600 });
    expect(codeOf(() => readKeyFile(path))).toBe('KEY_FILE');
  });
});

describe('public lines', () => {
  test.each(['porch', 'Küche / oben', 'a.b.c', '☃'])('carry the name %s', (name) => {
    const party = publicOf(generateKeys('rules', name));
    const line = publicLine(party);
    expect(line).toMatch(/^[!-~]+$/);
    expect(line.split('.')).toHaveLength(4);
    expect(parsePublicLine(`${line}\n`)).toEqual(party);
  });

  test('an owner has no agreement key', () => {
    const party = publicOf(generateKeys('owner', 'me'));
    expect(parsePublicLine(publicLine(party))).toEqual(party);
    expect(party.agreement).toBeUndefined();
  });

  test.each([
    '',
    'sz2.rules.AAAA.x',
    'sz1.king.AAAA.x',
    'sz1.rules.AAAA.x',
    `sz1.owner.${'A'.repeat(42)}B.x`,
    `sz1.owner.${'A'.repeat(43)}.`,
    `sz1.owner.${'A'.repeat(43)}.%`,
    `sz1.owner.${'A'.repeat(43)}.x.y`,
    `sz1.owner.${'A'.repeat(43)}.x%1b[2J`,
  ])('refuses %j', (line) => {
    expect(codeOf(() => parsePublicLine(line))).toBe('KEY_FILE');
  });

  test('fingerprints come in groups', () => {
    expect(fingerprint(generateKeys('owner', 'x').signing.kid)).toMatch(/^[0-9a-f]{4}( [0-9a-f]{4}){3}$/);
  });
});

describe('Witness', () => {
  const owner = generateKeys('owner', 'me').signing.kid;
  const device = generateKeys('sensor', 'x').signing.kid;

  test('remembers over a restart, and never goes back', () => {
    const file = join(folder, 'seen.json');
    const first = Witness.open(file, owner);
    first.sawRoster(3, Uint8Array.of(1, 2, 3));
    first.sawRoster(2, Uint8Array.of(9));
    first.sawDevice(device, { generation: 0, roster: 3, model: 5 });
    first.sawDevice(device, { generation: 0, roster: 2, model: 6 });
    first.sawLabel('e/s', 17, 'frame', 1234);
    const counter = first.nextCounter(1000);
    const second = Witness.open(file, owner);
    expect(second.roster).toEqual({ version: 3, message: Uint8Array.of(1, 2, 3) });
    expect(second.device(device)).toEqual({ generation: 0, roster: 3, model: 6 });
    expect(second.labelNumber('e/s')).toBe(17);
    expect(second.frames).toEqual([['frame', 1234]]);
    for (let i = 0; i < 100; i++) second.sawLabel('e/t', i, String(i), i);
    expect(Witness.open(file, owner).frames).toHaveLength(64);
    // The clock went back.
    expect(second.nextCounter(10)).toBeGreaterThan(counter);
    second.keepLabelStreams((stream) => stream !== 'e/s');
    expect(Witness.open(file, owner).labelNumber('e/s')).toBe(0);
    if (posix) expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  test('of two rosters, and of what a device had, the later owners count first, the version second', () => {
    const file = join(folder, 'seen.json');
    const key = generateKeys('owner', 'me again').signing.publicKey;
    const highest = Number.MAX_SAFE_INTEGER;
    const first = Witness.open(file, owner);
    first.sawRoster(highest, Uint8Array.of(1));
    first.sawRoster(7, Uint8Array.of(2), { generation: 1, keys: [key] });
    expect(first.roster?.version).toBe(highest);
    first.sawRoster(7, Uint8Array.of(3), { generation: 2, keys: [key] });
    first.sawRoster(highest, Uint8Array.of(4), { generation: 1, keys: [key] });
    first.sawRoster(6, Uint8Array.of(5), { generation: 2, keys: [key] });
    first.sawDevice(device, { generation: 1, roster: highest, model: 5 });
    first.sawDevice(device, { generation: 2, roster: 7, model: 4 });
    first.sawDevice(device, { generation: 1, roster: highest, model: 5 });
    const second = Witness.open(file, owner);
    expect(second.roster).toEqual({ version: 7, message: Uint8Array.of(3) });
    expect(second.owners).toEqual({ generation: 2, keys: [key] });
    expect(second.device(device)).toEqual({ generation: 2, roster: 7, model: 5 });
  });

  test("another owner's knowledge does not count, but counters do", () => {
    const file = join(folder, 'seen.json');
    const first = Witness.open(file, owner);
    first.sawRoster(3, Uint8Array.of(1));
    const counter = first.nextCounter(5000);
    const second = Witness.open(file, device);
    expect(second.roster).toBeUndefined();
    expect(second.nextCounter(0)).toBeGreaterThan(counter);
  });

  test.each([
    '',
    '{}',
    '{"smart-zone-seen":1,"owner":"x","counter":-1,"roster":null,"devices":{},"labels":{}}',
  ])('a damaged file is an error, not a fresh start: %j', (content) => {
    const file = join(folder, 'seen.json');
    writeFileSync(file, content);
    expect(codeOf(() => Witness.open(file, owner))).toBe('KEY_FILE');
  });

  test('without a path it lives in memory', () => {
    const witness = Witness.open(undefined, owner);
    witness.sawDevice(device, { generation: 0, roster: 1, model: 1 });
    expect(witness.device(device)).toEqual({ generation: 0, roster: 1, model: 1 });
    expect(readdirSync(folder)).toEqual([]);
  });
});

test('an atomic write leaves no temporary file, also when it fails', () => {
  const file = join(folder, 'sub', 'x');
  writeFileAtomic(file, 'one');
  writeFileAtomic(file, 'two', false);
  expect(readFileSync(file, 'utf8')).toBe('two');
  expect(readdirSync(join(folder, 'sub'))).toEqual(['x']);
  expect(() => writeFileAtomic(join(folder, 'sub'), 'a folder is in the way')).toThrow();
  expect(readdirSync(folder)).toEqual(['sub']);
  expect(existsSync(file)).toBe(true);
});

describe('the labels that were acted on', () => {
  const owner = generateKeys('owner', 'me').signing.kid;
  const file = (): string => join(folder, 'seen.json');
  const journal = (): string => join(folder, 'seen.labels');

  test('are known after any end of the process, also between two lines of a group', () => {
    // Nothing is closed, and no timer ran: what a process leaves that is killed.
    const first = Witness.open(file(), owner);
    for (let i = 1; i <= 5000; i++) {
      first.sawLabel(`e/${i % 50}`, i, `f${i}`, i);
      if (i % 499 !== 0 && i !== 4096 && i !== 4097) continue;
      const after = Witness.open(file(), owner);
      // The file belongs to the first: reading must not change it.
      expect(after.labelNumber(`e/${i % 50}`)).toBe(i);
      expect(after.frames.at(-1)).toEqual([`f${i}`, i]);
      expect(after.frames).toHaveLength(Math.min(i, 64));
    }
    first.close();
    if (posix) expect(statSync(journal()).mode & 0o777).toBe(0o600);
  });

  test('are known after a process was killed that went on with each of them at once', async () => {
    const script = join(folder, 'host.mjs');
    const library = pathToFileURL(join(packageRoot(), 'dist', 'clients', 'keys', 'index.js')).href;
    writeFileSync(
      script,
      `import { writeSync } from 'node:fs';
       import { Witness } from ${JSON.stringify(library)};
       const witness = Witness.open(process.argv[2], Buffer.from(process.argv[3], 'hex'));
       for (let i = witness.labelNumber('e/s') + 1; ; i++) {
         witness.sawLabel('e/s', i, 'f' + i, i);
         writeSync(1, i + '\\n');
         if (i % 300 === 0) await new Promise((resolve) => setTimeout(resolve, 1));
       }`,
    );
    let last = 0;
    for (let round = 0; round < 6; round++) {
      const child = spawn(process.execPath, [script, file(), kidToHex(owner)], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      let printed = '';
      child.stdout.on('data', (text: Buffer) => (printed += text.toString()));
      while (printed === '') await new Promise((resolve) => setTimeout(resolve, 5));
      // In the middle of anything, a replacement of the file among it.
      await new Promise((resolve) => setTimeout(resolve, 20 + 45 * round));
      child.kill('SIGKILL');
      await once(child, 'close');
      const acted = printed.split('\n').slice(0, -1).map(Number);
      expect(acted[0]).toBe(last + 1);
      const after = Witness.open(file(), owner).labelNumber('e/s');
      // Written and not acted on is one at most.
      expect([acted.at(-1), (acted.at(-1) ?? 0) + 1]).toContain(after);
      last = after;
    }
    expect(last).toBeGreaterThan(4096);
  });

  test('take no more room than some thousand lines', async () => {
    const witness = Witness.open(file(), owner);
    let most = 0;
    for (let i = 1; i <= 20_000; i++) {
      witness.sawLabel(`e/${i % 50}`, i, `f${i}`, i);
      // The disk gets its turn.
      if (i % 500 === 0) await new Promise((resolve) => setTimeout(resolve, 20));
      most = Math.max(most, statSync(journal()).size);
    }
    witness.close();
    const line = readFileSync(journal(), 'utf8').trimEnd().split('\n').at(-1) ?? '';
    expect(most).toBeGreaterThan(4096 * (line.length - 4));
    expect(most).toBeLessThan(3 * 4096 * (line.length + 1));
    const after = Witness.open(file(), owner);
    for (let i = 19_951; i <= 20_000; i++) expect(after.labelNumber(`e/${i % 50}`)).toBe(i);
    expect(after.frames.map(([frame]) => frame)).toEqual(
      Array.from({ length: 64 }, (_, i) => `f${19_937 + i}`),
    );
    expect(readdirSync(folder)).toEqual(['seen.json', 'seen.labels']);
  });

  test('what a power cut left of the last line is passed over', () => {
    const first = Witness.open(file(), owner);
    first.sawLabel('e/s', 1, 'a', 10);
    first.sawLabel('e/s', 2, 'b', 20);
    first.close();
    const whole = readFileSync(journal());
    for (let cut = whole.length; cut > 0; cut--) {
      writeFileSync(journal(), whole.subarray(0, cut));
      if (cut < whole.indexOf('\n')) {
        expect(codeOf(() => Witness.open(file(), owner))).toBe('KEY_FILE');
        continue;
      }
      const number = Witness.open(file(), owner).labelNumber('e/s');
      expect(number).toBe(
        cut >= whole.length - 1 ? 2 : cut >= whole.lastIndexOf('\n', whole.length - 2) ? 1 : 0,
      );
    }
    writeFileSync(journal(), Buffer.alloc(100));
    expect(Witness.open(file(), owner).labelNumber('e/s')).toBe(0);
  });

  test('of another owner do not count', () => {
    const first = Witness.open(file(), owner);
    first.nextCounter(1);
    first.sawLabel('e/s', 7);
    first.close();
    const other = Witness.open(file(), generateKeys('owner', 'other').signing.kid);
    expect(other.labelNumber('e/s')).toBe(0);
  });

  test('are read from a file of an earlier release', () => {
    writeFileSync(
      file(),
      JSON.stringify({
        ...{ 'smart-zone-seen': 1, owner: kidToHex(owner), counter: 4, roster: null, devices: {} },
        labels: { 'e/s': 17 },
        frames: [['f', 1234]],
      }),
    );
    const witness = Witness.open(file(), owner);
    expect(witness.labelNumber('e/s')).toBe(17);
    expect(witness.frames).toEqual([['f', 1234]]);
    witness.sawLabel('e/t', 1, 'g', 1235);
    witness.nextCounter(1);
    const after = Witness.open(file(), owner);
    expect([after.labelNumber('e/s'), after.labelNumber('e/t')]).toEqual([17, 1]);
    expect(after.frames).toEqual([
      ['f', 1234],
      ['g', 1235],
    ]);
  });
});
