import { createHmac } from 'node:crypto';

const HASH_LENGTH = 32;

export function hmacSha256(key: Uint8Array, ...message: readonly Uint8Array[]): Uint8Array {
  const mac = createHmac('sha256', key);
  for (const part of message) mac.update(part);
  return new Uint8Array(mac.digest());
}

/** HKDF-Extract with SHA-256 (RFC 5869 section 2.2). No salt is the empty byte string. */
export function hkdfExtract(salt: Uint8Array, ikm: Uint8Array): Uint8Array {
  return hmacSha256(salt, ikm);
}

/** HKDF-Expand with SHA-256 (RFC 5869 section 2.3): `length` bytes, at most 8160. */
export function hkdfExpand(prk: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  if (!Number.isInteger(length) || length < 0 || length > 255 * HASH_LENGTH)
    throw new RangeError(`HKDF cannot give ${length} bytes`);
  const out = new Uint8Array(length);
  let block: Uint8Array = new Uint8Array(0);
  for (let at = 0, i = 1; at < length; at += HASH_LENGTH, i++) {
    block = hmacSha256(prk, block, info, Uint8Array.of(i));
    out.set(block.subarray(0, Math.min(HASH_LENGTH, length - at)), at);
  }
  return out;
}

/** HKDF-SHA256: extract, then expand (RFC 5869). */
export function hkdf(salt: Uint8Array, ikm: Uint8Array, info: Uint8Array, length: number): Uint8Array {
  return hkdfExpand(hkdfExtract(salt, ikm), info, length);
}
