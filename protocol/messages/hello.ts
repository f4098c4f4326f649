import { signingKid, type Kid } from '../kid.js';
import type { SigningKey } from '../keys.js';
import { field, nonce, oneOf, optional, publicKey, struct, text, uint } from '../schema.js';
import { openSigned, PROTOCOL_VERSION, sealSigned } from '../signed.js';
import { inputShapeCodec, type InputShape } from './input-shape.js';

/** 0 software TEE, 1 OP-TEE but replaceable or with public keys, 2 OP-TEE, 3 OP-TEE with hardware anti-rollback. */
export type SecurityLevel = 0 | 1 | 2 | 3;
export const securityLevelCodec = oneOf<SecurityLevel>(0, 1, 2, 3);

/** What a device says of itself at every start; retained. It vouches for nothing until the roster names its key. */
export interface Hello {
  readonly signingKey: Uint8Array;
  /** Static X25519 key: models are wrapped to it. */
  readonly agreementKey: Uint8Array;
  readonly bootNonce: Uint8Array;
  /** X25519 key of this boot: offers are sealed to it. */
  readonly prekey: Uint8Array;
  /** 0: none yet. */
  readonly rosterVersion: number;
  /** 0: no model active. */
  readonly modelSequence: number;
  readonly taVersion: string;
  readonly securityLevel: SecurityLevel;
  readonly packingTarget: string;
  /** Present exactly while unclaimed. */
  readonly claimNonce?: Uint8Array;
  /** Present while a model is active. */
  readonly inputShape?: InputShape;
  /** Present where it is not `modelSequence`: the device went back to an older model, or the owner raised the floor. */
  readonly modelFloor?: number;
  /** Of the roster that is in force, or was before a reset: present exactly while claimed. */
  readonly ownerGeneration?: number;
}

const codec = struct<Hello>(
  {
    signingKey: field(2, publicKey),
    agreementKey: field(3, publicKey),
    bootNonce: field(4, nonce),
    prekey: field(5, publicKey),
    rosterVersion: field(6, uint),
    modelSequence: field(7, uint),
    taVersion: field(8, text()),
    securityLevel: field(9, securityLevelCodec),
    packingTarget: field(10, text()),
    claimNonce: optional(11, nonce),
    inputShape: optional(12, inputShapeCodec),
    modelFloor: optional(13, uint),
    ownerGeneration: optional(14, uint),
  },
  [[1, PROTOCOL_VERSION]],
);

export function signHello(hello: Hello, device: SigningKey): Uint8Array {
  return sealSigned(codec, 'hello', hello, device);
}

export interface VerifiedHello extends Hello {
  /** The device's name: the kid of `signingKey`. */
  readonly device: Kid;
}

/**
 * Verifies that the key in the hello signed it. Whether that key is a device of the owner is the caller's question to
 * the roster, and whether the hello is older than one already seen is its witness's.
 */
export function verifyHello(bytes: Uint8Array): VerifiedHello {
  const { body } = openSigned(codec, 'hello', bytes, (_signer, unverified) => unverified.signingKey);
  return { ...body, device: signingKid(body.signingKey) };
}
