/** A model package as a file: the signed envelope and all ciphertext segments, the container header first. */
import { createHash } from 'node:crypto';
import { equalBytes } from '../bytes.js';
import { decodeStrict, encodeDeterministic, type CborValue } from '../cbor.js';
import { SmartZoneError } from '../errors.js';
import { readModelEnvelope, type ModelEnvelope } from './model-manifest.js';

export interface ModelPackage {
  /** SUIT envelope (model-manifest.ts). */
  readonly envelope: Uint8Array;
  /** Ciphertexts: container header, weights in the order of execution, golden test. */
  readonly segments: readonly Uint8Array[];
}

/** The first item of a package. */
export const MAGIC = 'smart-zone/1/package';
/** Far beyond what a device holds. */
const MOST_BYTES = 256 * 1024 * 1024;

export const encodeModelPackage = ({ envelope, segments }: ModelPackage): Uint8Array =>
  encodeDeterministic([MAGIC, envelope, [...segments]]);

/**
 * Reads a package file. Checks its form, the manifest's digest, and the header segment against the manifest: not the signature
 * (verifyModelEnvelope), and not the other segments, whose digests only the holder of the content key can read.
 * Throws MODEL_PROFILE, MODEL_DIGEST, or a CborError.
 */
export function decodeModelPackage(bytes: Uint8Array): ModelPackage & ModelEnvelope {
  const value = decodeStrict(bytes, { maxBytes: MOST_BYTES });
  if (!Array.isArray(value) || value.length !== 3) throw notPackage();
  const [magic, envelope, list] = value as readonly CborValue[];
  if (magic !== MAGIC || !(envelope instanceof Uint8Array) || !Array.isArray(list)) throw notPackage();
  const segments = (list as readonly CborValue[]).map((segment) => {
    if (!(segment instanceof Uint8Array)) throw notPackage();
    return segment;
  });
  const opened = readModelEnvelope(envelope);
  const [header] = segments;
  if (
    header?.length !== opened.manifest.headerSize ||
    !equalBytes(createHash('sha256').update(header).digest(), opened.manifest.headerDigest)
  )
    throw new SmartZoneError('MODEL_DIGEST', 'container header');
  return { envelope, segments, ...opened };
}

const notPackage = (): SmartZoneError => new SmartZoneError('MODEL_PROFILE', 'not a model package');
