import { numberToHalf, shortestFloat } from './float.js';
import { Float, Tag, type CborKey, type CborMap, type CborValue } from './value.js';

const UINT64_MAX = 0xffff_ffff_ffff_ffffn;

/**
 * Core deterministic encoding (RFC 8949 section 4.2.1). A number that is not an integer is written as a float;
 * wrap a float that may be integral in `Float`. Throws a RangeError or TypeError on what CBOR cannot hold: that
 * is a mistake of the caller, not of a sender.
 */
export function encodeDeterministic(value: CborValue): Uint8Array {
  return joined(deterministicChunks(value));
}

/** The same in pieces, for who would only copy them again; byte strings of `value` are among them, not copied. */
export function deterministicChunks(value: CborValue): Uint8Array[] {
  const chunks: Uint8Array[] = [];
  write(value, chunks);
  return chunks;
}

/** What stands before a byte string of this many bytes. */
export const byteStringHead = (length: number): Uint8Array => head(2, length);

function write(value: CborValue, out: Uint8Array[]): void {
  if (typeof value === 'number') {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) writeInteger(value, out);
    else if (Number.isInteger(value) && !Object.is(value, -0))
      throw new RangeError(`integer ${value} is not exact: use bigint`);
    else writeFloat(value, out);
  } else if (typeof value === 'bigint') writeBigint(value, out);
  else if (typeof value === 'string') {
    if (/\p{Surrogate}/u.test(value)) throw new RangeError('text with a lone surrogate');
    const text = new TextEncoder().encode(value);
    out.push(head(3, text.length), text);
  } else if (typeof value === 'boolean') out.push(Uint8Array.of(value ? 0xf5 : 0xf4));
  else if (value === null) out.push(Uint8Array.of(0xf6));
  else if (value instanceof Uint8Array) out.push(head(2, value.length), value);
  else if (value instanceof Float) writeFloat(value.value, out);
  else if (value instanceof Tag) {
    out.push(head(6, value.tag));
    write(value.value, out);
  } else if (value instanceof Map) writeMap(value as CborMap, out);
  else if (Array.isArray(value)) {
    out.push(head(4, value.length));
    for (const item of value as readonly CborValue[]) write(item, out);
  } else throw new TypeError('not a CBOR value');
}

function writeInteger(value: number, out: Uint8Array[]): void {
  out.push(value >= 0 ? head(0, value) : head(1, -1 - value));
}

function writeBigint(value: bigint, out: Uint8Array[]): void {
  const argument = value >= 0n ? value : -1n - value;
  if (argument > UINT64_MAX) throw new RangeError('integer beyond 64 bits');
  out.push(head(value >= 0n ? 0 : 1, argument));
}

function writeFloat(value: number, out: Uint8Array[]): void {
  const size = shortestFloat(value);
  const bytes = new Uint8Array(1 + size);
  const view = new DataView(bytes.buffer);
  if (size === 2) {
    bytes[0] = 0xf9;
    view.setUint16(1, numberToHalf(value) ?? 0);
  } else if (size === 4) {
    bytes[0] = 0xfa;
    view.setFloat32(1, value);
  } else {
    bytes[0] = 0xfb;
    view.setFloat64(1, value);
  }
  out.push(bytes);
}

function writeMap(map: CborMap, out: Uint8Array[]): void {
  const entries = [...map].map(([key, value]) => ({ key: encodeKey(key), value }));
  entries.sort((a, b) => Buffer.compare(a.key, b.key));
  out.push(head(5, entries.length));
  let previous: Uint8Array | undefined;
  for (const { key, value } of entries) {
    // A Map can hold 1 and 1n side by side: the same key once encoded.
    if (previous !== undefined && Buffer.compare(previous, key) === 0)
      throw new RangeError('duplicate map key');
    previous = key;
    out.push(key);
    write(value, out);
  }
}

function encodeKey(key: CborKey): Uint8Array {
  if (typeof key === 'number' && !Number.isSafeInteger(key))
    throw new RangeError('map key is not an integer');
  return encodeDeterministic(key);
}

/** Initial byte and argument in the shortest form (RFC 8949 section 3). */
function head(major: number, argument: number | bigint): Uint8Array {
  if (argument < 0 || (typeof argument === 'number' && !Number.isSafeInteger(argument)))
    throw new RangeError('argument out of range');
  const type = major << 5;
  if (argument < 24) return Uint8Array.of(type | Number(argument));
  if (argument <= 0xff) return Uint8Array.of(type | 24, Number(argument));
  const bytes = new Uint8Array(argument <= 0xffff ? 3 : argument <= 0xffff_ffff ? 5 : 9);
  const view = new DataView(bytes.buffer);
  if (bytes.length === 3) {
    bytes[0] = type | 25;
    view.setUint16(1, Number(argument));
  } else if (bytes.length === 5) {
    bytes[0] = type | 26;
    view.setUint32(1, Number(argument));
  } else {
    bytes[0] = type | 27;
    view.setBigUint64(1, BigInt(argument));
  }
  return bytes;
}

/** The pieces in one. */
export function joined(chunks: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    out.set(chunk, at);
    at += chunk.length;
  }
  return out;
}
