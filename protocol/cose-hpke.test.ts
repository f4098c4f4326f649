import { utf8 } from './bytes.js';
import { cborMap, decodeStrict, encodeDeterministic, Tag, type CborValue } from './cbor.js';
import { openEncrypt, recipientKids, sealEncrypt } from './cose-hpke.js';
import { SmartZoneError } from './errors.js';
import { AgreementKey } from './keys.js';

const alice = AgreementKey.generate();
const bob = AgreementKey.generate();
const aad = utf8('aad');
const secret = utf8('sixteen byte key');
const sealed = sealEncrypt(
  secret,
  [
    { publicKey: alice.publicKey, extraInfo: utf8('for alice') },
    { publicKey: bob.publicKey, extraInfo: utf8('for bob') },
  ],
  aad,
);

function codeOf(open: () => unknown): string {
  try {
    open();
  } catch (error) {
    if (error instanceof SmartZoneError) return error.code;
    throw error;
  }
  return 'opened';
}

/** The parts of the message, to be put together again differently. */
type Parts = [CborValue, CborValue, Uint8Array, CborValue[][]];
function altered(change: (parts: Parts) => void): Uint8Array {
  const message = decodeStrict(sealed) as Tag;
  const parts = [...(message.value as Parts)] as Parts;
  parts[3] = parts[3].map((recipient) => [...recipient]);
  change(parts);
  return encodeDeterministic(new Tag(96, parts));
}

test('each recipient opens with its own extra info', () => {
  expect(openEncrypt(sealed, alice, utf8('for alice'), aad)).toEqual(secret);
  expect(openEncrypt(sealed, bob, utf8('for bob'), aad)).toEqual(secret);
  expect(recipientKids(sealed)).toEqual([alice.kid, bob.kid]);
});

test('has the shape of the draft', () => {
  const { tag, value } = decodeStrict(sealed) as Tag;
  const [protectedBytes, unprotected, , recipients] = value as Parts;
  expect(tag).toBe(96);
  expect(decodeStrict(protectedBytes as Uint8Array)).toEqual(new Map([[1, 1]]));
  expect([...(unprotected as Map<number, Uint8Array>)].map(([key, iv]) => [key, iv.length])).toEqual([
    [5, 12],
  ]);
  expect(decodeStrict(recipients[0]?.[0] as Uint8Array)).toEqual(
    new Map<number, CborValue>([
      [1, 49],
      [4, alice.kid],
    ]),
  );
});

test('another key, info or aad does not open it', () => {
  expect(codeOf(() => openEncrypt(sealed, AgreementKey.generate(), utf8('for alice'), aad))).toBe(
    'DECRYPT_FAILED',
  );
  expect(codeOf(() => openEncrypt(sealed, alice, utf8('for bob'), aad))).toBe('DECRYPT_FAILED');
  expect(codeOf(() => openEncrypt(sealed, alice, utf8('for alice'), utf8('other')))).toBe('DECRYPT_FAILED');
});

test.each<[string, string, (parts: Parts) => void]>([
  ['unchanged', 'opened', () => undefined],
  ['content algorithm', 'UNKNOWN_ALGORITHM', (p) => (p[0] = encodeDeterministic(cborMap([[1, 3]])))],
  ['no content algorithm', 'MALFORMED', (p) => (p[0] = encodeDeterministic(new Map()))],
  [
    'extra protected label',
    'MALFORMED',
    (p) =>
      (p[0] = encodeDeterministic(
        new Map([
          [1, 1],
          [3, 0],
        ]),
      )),
  ],
  ['short IV', 'MALFORMED', (p) => (p[1] = cborMap([[5, new Uint8Array(11)]]))],
  ['another IV', 'DECRYPT_FAILED', (p) => (p[1] = cborMap([[5, new Uint8Array(12)]]))],
  ['changed ciphertext', 'DECRYPT_FAILED', (p) => (p[2] = p[2].map((byte) => byte ^ 1))],
  ['no recipients', 'MALFORMED', (p) => (p[3] = [])],
  ['recipient order', 'opened', (p) => p[3].reverse()],
  [
    'algorithm of another recipient',
    'UNKNOWN_ALGORITHM',
    (p) =>
      ((p[3][1] ?? [])[0] = encodeDeterministic(
        new Map<number, CborValue>([
          [1, 35],
          [4, bob.kid],
        ]),
      )),
  ],
  ['low-order key', 'BAD_KEY', (p) => ((p[3][0] ?? [])[1] = cborMap([[-4, new Uint8Array(32)]]))],
  ['wrapped key', 'DECRYPT_FAILED', (p) => ((p[3][0] ?? [])[2] = new Uint8Array(32))],
  ['wrapped key length', 'MALFORMED', (p) => ((p[3][0] ?? [])[2] = new Uint8Array(33))],
  ['17 recipients', 'MALFORMED', (p) => (p[3] = Array.from({ length: 17 }, () => p[3][0] ?? []))],
])('altered: %s gives %s', (_what, expected, change) => {
  const bytes = altered(change);
  expect(codeOf(() => openEncrypt(bytes, alice, utf8('for alice'), aad))).toBe(expected);
});

test('needs 1 to 16 recipients', () => {
  expect(() => sealEncrypt(secret, [], aad)).toThrow(RangeError);
});
