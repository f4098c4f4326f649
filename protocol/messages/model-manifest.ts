/**
 * The model manifest: one fixed SUIT shape (draft-ietf-suit-manifest-34), matched exactly, without an interpreter. Reading
 * takes the variable fields out, writes the manifest again from them and compares: what is not byte for byte the form
 * that this release writes is refused.
 */
import { createHash } from 'node:crypto';
import { equalBytes, utf8 } from '../bytes.js';
import { cborMap, decodeStrict, encodeDeterministic, Tag, type CborValue } from '../cbor.js';
import { parseProfiledSign1, sealSign1, verifySign1, type ProfiledSign1 } from '../cose/sign1.js';
import { SmartZoneError } from '../errors.js';
import type { Kid } from '../kid.js';
import type { SigningKey } from '../keys.js';
import { CLASS_ID, VENDOR_ID } from '../product.js';
import { outsideProfile } from './suit-names.js';

/** In which order a package's weights are laid out. */
export type PackingTarget = 'ref' | 'neon' | 'neon-dot' | 'x86';

export interface ModelManifest {
  /** From 1, strictly increasing per device. */
  readonly sequence: number;
  /** SHA-256 and size in bytes of the container header's ciphertext. */
  readonly headerDigest: Uint8Array;
  readonly headerSize: number;
  /** major * 65536 + minor * 256 + patch */
  readonly leastTaVersion: number;
  /** Secure heap needed, in bytes. */
  readonly memory: number;
  readonly target: PackingTarget;
  /** Default: this product's. */
  readonly vendorId?: Uint8Array;
  readonly classId?: Uint8Array;
}

export interface ModelEnvelope {
  readonly manifest: ModelManifest;
  /** The manifest's digest: what names a model everywhere else. */
  readonly digest: Uint8Array;
  readonly signer: Kid;
}

const ENVELOPE_TAG = 107;
const SHA_256 = -16;
const NO_AAD = new Uint8Array(0);

const suitDigest = (digest: Uint8Array): Uint8Array => encodeDeterministic([SHA_256, digest]);

function encodeManifest(manifest: ModelManifest): Uint8Array {
  const parameters = cborMap([
    [1, manifest.vendorId ?? VENDOR_ID],
    [2, manifest.classId ?? CLASS_ID],
    [3, suitDigest(manifest.headerDigest)],
    [14, manifest.headerSize],
    [-1, manifest.leastTaVersion],
    [-2, manifest.memory],
    [-3, manifest.target],
  ]);
  const conditions = [1, 15, 2, 15, -1, null, -2, null, -3, null];
  const common = cborMap([
    [2, [[utf8('model')]]],
    [4, encodeDeterministic([20, parameters, ...conditions])],
  ]);
  return encodeDeterministic(
    cborMap([
      [1, 1],
      [2, manifest.sequence],
      [3, encodeDeterministic(common)],
      [7, encodeDeterministic([3, 15])],
    ]),
  );
}

/** SHA-256 over the manifest as it stands in the envelope: its byte string with the CBOR header. */
const digestOf = (manifest: Uint8Array): Uint8Array =>
  new Uint8Array(createHash('sha256').update(encodeDeterministic(manifest)).digest());

/** Signs a manifest. The digest is what offers and labels name the model by. */
export function sealModelEnvelope(
  manifest: ModelManifest,
  key: SigningKey,
): { readonly envelope: Uint8Array; readonly digest: Uint8Array } {
  const body = encodeManifest(manifest);
  const digest = digestOf(body);
  const signed = suitDigest(digest);
  const signature = sealSign1(signed, key, NO_AAD, { detached: true });
  const authentication = encodeDeterministic([signed, signature]);
  const envelope = encodeDeterministic(
    new Tag(
      ENVELOPE_TAG,
      cborMap([
        [2, authentication],
        [3, body],
      ]),
    ),
  );
  return { envelope, digest };
}

/** Reads an envelope and checks its form and the manifest's digest, not the signature. Throws MODEL_PROFILE, MODEL_DIGEST. */
export function readModelEnvelope(envelope: Uint8Array): ModelEnvelope {
  const { manifest, digest, signature } = openEnvelope(envelope);
  return { manifest, digest, signer: signature.kid };
}

/** As `readModelEnvelope`, and the signature is `publicKey`'s. Throws BAD_SIGNATURE too. */
export function verifyModelEnvelope(envelope: Uint8Array, publicKey: Uint8Array): ModelEnvelope {
  const { manifest, digest, signature } = openEnvelope(envelope);
  verifySign1(signature, publicKey, NO_AAD, suitDigest(digest));
  return { manifest, digest, signer: signature.kid };
}

function openEnvelope(envelope: Uint8Array): {
  manifest: ModelManifest;
  digest: Uint8Array;
  signature: ProfiledSign1;
} {
  const tagged = decodeStrict(envelope);
  if (!(tagged instanceof Tag) || tagged.tag !== ENVELOPE_TAG) throw profile('no SUIT envelope');
  const members = mapOf(tagged.value, 'envelope', 2);
  const body = bytesOf(members.get(3), 'manifest');
  // Its elements first: what is outside the profile is refused by name, whoever signed it and how.
  mapOf(decodeStrict(body), 'manifest', 4);
  const [signed, signatureBytes, ...rest] = arrayOf(decodeStrict(bytesOf(members.get(2), 'authentication')));
  if (rest.length > 0) throw profile('more than one signature');
  const signature = parseProfiledSign1(bytesOf(signatureBytes, 'signature'));
  if (signature.payload !== null) throw profile('signature with a payload');
  const digest = digestOf(body);
  if (!equalBytes(bytesOf(signed, 'digest'), suitDigest(digest)))
    throw new SmartZoneError('MODEL_DIGEST', 'manifest');
  return { manifest: readManifest(body), digest, signature };
}

function readManifest(body: Uint8Array): ModelManifest {
  const top = mapOf(decodeStrict(body), 'manifest', 4);
  const common = mapOf(decodeStrict(bytesOf(top.get(3), 'common')), 'common', 2);
  const sequence = arrayOf(decodeStrict(bytesOf(common.get(4), 'shared sequence')));
  const parameters = mapOf(sequence[1], 'parameters', 7);
  const image = arrayOf(decodeStrict(bytesOf(parameters.get(3), 'image digest')));
  const target = parameters.get(-3);
  if (target !== 'ref' && target !== 'neon' && target !== 'neon-dot' && target !== 'x86')
    throw profile('packing target');
  const manifest: ModelManifest = {
    sequence: uintOf(top.get(2), 'sequence number'),
    headerDigest: bytesOf(image[1], 'image digest', 32),
    headerSize: uintOf(parameters.get(14), 'image size'),
    leastTaVersion: uintOf(parameters.get(-1), 'least TA version'),
    memory: uintOf(parameters.get(-2), 'memory'),
    target,
    vendorId: bytesOf(parameters.get(1), 'vendor', 16),
    classId: bytesOf(parameters.get(2), 'class', 16),
  };
  if (manifest.sequence < 1) throw profile('sequence number 0');
  if (!equalBytes(encodeManifest(manifest), body)) throw profile('manifest of another form');
  return manifest;
}

const profile = (what: string): SmartZoneError => new SmartZoneError('MODEL_PROFILE', what);

const arrayOf = (value: CborValue | undefined): readonly CborValue[] => {
  if (!Array.isArray(value)) throw profile('an array is missing');
  return value as readonly CborValue[];
};

const mapOf = (value: CborValue | undefined, what: string, size: number): ReadonlyMap<unknown, CborValue> => {
  if (!(value instanceof Map)) throw profile(`${what} of another form`);
  const outside = outsideProfile(value, what);
  if (outside !== undefined) throw profile(`${outside} is not in the profile`);
  if (value.size !== size) throw profile(`${what} of another form`);
  return value as ReadonlyMap<unknown, CborValue>;
};

const bytesOf = (value: CborValue | undefined, what: string, length?: number): Uint8Array => {
  if (!(value instanceof Uint8Array) || (length !== undefined && value.length !== length))
    throw profile(`${what} of another form`);
  return value;
};

const uintOf = (value: CborValue | undefined, what: string): number => {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0)
    throw profile(`${what} of another form`);
  return value;
};
