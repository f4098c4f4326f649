/** Signed and sealed messages: domain separation, and the bindings that smart-zone.cddl gives under "common". */
import { equalBytes, utf8 } from './bytes.js';
import { encodeDeterministic } from './cbor.js';
import { openEncrypt, sealEncrypt } from './cose-hpke.js';
import { parseProfiledSign1, sealSign1, verifySign1 } from './cose/sign1.js';
import { SmartZoneError } from './errors.js';
import { signingKid, type Kid } from './kid.js';
import type { AgreementKey, SigningKey } from './keys.js';
import type { Randomness } from './randomness.js';
import { decodeWith, encodeWith, type Codec } from './schema.js';

export const PROTOCOL_VERSION = 1;

/** What a signature or a sealed structure is for: none can stand in for another. */
export type Purpose =
  | 'hello'
  | 'invite-request'
  | 'invite-reply'
  | 'evidence'
  | 'owner'
  | 'owner-reply'
  | 'owners'
  | 'roster'
  | 'offer'
  | 'zone-offer'
  | 'rules-hello'
  | 'label-offer'
  | 'label'
  | 'telemetry'
  | 'receipt'
  | 'model-offer'
  | 'model-package'
  | 'model-status';

/** external_aad of everything that is signed or sealed for `purpose`. */
export function purposeAad(purpose: Purpose): Uint8Array {
  return utf8(`smart-zone/${PROTOCOL_VERSION}/${purpose}`);
}

export function sealSigned<T>(codec: Codec<T>, purpose: Purpose, body: T, key: SigningKey): Uint8Array {
  return sealSign1(encodeWith(codec, body), key, purposeAad(purpose));
}

export interface Signed<T> {
  readonly signer: Kid;
  readonly body: T;
}

/**
 * Verifies a signed message over the received bytes.
 * @param keyFor the Ed25519 key to verify with, given the kid that the message names and its body, which is not verified
 *   yet: a hello carries its own key. Undefined is UNKNOWN_SENDER, as is a key with another kid.
 */
export function openSigned<T>(
  codec: Codec<T>,
  purpose: Purpose,
  bytes: Uint8Array,
  keyFor: (signer: Kid, body: T) => Uint8Array | undefined,
): Signed<T> {
  const message = parseProfiledSign1(bytes);
  if (message.payload === null) throw new SmartZoneError('MALFORMED', `${purpose}: no payload`);
  const body = decodeWith(codec, message.payload, purpose);
  const key = keyFor(message.kid, body);
  if (key === undefined || !equalBytes(signingKid(key), message.kid))
    throw new SmartZoneError('UNKNOWN_SENDER', `${purpose} signed by another key`);
  verifySign1(message, key, purposeAad(purpose));
  return { signer: message.kid, body };
}

/** The kid that a signed message names. Nothing is verified: for choosing the key to verify with. */
export function claimedSigner(bytes: Uint8Array): Kid {
  return parseProfiledSign1(bytes).kid;
}

/** The one of `keys` that has this kid. */
export function keyWithKid(keys: readonly Uint8Array[], kid: Kid): Uint8Array | undefined {
  return keys.find((key) => equalBytes(signingKid(key), kid));
}

/** Whom something is sealed to. */
export interface Receiver {
  /** Device, rules host, or zone. */
  readonly id: Kid;
  /** What makes it fresh: boot nonce (device), fresh nonce (rules host), manifest digest (model). */
  readonly freshness: Uint8Array;
}

export interface SealedReceiver extends Receiver {
  /** The X25519 key: prekey, or for models the device's static key. */
  readonly publicKey: Uint8Array;
}

function hpkeContext(purpose: Purpose, sender: Kid, receiver: Receiver): Uint8Array {
  return encodeDeterministic([PROTOCOL_VERSION, purpose, sender, receiver.id, receiver.freshness]);
}

/** The `encrypted` structure: plaintext for receivers, bound to purpose, sender, receiver and its freshness. */
export function sealFor(
  purpose: Purpose,
  sender: Kid,
  receivers: readonly SealedReceiver[],
  plaintext: Uint8Array,
  random?: Randomness,
): Uint8Array {
  const recipients = receivers.map((receiver) => ({
    publicKey: receiver.publicKey,
    extraInfo: hpkeContext(purpose, sender, receiver),
  }));
  return sealEncrypt(plaintext, recipients, purposeAad(purpose), random);
}

/** Opens what `sealFor` made. Throws DECRYPT_FAILED where purpose, sender, receiver or freshness differ. */
export function openFor(
  purpose: Purpose,
  sender: Kid,
  receiver: Receiver,
  key: AgreementKey,
  bytes: Uint8Array,
): Uint8Array {
  return openEncrypt(bytes, key, hpkeContext(purpose, sender, receiver), purposeAad(purpose));
}

/** `signed<encrypted>`: sealed to the receivers, then signed by the sender. */
export function sealOfferFor<T>(
  codec: Codec<T>,
  purpose: Purpose,
  body: T,
  sender: SigningKey,
  receivers: readonly SealedReceiver[],
  random?: Randomness,
): Uint8Array {
  const sealed = sealFor(purpose, sender.kid, receivers, encodeWith(codec, body), random);
  return sealSign1(sealed, sender, purposeAad(purpose));
}

/** Verifies and opens `signed<encrypted>`. Throws BAD_SIGNATURE, UNKNOWN_SENDER, DECRYPT_FAILED. */
export function openOfferFor<T>(
  codec: Codec<T>,
  purpose: Purpose,
  bytes: Uint8Array,
  senderKey: Uint8Array,
  receiver: Receiver,
  key: AgreementKey,
): T {
  const message = parseProfiledSign1(bytes);
  if (!equalBytes(signingKid(senderKey), message.kid))
    throw new SmartZoneError('UNKNOWN_SENDER', `${purpose} signed by another key`);
  const sealed = verifySign1(message, senderKey, purposeAad(purpose));
  return decodeWith(codec, openFor(purpose, message.kid, receiver, key, sealed), purpose);
}
