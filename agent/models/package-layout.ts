import { createHash } from 'node:crypto';
import { encodeDeterministic } from '../../protocol/cbor.js';
import type { AnnouncedSegment } from '../../protocol/messages/model-announcement.js';
import { MAGIC } from '../../protocol/messages/model-package.js';
import type { SegmentPlace } from '../tee/messages.js';

/** Where everything is in a package file (CDDL `package`) whose segments come one by one, in any order. */
export interface PackageLayout {
  /** What is known before any segment: the file's head, and a head before each segment. */
  readonly framing: readonly { readonly at: number; readonly bytes: Uint8Array }[];
  readonly places: readonly SegmentPlace[];
  readonly size: number;
}

/** Head of a CBOR array or byte string of this length (RFC 8949, section 3), in its shortest form. */
const head = (major: 2 | 4, length: number): Uint8Array => {
  if (length < 24) return Uint8Array.of((major << 5) | length);
  if (length < 0x100) return Uint8Array.of((major << 5) | 24, length);
  const bytes = Buffer.alloc(length < 0x10000 ? 3 : 5);
  bytes[0] = (major << 5) | (bytes.length === 3 ? 25 : 26);
  if (bytes.length === 3) bytes.writeUInt16BE(length, 1);
  else bytes.writeUInt32BE(length, 1);
  return bytes;
};

export const layoutOf = (envelope: Uint8Array, segments: readonly AnnouncedSegment[]): PackageLayout => {
  const first = Buffer.concat([
    head(4, 3),
    encodeDeterministic(MAGIC),
    encodeDeterministic(envelope),
    head(4, segments.length),
  ]);
  const framing: { at: number; bytes: Uint8Array }[] = [{ at: 0, bytes: new Uint8Array(first) }];
  const places: SegmentPlace[] = [];
  let at = first.length;
  for (const [length] of segments) {
    const bytes = head(2, length);
    framing.push({ at, bytes });
    places.push({ at: at + bytes.length, length });
    at += bytes.length + length;
  }
  return { framing, places, size: at };
};

export const sha256 = (bytes: Uint8Array): Buffer => createHash('sha256').update(bytes).digest();
