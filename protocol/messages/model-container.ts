/**
 * The model container: segment 0 is the header, 1..n the weights, n+1 the golden test. Each is AES-128-GCM under the content
 * key, which is used for one container only; the header lists the digest of every other ciphertext.
 */
import { createHash } from 'node:crypto';
import { openAesGcm, sealAesGcm } from '../aes-gcm.js';
import { equalBytes, utf8 } from '../bytes.js';
import { cborMap, decodeStrict, encodeDeterministic, Float, type CborValue } from '../cbor.js';
import { SmartZoneError } from '../errors.js';
import { inputShapeCodec, type InputShape } from './input-shape.js';

const SEGMENT_AAD = utf8('smart-zone/1/segment');

/** Kind of results: 1 top-k, 2 detections, 3 reconstruction error, 4 the output tensor. */
export type ResultsKind = 1 | 2 | 3 | 4;

export interface SegmentEntry {
  /** Ciphertext size in bytes, tag included. */
  readonly size: number;
  /** SHA-256 of the ciphertext. */
  readonly digest: Uint8Array;
}

export interface ContainerHeader {
  /** SZG1. */
  readonly graph: Uint8Array;
  readonly weights: readonly SegmentEntry[];
  readonly golden: SegmentEntry;
  readonly input: InputShape;
  /** Kind of results and the most of them (of a vector: its bytes). */
  readonly results: { readonly kind: ResultsKind; readonly most: number };
  readonly labels: readonly string[];
  /** 0: bit-exact; otherwise the greatest absolute difference of any output value. */
  readonly tolerance: number;
  readonly name: string;
}

export interface GoldenTest {
  /** Frame data in the header's input format. */
  readonly frame: Uint8Array;
  /** The graph's output tensors, as they lie in the arena. */
  readonly outputs: readonly Uint8Array[];
}

/** Ciphertext of one segment. The index is the nonce: never use a content key for a second container. */
export function sealSegment(contentKey: Uint8Array, index: number, plaintext: Uint8Array): Uint8Array {
  return sealAesGcm(contentKey, segmentNonce(index), SEGMENT_AAD, plaintext);
}

/** Throws MODEL_DIGEST where the ciphertext is not what was sealed with this key at this index. */
export function openSegment(contentKey: Uint8Array, index: number, ciphertext: Uint8Array): Uint8Array {
  const plaintext = openAesGcm(contentKey, segmentNonce(index), SEGMENT_AAD, ciphertext);
  if (plaintext === undefined) throw new SmartZoneError('MODEL_DIGEST', `segment ${index}`);
  return plaintext;
}

/** 12 bytes, big-endian. */
function segmentNonce(index: number): Uint8Array {
  const nonce = new Uint8Array(12);
  new DataView(nonce.buffer).setUint32(8, index);
  return nonce;
}

export const segmentEntry = (ciphertext: Uint8Array): SegmentEntry => ({
  size: ciphertext.length,
  digest: new Uint8Array(createHash('sha256').update(ciphertext).digest()),
});

/** Throws MODEL_DIGEST unless this is the ciphertext that the entry names. */
export function checkSegment(entry: SegmentEntry, ciphertext: Uint8Array, index: number): void {
  const found = segmentEntry(ciphertext);
  if (found.size !== entry.size || !equalBytes(found.digest, entry.digest))
    throw new SmartZoneError('MODEL_DIGEST', `segment ${index}`);
}

const encodeEntry = ({ size, digest }: SegmentEntry): CborValue => [size, digest];

export function encodeContainerHeader(header: ContainerHeader): Uint8Array {
  return encodeDeterministic(
    cborMap([
      [1, header.graph],
      [2, header.weights.map(encodeEntry)],
      [3, encodeEntry(header.golden)],
      [4, inputShapeCodec.encode(header.input)],
      [5, [header.results.kind, header.results.most]],
      [6, [...header.labels]],
      [7, new Float(header.tolerance)],
      [8, header.name],
    ]),
  );
}

const MOST_HEADER_BYTES = 16 * 1024 * 1024;

/** Reads a header that this release wrote: anything of another form is MALFORMED. */
export function decodeContainerHeader(bytes: Uint8Array): ContainerHeader {
  const map = decodeStrict(bytes, { maxBytes: MOST_HEADER_BYTES });
  if (!(map instanceof Map)) throw malformed('header');
  const fields = map as ReadonlyMap<unknown, CborValue>;
  const [kind, most] = arrayOf(fields.get(5));
  const graph = fields.get(1);
  const tolerance = fields.get(7);
  const name = fields.get(8);
  if (!(graph instanceof Uint8Array) || !(tolerance instanceof Float) || typeof name !== 'string')
    throw malformed('header');
  if (kind !== 1 && kind !== 2 && kind !== 3 && kind !== 4) throw malformed('kind of results');
  const header: ContainerHeader = {
    graph,
    weights: arrayOf(fields.get(2)).map(decodeEntry),
    golden: decodeEntry(fields.get(3)),
    input: inputShapeCodec.decode(fields.get(4) ?? null, 'input shape'),
    results: { kind, most: numberOf(most) },
    labels: arrayOf(fields.get(6)).map((label) => {
      if (typeof label !== 'string') throw malformed('label name');
      return label;
    }),
    tolerance: tolerance.value,
    name,
  };
  if (!equalBytes(encodeContainerHeader(header), bytes)) throw malformed('header');
  return header;
}

export const encodeGoldenTest = ({ frame, outputs }: GoldenTest): Uint8Array =>
  encodeDeterministic([frame, [...outputs]]);

export function decodeGoldenTest(bytes: Uint8Array): GoldenTest {
  const [frame, outputs, ...rest] = arrayOf(decodeStrict(bytes, { maxBytes: MOST_HEADER_BYTES }));
  if (!(frame instanceof Uint8Array) || rest.length > 0) throw malformed('golden test');
  return {
    frame,
    outputs: arrayOf(outputs).map((output) => {
      if (!(output instanceof Uint8Array)) throw malformed('golden test');
      return output;
    }),
  };
}

function decodeEntry(value: CborValue | undefined): SegmentEntry {
  const [size, digest] = arrayOf(value);
  if (!(digest instanceof Uint8Array) || digest.length !== 32) throw malformed('segment entry');
  return { size: numberOf(size), digest };
}

const arrayOf = (value: CborValue | undefined): readonly CborValue[] => {
  if (!Array.isArray(value)) throw malformed('an array is missing');
  return value as readonly CborValue[];
};

const numberOf = (value: CborValue | undefined): number => {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) throw malformed('number');
  return value;
};

const malformed = (what: string): SmartZoneError =>
  new SmartZoneError('MALFORMED', `model container: ${what}`);
