/** Something that should have stayed secret, found in the clear. */
export interface Finding {
  /** What was found, as it was named when it was added. */
  readonly secret: string;
  /** Offset of the first byte that agrees. */
  readonly at: number;
  /** How many bytes agree. */
  readonly length: number;
}

const WINDOW = 16;
const LEAST_DISTINCT = 12;
/** Blocks are indexed at multiples of this; every window of 2 * BLOCK bytes contains one of them whole. */
const BLOCK = 8;
/** A window with 12 distinct bytes has at least 4 in whichever of its blocks; flatter ones cannot belong to one. */
const LEAST_DISTINCT_IN_BLOCK = LEAST_DISTINCT - (WINDOW - BLOCK);
const FILTER_BITS = 24;
/** Taken once: looking it up for every byte takes many times as long where globals are looked up by a function (node:vm). */
const { imul } = Math;

interface Secret {
  readonly name: string;
  readonly bytes: Uint8Array;
  /** All of it must occur; else any window of it. */
  readonly whole: boolean;
}

interface Place {
  readonly secret: Secret;
  readonly offset: number;
}

/**
 * Searches bytes for anything of a set of secrets, in one pass. Of long ones (frames) any 16 bytes in a row count, if at least 12
 * of them are distinct: flat areas of a picture agree with anything. Short ones (names, keys) count as a whole, also in
 * hexadecimal and base64, wherever in a longer base64 text they begin.
 */
export class CleartextSearch {
  readonly #names = new Set<string>();
  readonly #places = new Map<number, Place[]>();
  readonly #filter = new Uint8Array(1 << (FILTER_BITS - 3));

  /** The secrets that are looked for, by the names they were added with. */
  get names(): ReadonlySet<string> {
    return this.#names;
  }

  /** @param bytes copied */
  addFrame(name: string, bytes: Uint8Array): void {
    const secret = { name, bytes: Uint8Array.from(bytes), whole: false };
    for (let offset = 0; offset + BLOCK <= bytes.length; offset += BLOCK)
      if (distinct(bytes, offset, BLOCK) >= LEAST_DISTINCT_IN_BLOCK) this.#index(secret, offset);
  }

  /** @param bytes at least 8: shorter ones occur by chance */
  addExact(name: string, bytes: Uint8Array): void {
    if (bytes.length < BLOCK) throw new RangeError(`${name}: ${bytes.length} bytes occur by chance`);
    const raw = Buffer.from(bytes);
    const texts = [raw.toString('hex'), ...base64Forms(raw)];
    for (const needle of [raw, ...[...new Set(texts)].map((text) => Buffer.from(text))])
      this.#index({ name, bytes: needle, whole: true }, 0);
  }

  /** The first secret that occurs, or undefined. */
  find(haystack: Uint8Array): Finding | undefined {
    if (haystack.length < BLOCK || this.#places.size === 0) return undefined;
    const filter = this.#filter;
    // The eight bytes from `at` on, little-endian, moved along byte by byte.
    let low = word(haystack, 0);
    let high = word(haystack, 4);
    for (let at = 0; ; at += 1) {
      const hash = hashOf(low, high);
      if (((filter[hash >>> 3] as number) & (1 << (hash & 7))) !== 0) {
        for (const place of this.#places.get(hash) ?? []) {
          const finding = agreement(haystack, at, place);
          if (finding) return finding;
        }
      }
      if (at + BLOCK >= haystack.length) return undefined;
      low = (low >>> 8) | (high << 24);
      high = (high >>> 8) | ((haystack[at + BLOCK] as number) << 24);
    }
  }

  #index(secret: Secret, offset: number): void {
    this.#names.add(secret.name);
    const hash = hashOf(word(secret.bytes, offset), word(secret.bytes, offset + 4));
    const places = this.#places.get(hash);
    if (places) places.push({ secret, offset });
    else this.#places.set(hash, [{ secret, offset }]);
    this.#filter[hash >>> 3] = (this.#filter[hash >>> 3] ?? 0) | (1 << (hash & 7));
  }
}

/** In base64 bytes look different by where they begin, modulo 3; characters that share bits with neighbours are left out. */
const base64Forms = (raw: Buffer): string[] =>
  [0, 1, 2].flatMap((shift) => {
    const shifted = Buffer.concat([Buffer.alloc(shift), raw]);
    const whole = [Math.ceil((shift * 8) / 6), Math.floor((shifted.length * 8) / 6)] as const;
    return [shifted.toString('base64').slice(...whole), shifted.toString('base64url').slice(...whole)];
  });

/** Extends an agreement of one block to both sides, and judges it. */
const agreement = (haystack: Uint8Array, at: number, { secret, offset }: Place): Finding | undefined => {
  const { name, bytes, whole } = secret;
  const reach = whole ? bytes.length : BLOCK + WINDOW;
  let before = 0;
  while (before < WINDOW && at > before && offset > before) {
    if (haystack[at - before - 1] !== bytes[offset - before - 1]) break;
    before += 1;
  }
  let after = 0;
  while (after < reach && at + after < haystack.length && offset + after < bytes.length) {
    if (haystack[at + after] !== bytes[offset + after]) break;
    after += 1;
  }
  if (whole) return after === bytes.length ? { secret: name, at, length: after } : undefined;
  for (let start = at - before; start + WINDOW <= at + after; start += 1)
    if (distinct(haystack, start, WINDOW) >= LEAST_DISTINCT)
      return { secret: name, at: start, length: before + after };
  return undefined;
};

const word = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] as number) |
    ((bytes[at + 1] as number) << 8) |
    ((bytes[at + 2] as number) << 16) |
    ((bytes[at + 3] as number) << 24)) >>>
  0;

/** Multiplicative hashing by odd constants; the upper bits are the well mixed ones. */
const hashOf = (low: number, high: number): number =>
  (imul(low, 0x9e3779b1) ^ imul(high, 0x85ebca6b)) >>> (32 - FILTER_BITS);

const distinct = (bytes: Uint8Array, start: number, length: number): number =>
  new Set(bytes.subarray(start, start + length)).size;
