import { CleartextSearch } from '../../demo/cleartext-search.js';
import { toHex } from '../../protocol/bytes.js';
import type { OpenedPackage } from '../../clients/publisher/index.js';

const SLICE = 32;
const STRIDE = 64;
/** Padding and weights that are all alike are nothing that could be told from other data. */
const LEAST_DISTINCT = 10;
/** The search looks slices up by their beginning: one that is common, zeros say, would be looked up again and again. */
const BEGINNING = 8;
const LEAST_DISTINCT_IN_BEGINNING = 5;

const isDistinct = (slice: Uint8Array): boolean =>
  new Set(slice.subarray(0, BEGINNING)).size >= LEAST_DISTINCT_IN_BEGINNING &&
  new Set(slice).size >= LEAST_DISTINCT;

/** Of every 64 bytes a slice that is unlike anything else, if there is one. */
const slicesOf = (bytes: Uint8Array): Uint8Array[] => {
  const slices: Uint8Array[] = [];
  for (let from = 0; from < bytes.length; from += STRIDE)
    for (let at = from; at < from + STRIDE && at + SLICE <= bytes.length; at += 1) {
      const slice = bytes.subarray(at, at + SLICE);
      if (!isDistinct(slice)) continue;
      slices.push(slice);
      break;
    }
  return slices;
};

/** What of a model nobody outside the TA may have: by name, the pieces that are searched for. */
export class ModelSecrets {
  readonly search = new CleartextSearch();
  readonly #known = new Set<string>();
  readonly #pieces = new Map<string, Uint8Array[]>();

  /** @param model for the names */
  addModel(model: string, opened: OpenedPackage, contentKey: Uint8Array): void {
    const { header, weights, golden } = opened;
    this.#add(`${model}: content key`, [contentKey, Buffer.from([...contentKey].join(','))]);
    this.#add(`${model}: packed weights`, weights.flatMap(slicesOf));
    this.#add(`${model}: graph`, slicesOf(header.graph));
    // The frame is the same noise for all packages, or begins alike.
    this.#add('golden input', slicesOf(golden.frame));
    this.#add(`${model}: golden output`, golden.outputs.flatMap(slicesOf));
  }

  addFile(name: string, bytes: Uint8Array): void {
    this.#add(name, slicesOf(bytes));
  }

  #add(name: string, pieces: readonly Uint8Array[]): void {
    if (pieces.length === 0) throw new Error(`${name}: nothing that could be searched for`);
    const known = this.#pieces.get(name) ?? [];
    const unknown = pieces.filter((piece) => !this.#known.has(toHex(piece)));
    this.#pieces.set(name, [...known, ...unknown.map((piece) => Uint8Array.from(piece))]);
    for (const piece of unknown) {
      this.#known.add(toHex(piece));
      this.search.addExact(name, piece);
    }
  }

  get counts(): ReadonlyMap<string, number> {
    return new Map([...this.#pieces].map(([name, pieces]) => [name, pieces.length]));
  }

  /** One piece of each secret, with gaps between. */
  sample(): Uint8Array {
    const parts = [...this.#pieces.values()].map((pieces) => pieces[pieces.length >> 1] as Uint8Array);
    return Buffer.concat(parts.flatMap((part) => [Buffer.alloc(8), part, Buffer.alloc(8)]));
  }

  /** The names of all secrets that occur. */
  in(haystack: Uint8Array): Set<string> {
    const found = new Set<string>();
    for (let rest = haystack; found.size < this.#pieces.size;) {
      const finding = this.search.find(rest);
      if (finding === undefined) break;
      found.add(finding.secret);
      rest = rest.subarray(finding.at + finding.length);
    }
    return found;
  }
}
