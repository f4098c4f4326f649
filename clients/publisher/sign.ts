import { createHash } from 'node:crypto';
import type { Kid } from '../../protocol/kid.js';
import type { SigningKey } from '../../protocol/keys.js';
import { sealModelOffer } from '../../protocol/messages/model-offer.js';
import { sealModelEnvelope } from '../../protocol/messages/model-manifest.js';
import { encodeModelPackage } from '../../protocol/messages/model-package.js';
import { systemRandomness, type Randomness } from '../../protocol/randomness.js';
import type { SealedModel } from './pack.js';

export interface SignedPackage {
  /** The package file, the same for all devices. */
  readonly bytes: Uint8Array;
  readonly envelope: Uint8Array;
  /** The manifest's digest: names the model in offers and labels. */
  readonly digest: Uint8Array;
}

/** What a manifest says of a model. */
export type SignedContent = Pick<SealedModel, 'segments' | 'leastTaVersion' | 'memory' | 'target'>;

/** @param sequence from 1, higher than that of any model the devices have had (and by at most 2^16) */
export const signPackage = (model: SignedContent, key: SigningKey, sequence: number): SignedPackage => {
  if (!Number.isSafeInteger(sequence) || sequence < 1) throw new RangeError(`sequence number ${sequence}`);
  const header = model.segments[0] ?? new Uint8Array(0);
  const { envelope, digest } = sealModelEnvelope(
    {
      sequence,
      headerDigest: new Uint8Array(createHash('sha256').update(header).digest()),
      headerSize: header.length,
      leastTaVersion: model.leastTaVersion,
      memory: model.memory,
      target: model.target,
    },
    key,
  );
  return { bytes: encodeModelPackage({ envelope, segments: model.segments }), envelope, digest };
};

/** A device as the owner's roster or its verified hello names it. */
export interface OfferedDevice {
  readonly kid: Kid;
  /** Its static X25519 key. */
  readonly agreementKey: Uint8Array;
}

export interface OfferOptions {
  /** The highest roster version and model sequence number that the publisher has seen (rollback witness); default 0. */
  readonly rosterVersion?: number;
  /** Owner generation of that roster; undefined: not known. */
  readonly ownerGeneration?: number;
  readonly modelSequence?: number;
  readonly random?: Randomness;
}

/** The model-offer that lets one device open a package: its content key, sealed to that device. */
export const wrapFor = (
  device: OfferedDevice,
  model: { readonly digest: Uint8Array },
  contentKey: Uint8Array,
  key: SigningKey,
  options: OfferOptions = {},
): Uint8Array =>
  sealModelOffer(
    {
      manifestDigest: model.digest,
      contentKey,
      device: device.kid,
      deviceAgreementKey: device.agreementKey,
      rosterVersion: options.rosterVersion ?? 0,
      ...(options.ownerGeneration !== undefined && { ownerGeneration: options.ownerGeneration }),
      modelSequence: options.modelSequence ?? 0,
    },
    key,
    options.random ?? systemRandomness,
  );
