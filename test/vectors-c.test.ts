/**
 * The TA's C code under sanitizers: its own tests and the published vectors (ta/test), and then against this side's TypeScript,
 * message by message: what one seals the other opens, and what one refuses the other refuses.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { fromHex, toHex, utf8 } from '../protocol/bytes.js';
import { cborMap, decodeStrict, encodeDeterministic, Float, Tag } from '../protocol/cbor.js';
import { Code } from '../protocol/codes.js';
import { openEncrypt, sealEncrypt } from '../protocol/cose-hpke.js';
import {
  openContent,
  parseEncrypt0,
  partialIvOf,
  sealContent,
  nonceFromPartialIv,
} from '../protocol/cose/content.js';
import { parseProfiledSign1, sealSign1, verifySign1 } from '../protocol/cose/sign1.js';
import { SmartZoneError } from '../protocol/errors.js';
import { AgreementKey, SigningKey } from '../protocol/keys.js';
import { agreementKid, signingKid } from '../protocol/kid.js';
import { make } from './support/make.js';

const root = fileURLToPath(new URL('..', import.meta.url));
const vectors = path.resolve(root, process.env['SMART_ZONE_SHARED'] ?? '../shared', 'vectors');
const onLinux = process.platform === 'linux';
if (!onLinux) console.warn('skipped: the C code needs Linux');

type Answer = { readonly ok: readonly Uint8Array[] } | { readonly error: number };

const word = (value: string | Uint8Array) => (typeof value === 'string' ? value : toHex(value) || '-');

/** Asks the C code: one line of words each. */
function ask(requests: readonly (readonly (string | Uint8Array)[])[]): Answer[] {
  const { status, stdout, stderr } = spawnSync(path.join(root, 'build/ctest/trust_peer'), {
    input: requests.map((request) => `${request.map(word).join(' ')}\n`).join(''),
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (status !== 0) throw new Error(`trust_peer: ${status}\n${stderr}`);
  const answers = stdout
    .trimEnd()
    .split('\n')
    .map((line): Answer => {
      const [kind, ...rest] = line.split(' ');
      if (kind === 'error') return { error: Number(rest[0]) };
      return { ok: rest.map((each) => fromHex(each === '-' ? '' : each)) };
    });
  expect(answers).toHaveLength(requests.length);
  return answers;
}

function askOne(...request: readonly (string | Uint8Array)[]): readonly Uint8Array[] {
  const [answer] = ask([request]);
  if (answer === undefined || 'error' in answer) throw new Error(`refused: ${JSON.stringify(answer)}`);
  return answer.ok;
}

/** The code with which this side answers: 0, or that of the error it throws. */
function codeOf(action: () => unknown): number {
  try {
    action();
    return Code.OK;
  } catch (error) {
    if (error instanceof SmartZoneError) return error.number;
    throw error;
  }
}

const errorOf = (answer: Answer) => ('error' in answer ? answer.error : Code.OK);

/** Every bit flipped and every byte cut. */
function alterations(message: Uint8Array): Uint8Array[] {
  const flipped = Array.from({ length: message.length * 8 }, (_, bit) => {
    const copy = Uint8Array.from(message);
    copy[bit >> 3] = (copy[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    return copy;
  });
  const cut = Array.from({ length: message.length }, (_, length) => message.slice(0, length));
  return [...flipped, ...cut, Uint8Array.from([...message, 0])];
}

const aad = utf8('smart-zone/1/offer');
const extraInfo = utf8('who talks to whom');
const payload = utf8('what nobody but the receiver should know');

(onLinux ? describe : describe.skip)('the TA in C', () => {
  let printed = '';
  beforeAll(() => {
    printed = make(['-C', 'ta/test', 'check-trust'], { MAKEFLAGS: '' });
  }, 300_000);

  const count = (line: RegExp) => Number(line.exec(printed)?.[1] ?? 0);

  test('refuses malformed, altered and foreign messages', () => {
    expect(count(/CBOR: (\d+) listed items/)).toBeGreaterThan(80);
    for (const form of ['Sign1', 'record', 'Encrypt'])
      expect(count(new RegExp(`COSE: ${form}: (\\d+) altered`))).toBeGreaterThan(500);
    expect(count(/COSE: (\d+) forms of Sign1/)).toBeGreaterThan(20);
    expect(count(/(\d+) refused points/)).toBe(14);
  });

  test('agrees with the published vectors', () => {
    if (!existsSync(vectors)) {
      expect(printed).toContain('skipped: published vectors in C');
      console.warn(`skipped: published vectors in C: no ${vectors} (set SMART_ZONE_SHARED)`);
      return;
    }
    const run: Record<string, number> = {};
    for (const [, kind, number] of printed.matchAll(/vectors in C: (\S+): (\d+) run/g))
      if (kind !== undefined) run[kind] = Number(number);
    expect(run).toEqual({
      gcm: 67,
      x25519: 518,
      ed25519: 151,
      hmac: 174,
      hkdf: 86,
      hpke: 1,
      'hpke-schedule': 1,
      cbor: 82,
      cose: 26,
    });
  });

  test('names keys alike', () => {
    for (let i = 0; i < 20; i++) {
      const signing = SigningKey.generate().publicKey;
      const agreement = AgreementKey.generate().publicKey;
      expect(askOne('kid', 'Ed25519', signing)).toEqual([signingKid(signing)]);
      expect(askOne('kid', 'X25519', agreement)).toEqual([agreementKid(agreement)]);
    }
  });

  test('takes and refuses the same CBOR', () => {
    const sample = encodeDeterministic(
      new Tag(
        18,
        cborMap([
          [1, [0, 23, 24, 2 ** 32, -1, -500, new Float(1.5), new Float(1.1), new Float(100000), true, null]],
          [-1, new Map()],
          ['a', Uint8Array.from({ length: 30 }, (_, i) => i)],
          ['ä', 'Frühstück'],
        ]),
      ),
    );
    const inputs = alterations(sample);
    let seed = 1;
    const random = () => {
      seed ^= seed << 13;
      seed ^= seed >>> 17;
      seed ^= seed << 5;
      return seed >>> 0;
    };
    for (let i = 0; i < 20_000; i++) {
      if (i % 2 === 0) {
        inputs.push(Uint8Array.from({ length: random() % 16 }, () => random() & 0xff));
      } else {
        const copy = Uint8Array.from(sample);
        for (let k = random() % 3; k >= 0; k--) copy[random() % copy.length] = random() & 0xff;
        inputs.push(copy);
      }
    }
    const answers = ask(inputs.map((input) => ['check', input]));
    const counts = { accepted: 0, refused: 0 };
    inputs.forEach((input, i) => {
      const ours = codeOf(() => decodeStrict(input));
      const theirs = errorOf(answers[i] ?? { error: -1 });
      if (ours === Code.OK) counts.accepted++;
      else counts.refused++;
      expect({ input: toHex(input), accepted: theirs === Code.OK }).toEqual({
        input: toHex(input),
        accepted: ours === Code.OK,
      });
    });
    expect(counts.accepted).toBeGreaterThan(500);
    expect(counts.refused).toBeGreaterThan(5000);
  });

  test('Sign1: each verifies what the other signed, and both refuse every alteration', () => {
    const key = SigningKey.generate();
    const message = sealSign1(payload, key, aad);
    expect(askOne('sign1-sign', key.exportSeed(), key.publicKey, key.kid, aad, payload)).toEqual([message]);
    const open = (each: Uint8Array) => ['sign1-open', key.publicKey, aad, each];
    expect(askOne(...open(message))).toEqual([key.kid, payload]);
    const inputs = alterations(message);
    const answers = ask(inputs.map(open));
    inputs.forEach((input, i) => {
      const ours = codeOf(() => verifySign1(parseProfiledSign1(input), key.publicKey, aad));
      const theirs = errorOf(answers[i] ?? { error: Code.OK });
      expect(ours).not.toBe(Code.OK);
      expect({ input: toHex(input), refused: theirs !== Code.OK }).toEqual({
        input: toHex(input),
        refused: true,
      });
      // Two defects at once may be met in another order; one that is only cut or extended has one reason.
      if (input.length !== message.length) expect(theirs).toBe(ours);
    });
  });

  test('records: each opens what the other sealed, and the TA refuses every alteration', () => {
    const key = Uint8Array.from({ length: 16 }, (_, i) => i);
    const channel = Uint8Array.from({ length: 8 }, (_, i) => 0xf0 + i);
    for (const number of [1, 255, 256, 2 ** 32, 2 ** 40 - 1]) {
      const partialIv = partialIvOf(number);
      const protectedBytes = encodeDeterministic(
        cborMap([
          [1, 1],
          [4, channel],
          [6, partialIv],
        ]),
      );
      const nonce = nonceFromPartialIv(partialIv);
      const ciphertext = sealContent('Encrypt0', protectedBytes, key, nonce, aad, payload);
      const message = encodeDeterministic(new Tag(16, [protectedBytes, new Map(), ciphertext]));
      expect(askOne('record-seal', channel, String(number), key, aad, payload)).toEqual([message]);
      expect(openContent(parseEncrypt0(message), key, aad)).toEqual(payload);
      const fiveBytes = new Uint8Array(5);
      fiveBytes.set(partialIv, 5 - partialIv.length);
      expect(askOne('record-open', key, aad, message)).toEqual([channel, fiveBytes, payload]);
      const answers = ask(alterations(message).map((each) => ['record-open', key, aad, each]));
      expect(answers.filter((answer) => errorOf(answer) === Code.OK)).toEqual([]);
    }
  });

  test('Encrypt: each opens what the other sealed, and both refuse every alteration', () => {
    const key = AgreementKey.generate();
    const others = [AgreementKey.generate(), AgreementKey.generate()];
    const recipients = [...others, key].map(({ publicKey }) => ({ publicKey, extraInfo }));
    const open = (each: Uint8Array) => [
      'encrypt-open',
      key.exportScalar(),
      key.publicKey,
      extraInfo,
      aad,
      each,
    ];
    const message = sealEncrypt(payload, recipients, aad);
    expect(askOne(...open(message))).toEqual([payload]);
    const [theirs] = askOne('encrypt-seal', key.publicKey, extraInfo, aad, payload);
    if (theirs === undefined) throw new Error('no message');
    expect(openEncrypt(theirs, key, extraInfo, aad)).toEqual(payload);
    const inputs = alterations(theirs);
    const answers = ask(inputs.map(open));
    inputs.forEach((input, i) => {
      expect(codeOf(() => openEncrypt(input, key, extraInfo, aad))).not.toBe(Code.OK);
      expect({ input: toHex(input), refused: errorOf(answers[i] ?? { error: 0 }) !== Code.OK }).toEqual({
        input: toHex(input),
        refused: true,
      });
    });
  });
});
