/**
 * Strict decoding: exactly one item in core deterministic encoding (RFC 8949 section 4.2.1), and nothing after it.
 *
 * A general CBOR library is too forgiving for bytes that an adversary writes. cbor-x 1.6, measured: takes the last
 * of two equal map keys, non-shortest lengths and invalid UTF-8, and turns 1.0 and 1 into the same number. So what is
 * refused here is refused while reading, and there is no second parser whose view could differ. cbor-x serves as the
 * independent peer in cbor.test.ts.
 */
import { CborError } from './error.js';
import { halfToNumber, shortestFloat } from './float.js';
import { Float, Tag, type CborKey, type CborValue } from './value.js';

export interface DecodeLimits {
  /** Longest accepted input in bytes. Default 2 MiB: more than the agent's shared buffer. */
  readonly maxBytes?: number;
  /** Deepest nesting of arrays, maps and tags. Default 16: twice what any message here has. */
  readonly maxDepth?: number;
}

const DEFAULT_MAX_BYTES = 2 * 1024 * 1024;
const DEFAULT_MAX_DEPTH = 16;

/** Byte strings in the result are views of `bytes`, not copies. Throws a CborError. */
export function decodeStrict(bytes: Uint8Array, limits: DecodeLimits = {}): CborValue {
  if (bytes.length > (limits.maxBytes ?? DEFAULT_MAX_BYTES))
    throw new CborError('TOO_LONG', `${bytes.length} bytes`, 0);
  const reader = new Reader(bytes, limits.maxDepth ?? DEFAULT_MAX_DEPTH);
  const value = reader.item(0);
  if (reader.at !== bytes.length) throw new CborError('TRAILING_BYTES', 'bytes after the item', reader.at);
  return value;
}

class Reader {
  at = 0;
  readonly #view: DataView;

  constructor(
    readonly bytes: Uint8Array,
    readonly maxDepth: number,
  ) {
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  item(depth: number): CborValue {
    if (depth > this.maxDepth) throw this.#refuse('nested too deeply');
    const start = this.at;
    const initial = this.bytes[this.#take(1)] ?? 0;
    const major = initial >> 5;
    const info = initial & 0x1f;
    if (major === 7) return this.#simple(info, start);
    const argument = this.#argument(info, start);
    switch (major) {
      case 0:
        return argument;
      case 1:
        return typeof argument === 'number' && argument < Number.MAX_SAFE_INTEGER
          ? -1 - argument
          : narrow(-1n - BigInt(argument));
      case 2:
        return this.#string(argument);
      case 3:
        return this.#text(argument);
      case 4:
        return this.#array(argument, depth);
      case 5:
        return this.#map(argument, depth);
      default:
        if (typeof argument === 'bigint') throw this.#refuse('tag beyond 2^53', start);
        return new Tag(argument, this.item(depth + 1));
    }
  }

  #argument(info: number, start: number): number | bigint {
    if (info < 24) return info;
    let value: number | bigint;
    let least: number;
    if (info === 24) {
      value = this.bytes[this.#take(1)] ?? 0;
      least = 24;
    } else if (info === 25) {
      value = this.#view.getUint16(this.#take(2));
      least = 0x100;
    } else if (info === 26) {
      value = this.#view.getUint32(this.#take(4));
      least = 0x1_0000;
    } else if (info === 27) {
      value = narrow(this.#view.getBigUint64(this.#take(8)));
      least = 0x1_0000_0000;
    } else throw this.#refuse(info === 31 ? 'indefinite length' : 'reserved additional information', start);
    if (value < least) throw this.#refuse('not the shortest form', start);
    return value;
  }

  #string(length: number | bigint): Uint8Array {
    const start = this.#take(length);
    return new Uint8Array(this.bytes.buffer, this.bytes.byteOffset + start, this.at - start);
  }

  #text(length: number | bigint): string {
    const start = this.at;
    const bytes = this.#string(length);
    try {
      return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw this.#refuse('invalid UTF-8', start);
    }
  }

  #array(count: number | bigint, depth: number): CborValue[] {
    const items: CborValue[] = [];
    const length = this.#count(count, 1);
    for (let i = 0; i < length; i++) items.push(this.item(depth + 1));
    return items;
  }

  #map(count: number | bigint, depth: number): Map<CborKey, CborValue> {
    const map = new Map<CborKey, CborValue>();
    const length = this.#count(count, 2);
    let previous: Uint8Array | undefined;
    for (let i = 0; i < length; i++) {
      const start = this.at;
      const key = this.item(depth + 1);
      if (typeof key !== 'number' && typeof key !== 'bigint' && typeof key !== 'string')
        throw this.#refuse('map key is neither an integer nor text', start);
      const encoded = this.bytes.subarray(start, this.at);
      const order = previous === undefined ? -1 : Buffer.compare(previous, encoded);
      if (order === 0) throw new CborError('DUPLICATE_KEY', 'duplicate map key', start);
      if (order > 0) throw this.#refuse('map keys out of order', start);
      previous = encoded;
      map.set(key, this.item(depth + 1));
    }
    return map;
  }

  #simple(info: number, start: number): CborValue {
    switch (info) {
      case 20:
        return false;
      case 21:
        return true;
      case 22:
        return null;
      case 25:
        return this.#float(halfToNumber(this.#view.getUint16(this.#take(2))), 2, start);
      case 26:
        return this.#float(this.#view.getFloat32(this.#take(4)), 4, start);
      case 27:
        return this.#float(this.#view.getFloat64(this.#take(8)), 8, start);
      case 31:
        throw this.#refuse('break outside an indefinite length', start);
      default:
        throw this.#refuse(
          info < 25 ? 'simple value outside the profile' : 'reserved additional information',
          start,
        );
    }
  }

  #float(value: number, size: 2 | 4 | 8, start: number): Float {
    if (shortestFloat(value) !== size) throw this.#refuse('not the shortest float', start);
    // One NaN only: others would carry hidden bits through a re-encoding.
    if (Number.isNaN(value) && this.#view.getUint16(start + 1) !== 0x7e00)
      throw this.#refuse('not the canonical NaN', start);
    return new Float(value);
  }

  /** An announced count cannot exceed what the remaining bytes could hold: refused before anything is allocated. */
  #count(count: number | bigint, bytesEach: number): number {
    if (typeof count === 'bigint' || count > (this.bytes.length - this.at) / bytesEach)
      throw new CborError('TRUNCATED', 'input ends early', this.bytes.length);
    return count;
  }

  /** Steps over `length` bytes and returns where they start. */
  #take(length: number | bigint): number {
    if (typeof length === 'bigint' || length > this.bytes.length - this.at)
      throw new CborError('TRUNCATED', 'input ends early', this.bytes.length);
    const start = this.at;
    this.at += length;
    return start;
  }

  #refuse(reason: string, offset = this.at): CborError {
    return new CborError('MALFORMED', reason, offset);
  }
}

/** A number where JavaScript holds it exactly, else a bigint. */
function narrow(value: bigint): number | bigint {
  return value <= BigInt(Number.MAX_SAFE_INTEGER) && value >= BigInt(Number.MIN_SAFE_INTEGER)
    ? Number(value)
    : value;
}
