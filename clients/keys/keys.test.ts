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
import { tmpdir } from 'node:os';
import { join } from 'node:path';
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
    first.sawDevice(device, { roster: 3, model: 5 });
    first.sawDevice(device, { roster: 2, model: 6 });
    first.sawLabel('e/s', 17, 'frame', 1234);
    const counter = first.nextCounter(1000);
    const second = Witness.open(file, owner);
    expect(second.roster).toEqual({ version: 3, message: Uint8Array.of(1, 2, 3) });
    expect(second.device(device)).toEqual({ roster: 3, model: 6 });
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
    witness.sawDevice(device, { roster: 1, model: 1 });
    expect(witness.device(device)).toEqual({ roster: 1, model: 1 });
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
