import { createHash } from 'node:crypto';
import { equalBytes } from '../bytes.js';
import type { CborValue } from '../cbor.js';
import { SmartZoneError } from '../errors.js';
import type { Kid } from '../kid.js';
import type { SigningKey } from '../keys.js';
import {
  array,
  digest,
  field,
  kid,
  nonce,
  oneOf,
  optional,
  publicKey,
  refuse,
  struct,
  tuple,
  uint,
  type Codec,
} from '../schema.js';
import { keyWithKid, openSigned, sealSigned } from '../signed.js';

export type OwnerAction =
  | {
      readonly type: 'claim';
      /** 1 to 3 Ed25519 keys; the signer's is one of them. */
      readonly owners: readonly Uint8Array[];
      /** Of these keys, see `Owners`. Default 1. */
      readonly generation?: number;
    }
  /** Forgets members, channels and model; keeps identity, owners and counters. */
  | { readonly type: 'reset' }
  /** The model before the committed one is committed again. */
  | { readonly type: 'rollback' }
  /** Raises the floor of model sequence numbers. */
  | { readonly type: 'rebase'; readonly floor: number }
  /** Makes the device's next keys, which a roster puts in place of the present ones. */
  | { readonly type: 'rotate' };

export interface OwnerStatement {
  /** The device; while unclaimed, the kid of its hello. */
  readonly device: Kid;
  /** Strictly increasing per device, from 1. */
  readonly counter: number;
  /** The boot nonce; for a claim the claim nonce. */
  readonly nonce: Uint8Array;
  /** Seconds since 1970: a floor for the TA's calendar. */
  readonly time: number;
  readonly action: OwnerAction;
}

const claim = tuple<readonly [1, readonly Uint8Array[], number]>(oneOf(1), array(publicKey, 1, 3), uint);
const reset = tuple<readonly [2]>(oneOf(2));
const rollback = tuple<readonly [3]>(oneOf(3));
const rebase = tuple<readonly [4, number]>(oneOf(4), uint);
const rotate = tuple<readonly [5]>(oneOf(5));

const encodeAction = (value: OwnerAction): CborValue => {
  switch (value.type) {
    case 'claim':
      return claim.encode([1, value.owners, value.generation ?? 1]);
    case 'reset':
      return reset.encode([2]);
    case 'rollback':
      return rollback.encode([3]);
    case 'rebase':
      return rebase.encode([4, value.floor]);
    case 'rotate':
      return rotate.encode([5]);
  }
};

const action: Codec<OwnerAction> = {
  encode: encodeAction,
  decode: (value, where) => {
    if (!Array.isArray(value)) return refuse(where, 'not an array');
    switch (value[0]) {
      case 2:
        reset.decode(value, where);
        return { type: 'reset' };
      case 3:
        rollback.decode(value, where);
        return { type: 'rollback' };
      case 4:
        return { type: 'rebase', floor: rebase.decode(value, where)[1] };
      case 5:
        rotate.decode(value, where);
        return { type: 'rotate' };
      default: {
        const [, owners, generation] = claim.decode(value, where);
        return { type: 'claim', owners, generation };
      }
    }
  },
};

const statementCodec = struct<OwnerStatement>({
  device: field(1, kid),
  counter: field(2, uint),
  nonce: field(3, nonce),
  time: field(4, uint),
  action: field(5, action),
});

export function signOwnerStatement(statement: OwnerStatement, owner: SigningKey): Uint8Array {
  return sealSigned(statementCodec, 'owner', statement, owner);
}

/** Verifies with `owners`, or for a claim with the keys it names. Throws NOT_OWNER where the signer is none of them. */
export function verifyOwnerStatement(bytes: Uint8Array, owners: readonly Uint8Array[]): OwnerStatement {
  const { body } = openSigned(statementCodec, 'owner', bytes, (signer, unverified) => {
    const keys =
      owners.length === 0 && unverified.action.type === 'claim' ? unverified.action.owners : owners;
    const key = keyWithKid(keys, signer);
    if (key === undefined) throw new SmartZoneError('NOT_OWNER', 'owner statement');
    return key;
  });
  return body;
}

/** What the device answers, signed by the key that it has after the statement took effect. */
export interface OwnerReply {
  readonly device: Kid;
  readonly counter: number;
  readonly nonce: Uint8Array;
  /** 0, or an error's number. */
  readonly status: number;
  /** The device's Ed25519 key now: a claim makes a new one. */
  readonly signingKey: Uint8Array;
  /** The device's static X25519 key now. */
  readonly agreementKey: Uint8Array;
  /** SHA-256 of the statement that it answers. */
  readonly statement: Uint8Array;
  /** The Ed25519 and X25519 keys that a roster may put in place of the present ones. */
  readonly next?: readonly [signingKey: Uint8Array, agreementKey: Uint8Array];
}

const replyCodec = struct<OwnerReply>({
  device: field(1, kid),
  counter: field(2, uint),
  nonce: field(3, nonce),
  status: field(4, uint),
  signingKey: field(5, publicKey),
  agreementKey: field(6, publicKey),
  statement: field(7, digest),
  next: optional(8, tuple<readonly [Uint8Array, Uint8Array]>(publicKey, publicKey)),
});

export function signOwnerReply(reply: OwnerReply, device: SigningKey): Uint8Array {
  return sealSigned(replyCodec, 'owner-reply', reply, device);
}

/** What a reply names a statement by. */
export function statementDigest(statement: Uint8Array): Uint8Array {
  return new Uint8Array(createHash('sha256').update(statement).digest());
}

/**
 * True if this reply answers this statement, given as it was sent: others' replies come over the same topic, and so do answers to
 * statements that somebody forged.
 */
export function answers(reply: OwnerReply, statement: Uint8Array): boolean {
  return equalBytes(reply.statement, statementDigest(statement));
}

/**
 * Verifies a reply with the key that it names. For a claim that key is new and nothing but the claim nonce ties it to
 * the device (trust on first use); after any other statement the caller compares it with the key it knows.
 */
export function verifyOwnerReply(bytes: Uint8Array): OwnerReply {
  return openSigned(replyCodec, 'owner-reply', bytes, (_signer, body) => body.signingKey).body;
}
