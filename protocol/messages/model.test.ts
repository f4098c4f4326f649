import { decodeStrict, encodeDeterministic, Tag } from '../cbor.js';
import { AgreementKey, SigningKey } from '../keys.js';
import {
  checkSegment,
  decodeContainerHeader,
  decodeModelPackage,
  encodeContainerHeader,
  encodeModelPackage,
  openModelOffer,
  openSegment,
  readModelEnvelope,
  sealModelEnvelope,
  sealModelOffer,
  sealSegment,
  segmentEntry,
  verifyModelEnvelope,
  verifyModelOffer,
  type ContainerHeader,
  type ModelManifest,
} from './model.js';

const key = SigningKey.fromSeed(new Uint8Array(32).fill(7));
const other = SigningKey.fromSeed(new Uint8Array(32).fill(8));
const contentKey = new Uint8Array(16).fill(3);

const header: ContainerHeader = {
  graph: Uint8Array.of(1, 2, 3),
  weights: [segmentEntry(sealSegment(contentKey, 1, new Uint8Array(100)))],
  golden: segmentEntry(sealSegment(contentKey, 2, new Uint8Array(10))),
  input: { format: 'u8', dims: [96, 96, 3] },
  results: { kind: 1, most: 5 },
  labels: ['no person', 'person'],
  tolerance: 0,
  name: 'person detection',
};
const sealedHeader = sealSegment(contentKey, 0, encodeContainerHeader(header));
const manifest: ModelManifest = {
  sequence: 4,
  headerDigest: segmentEntry(sealedHeader).digest,
  headerSize: sealedHeader.length,
  leastTaVersion: 256,
  memory: 1_000_000,
  target: 'ref',
};

const codeOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    return (error as { code: string }).code;
  }
  return 'none';
};

describe('manifest', () => {
  const { envelope, digest } = sealModelEnvelope(manifest, key);

  test('reads back what was sealed', () => {
    const opened = verifyModelEnvelope(envelope, key.publicKey);
    expect(opened.manifest).toMatchObject(manifest);
    expect(opened.digest).toEqual(digest);
    expect(opened.signer).toEqual(key.kid);
  });

  test('is signed by one key', () => {
    expect(codeOf(() => verifyModelEnvelope(envelope, other.publicKey))).toBe('BAD_SIGNATURE');
  });

  test('every flipped bit is refused', () => {
    for (let i = 0; i < envelope.length; i++) {
      const damaged = Uint8Array.from(envelope);
      damaged[i] = (damaged[i] ?? 0) ^ 0x10;
      expect(codeOf(() => verifyModelEnvelope(damaged, key.publicKey))).not.toBe('none');
    }
  });

  test('a member outside the profile is refused although the signature is good', () => {
    const tagged = decodeStrict(envelope);
    if (!(tagged instanceof Tag) || !(tagged.value instanceof Map)) throw new Error('no envelope');
    const extended = new Map(tagged.value).set(4, new Uint8Array(1));
    const bytes = encodeDeterministic(new Tag(107, extended));
    expect(codeOf(() => readModelEnvelope(bytes))).toBe('MODEL_PROFILE');
  });
});

describe('container', () => {
  test('header reads back', () => {
    expect(decodeContainerHeader(encodeContainerHeader(header))).toEqual(header);
  });

  test('a segment opens with its key at its index only', () => {
    const sealed = sealSegment(contentKey, 1, Uint8Array.of(9));
    expect(openSegment(contentKey, 1, sealed)).toEqual(Uint8Array.of(9));
    expect(codeOf(() => openSegment(contentKey, 2, sealed))).toBe('MODEL_DIGEST');
    expect(codeOf(() => openSegment(new Uint8Array(16), 1, sealed))).toBe('MODEL_DIGEST');
  });

  test('a segment forged with the right key does not have the listed digest', () => {
    const [entry] = header.weights;
    if (entry === undefined) throw new Error('no entry');
    checkSegment(entry, sealSegment(contentKey, 1, new Uint8Array(100)), 1);
    const forged = sealSegment(contentKey, 1, new Uint8Array(100).fill(1));
    expect(codeOf(() => checkSegment(entry, forged, 1))).toBe('MODEL_DIGEST');
  });
});

describe('offer', () => {
  const device = SigningKey.fromSeed(new Uint8Array(32).fill(9)).kid;
  const deviceKey = AgreementKey.fromScalar(new Uint8Array(32).fill(10));
  const content = {
    manifestDigest: new Uint8Array(32).fill(1),
    contentKey,
    device,
    deviceAgreementKey: deviceKey.publicKey,
    rosterVersion: 2,
    modelSequence: 3,
  };
  const offer = sealModelOffer(content, key);

  test('gives the device the content key', () => {
    const verified = verifyModelOffer(offer, key.publicKey);
    expect(verified).toMatchObject({ rosterVersion: 2, modelSequence: 3, publisher: key.kid });
    expect(openModelOffer(verified, device, deviceKey)).toEqual(contentKey);
  });

  test('is for one device, one model, from one publisher', () => {
    const verified = verifyModelOffer(offer, key.publicKey);
    const elsewhere = { ...verified, manifestDigest: new Uint8Array(32) };
    expect(codeOf(() => openModelOffer(elsewhere, device, deviceKey))).toBe('DECRYPT_FAILED');
    expect(codeOf(() => openModelOffer(verified, other.kid, deviceKey))).toBe('DECRYPT_FAILED');
    expect(codeOf(() => verifyModelOffer(offer, other.publicKey))).toBe('BAD_SIGNATURE');
  });
});

test('a package reads back, and not with another header', () => {
  const { envelope, digest } = sealModelEnvelope(manifest, key);
  const bytes = encodeModelPackage({ envelope, segments: [sealedHeader, Uint8Array.of(1)] });
  expect(decodeModelPackage(bytes)).toMatchObject({ digest, segments: [sealedHeader, Uint8Array.of(1)] });
  const swapped = encodeModelPackage({ envelope, segments: [Uint8Array.of(1), sealedHeader] });
  expect(codeOf(() => decodeModelPackage(swapped))).toBe('MODEL_DIGEST');
});
