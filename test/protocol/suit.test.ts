/**
 * Our SUIT manifests to other people's CBOR and COSE, and manifests as the draft's appendix B has them to ours. Those are built here, with the
 * draft's elements in their order; contents that do not matter are of our own.
 */
import { createHash, createPublicKey, webcrypto } from 'node:crypto';
import { Sign1 } from '@auth0/cose';
import { cdeEncodeOptions, decode, encode, Tag } from 'cbor2';
import { sealModelEnvelope, readModelEnvelope } from '../../protocol/messages/model-manifest.js';
import { SigningKey } from '../../protocol/keys.js';

type Elements = Map<number | string, unknown>;

const bytes = (value: unknown): Uint8Array => encode(value, cdeEncodeOptions);
const digest = (content: Uint8Array): Uint8Array =>
  bytes([-16, new Uint8Array(createHash('sha256').update(content).digest())]);

const common = new Map<number, unknown>([
  [2, [[Uint8Array.of(0)]]],
  [
    4,
    bytes([
      20,
      new Map<number, unknown>([
        [1, new Uint8Array(16).fill(0xfa)],
        [2, new Uint8Array(16).fill(0x14)],
        [3, digest(new Uint8Array(1))],
        [14, 34768],
      ]),
      1,
      15,
      2,
      15,
    ]),
  ],
]);

/** @param elements of the manifest, beside version, sequence number and common */
const example = (elements: Elements, severed: Elements = new Map()): Uint8Array => {
  const body = bytes(new Map<unknown, unknown>([[1, 1], [2, 0], [3, bytes(common)], ...elements]));
  const es256 = new Tag(18, [bytes(new Map([[1, -7]])), new Map(), null, new Uint8Array(64)]);
  const authentication = bytes([digest(bytes(body)), bytes(es256)]);
  return bytes(new Tag(107, new Map<unknown, unknown>([[2, authentication], [3, body], ...severed])));
};

const validate = bytes([3, 15]);
const fetch = bytes([20, new Map([[21, 'http://example.com/file.bin']]), 21, 15]);

test.each([
  [
    '0, secure boot',
    new Map([
      [7, validate],
      [9, bytes([23, 2])],
    ]),
    undefined,
    'suit-invoke',
  ],
  [
    '1, download and install',
    new Map([
      [7, validate],
      [20, fetch],
    ]),
    undefined,
    'suit-install',
  ],
  [
    '2, download, install, invoke',
    new Map([
      [7, validate],
      [9, bytes([23, 2])],
      [20, fetch],
    ]),
    undefined,
    'suit-invoke',
  ],
  [
    '3, A/B images',
    new Map([
      [7, validate],
      [20, bytes([15, [fetch, fetch], 21, 2, 3, 15])],
    ]),
    undefined,
    'suit-install',
  ],
  [
    '4, load from external storage',
    new Map([
      [7, validate],
      [8, bytes([12, 2, 20, new Map([[22, 0]]), 22, 2, 3, 15])],
      [9, bytes([12, 2, 23, 2])],
      [16, fetch],
      [20, bytes([20, new Map([[22, 1]]), 22, 2, 3, 15])],
    ]),
    undefined,
    'suit-load',
  ],
  [
    '5, two images',
    new Map([
      [7, bytes([12, 0, 3, 15, 12, 1, 3, 15])],
      [9, bytes([12, 0, 23, 2])],
      [20, bytes([12, 0, 20, new Map([[21, 'http://example.com/file1.bin']]), 21, 2, 3, 15])],
    ]),
    undefined,
    'suit-invoke',
  ],
  [
    'payload fetch apart from installing',
    new Map([
      [7, validate],
      [16, fetch],
      [20, fetch],
    ]),
    undefined,
    'suit-payload-fetch',
  ],
  ['severed text', new Map([[7, validate]]), new Map([[23, bytes(new Map())]]), 'suit-text'],
  [
    'an integrated payload',
    new Map([[7, validate]]),
    new Map([['#kernel', new Uint8Array(9)]]),
    'envelope element #kernel',
  ],
] as [string, Elements, Elements | undefined, string][])(
  'example %s is refused by name',
  (_name, elements, severed, name) => {
    let refusal: unknown;
    try {
      readModelEnvelope(example(elements, severed));
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toMatchObject({ code: 'MODEL_PROFILE' });
    expect(String(refusal)).toContain(`${name} is not in the profile`);
  },
);

test('cbor2 reads our manifest, and @auth0/cose verifies its signature', async () => {
  const key = SigningKey.fromSeed(new Uint8Array(32).fill(3));
  const content = {
    sequence: 7,
    headerDigest: new Uint8Array(32).fill(5),
    headerSize: 1000,
    leastTaVersion: 256,
    memory: 4096,
    target: 'neon' as const,
  };
  const { envelope, digest: named } = sealModelEnvelope(content, key);
  const tagged = decode<Tag>(envelope, { preferMap: true });
  expect(Number(tagged.tag)).toBe(107);
  const members = tagged.contents as Map<number, Uint8Array>;
  const manifest = members.get(3) ?? new Uint8Array(0);
  const read = decode<Map<number, unknown>>(manifest, { preferMap: true });
  expect([...read.keys()]).toEqual([1, 2, 3, 7]);
  expect(read.get(2)).toBe(7);
  const [signed = new Uint8Array(0), block = new Uint8Array(0)] = decode<Uint8Array[]>(
    members.get(2) ?? new Uint8Array(0),
  );
  expect(decode(signed)).toEqual([-16, named]);
  expect(new Uint8Array(createHash('sha256').update(bytes(manifest)).digest())).toEqual(named);
  const x = Buffer.from(key.publicKey).toString('base64url');
  const jwk = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' }).export({
    format: 'jwk',
  });
  const imported = await webcrypto.subtle.importKey('jwk', jwk, { name: 'Ed25519' }, true, ['verify']);
  const verify = async (payload: Uint8Array): Promise<void> => {
    await Sign1.decode(block).verify(imported, { detachedPayload: payload });
  };
  await verify(signed);
  await expect(verify(Uint8Array.from(signed).fill(0, 10, 11))).rejects.toThrow();
});
