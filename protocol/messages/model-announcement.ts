/** What a publisher says of a package to all devices, and what an agent asks of it. */
import { bytes, digest, array, field, struct, tuple, uint } from '../schema.js';
import { decodeStrict, encodeDeterministic } from '../cbor.js';
import { SmartZoneError } from '../errors.js';
import type { SigningKey } from '../keys.js';
import type { Kid } from '../kid.js';
import { openSigned, sealSigned } from '../signed.js';

/** [bytes of ciphertext, their SHA-256] */
export type AnnouncedSegment = readonly [size: number, digest: Uint8Array];

export interface ModelAnnouncement {
  /** SUIT envelope (model-manifest.ts). */
  readonly envelope: Uint8Array;
  /** All segments, the container header first. */
  readonly segments: readonly AnnouncedSegment[];
}

const MOST_SEGMENTS = 1026;
const MOST_ENVELOPE = 4096;

const announcement = struct<ModelAnnouncement>({
  envelope: field(1, bytes(1, MOST_ENVELOPE)),
  segments: field(2, array(tuple<AnnouncedSegment>(uint, digest), 1, MOST_SEGMENTS)),
});

export const signModelAnnouncement = (content: ModelAnnouncement, publisher: SigningKey): Uint8Array =>
  sealSigned(announcement, 'model-package', content, publisher);

/** @param keyOf the Ed25519 key of a publisher of the roster by its kid; throws where it is none */
export const verifyModelAnnouncement = (
  message: Uint8Array,
  keyOf: (publisher: Kid) => Uint8Array,
): ModelAnnouncement => openSigned(announcement, 'model-package', message, keyOf).body;

export interface ModelWant {
  readonly manifestDigest: Uint8Array;
  /** Indices of the segments that are wanted. */
  readonly segments: readonly number[];
}

const want = struct<{ readonly manifest: Uint8Array; readonly bitmap: Uint8Array }>({
  manifest: field(1, digest),
  bitmap: field(2, bytes(0, Math.ceil(MOST_SEGMENTS / 8))),
});

export function encodeModelWant({ manifestDigest, segments }: ModelWant): Uint8Array {
  const bitmap = new Uint8Array(Math.ceil((Math.max(-1, ...segments) + 1) / 8));
  for (const index of segments) bitmap[index >> 3] = (bitmap[index >> 3] ?? 0) | (1 << (index & 7));
  return encodeDeterministic(want.encode({ manifest: manifestDigest, bitmap }));
}

/** Throws MALFORMED. Nobody signs it: at worst a publisher sends what nobody needs, at its own pace. */
export function decodeModelWant(message: Uint8Array): ModelWant {
  if (message.length > 1024) throw new SmartZoneError('MALFORMED', 'model-want');
  const { manifest, bitmap } = want.decode(decodeStrict(message), 'model-want');
  const segments = [...bitmap].flatMap((byte, i) =>
    [0, 1, 2, 3, 4, 5, 6, 7].filter((bit) => (byte >> bit) & 1).map((bit) => 8 * i + bit),
  );
  return { manifestDigest: manifest, segments };
}
