/**
 * COSE-HPKE, Key Encryption mode (draft-ietf-cose-hpke-27): the content is encrypted under a fresh key, and that key
 * is sealed to each recipient with HPKE-3 (RFC 9180 base mode; X25519, HKDF-SHA256, AES-128-GCM).
 */
import { AES_GCM_KEY_LENGTH, AES_GCM_NONCE_LENGTH } from './aes-gcm.js';
import { equalBytes } from './bytes.js';
import { cborMap, encodeDeterministic, Tag, type CborValue } from './cbor.js';
import { openContent, parseEncrypt, sealContent } from './cose/content.js';
import {
  Algorithm,
  coseHeaders,
  CoseTag,
  Header,
  malformed,
  requireAlgorithm,
  requireBytes,
  requireLabels,
} from './cose/message.js';
import { SmartZoneError } from './errors.js';
import { HPKE_ENC_LENGTH, hpkeOpen, hpkeSeal } from './hpke.js';
import { agreementKid, asKid, KID_LENGTH, type Kid } from './kid.js';
import type { AgreementKey } from './keys.js';
import { systemRandomness, type Randomness } from './randomness.js';

/** Header parameter of the recipient's layer that carries the encapsulated key. */
const ENCAPSULATED_KEY = -4;
/** What one offer may be sealed to: as many devices as a zone holds. */
export const MAX_RECIPIENTS = 16;
const WRAPPED_KEY_LENGTH = AES_GCM_KEY_LENGTH + 16;
const NO_AAD = new Uint8Array(0);

export interface HpkeRecipient {
  readonly publicKey: Uint8Array;
  /** Bound into the HPKE info; the receiver must know it (see `hpkeContext`). */
  readonly extraInfo: Uint8Array;
}

/** Recipient_structure of the draft: what HPKE's `info` is. */
export function recipientInfo(protectedBytes: Uint8Array, extraInfo: Uint8Array): Uint8Array {
  return encodeDeterministic(['HPKE Recipient', Algorithm.A128GCM, protectedBytes, extraInfo]);
}

export function sealEncrypt(
  plaintext: Uint8Array,
  recipients: readonly HpkeRecipient[],
  externalAad: Uint8Array,
  random: Randomness = systemRandomness,
): Uint8Array {
  if (recipients.length === 0 || recipients.length > MAX_RECIPIENTS)
    throw new RangeError(`1 to ${MAX_RECIPIENTS} recipients, not ${recipients.length}`);
  const protectedBytes = encodeDeterministic(cborMap([[Header.alg, Algorithm.A128GCM]]));
  const key = random.bytes(AES_GCM_KEY_LENGTH);
  const iv = random.bytes(AES_GCM_NONCE_LENGTH);
  const ciphertext = sealContent('Encrypt', protectedBytes, key, iv, externalAad, plaintext);
  const layers = recipients.map((recipient) => sealKey(key, recipient, random));
  key.fill(0);
  const unprotected = cborMap([[Header.iv, iv]]);
  return encodeDeterministic(new Tag(CoseTag.Encrypt, [protectedBytes, unprotected, ciphertext, layers]));
}

function sealKey(key: Uint8Array, recipient: HpkeRecipient, random: Randomness): CborValue {
  const protectedBytes = encodeDeterministic(
    cborMap([
      [Header.alg, Algorithm.HPKE3KE],
      [Header.kid, agreementKid(recipient.publicKey)],
    ]),
  );
  const info = recipientInfo(protectedBytes, recipient.extraInfo);
  const { enc, ciphertext } = hpkeSeal(recipient.publicKey, info, NO_AAD, key, random);
  return [protectedBytes, cborMap([[ENCAPSULATED_KEY, enc]]), ciphertext];
}

/** The kids of the X25519 keys that a structure is sealed to, in its order; nothing is verified. */
export function recipientKids(bytes: Uint8Array): Kid[] {
  return parseEncrypt(bytes).recipients.map((item) => parseRecipient(item).kid);
}

/**
 * Opens for `key`. Throws DECRYPT_FAILED where it is not sealed to that key or does not authenticate, and
 * UNKNOWN_ALGORITHM or MALFORMED where it leaves the profile: all recipients are checked, not only ours.
 */
export function openEncrypt(
  bytes: Uint8Array,
  key: AgreementKey,
  extraInfo: Uint8Array,
  externalAad: Uint8Array,
): Uint8Array {
  const message = parseEncrypt(bytes);
  requireAlgorithm(message.headers, Algorithm.A128GCM);
  requireLabels(message.headers.protected, Header.alg);
  requireLabels(message.headers.unprotected, Header.iv);
  if (message.recipients.length > MAX_RECIPIENTS) throw malformed('too many recipients');
  const layers = message.recipients.map(parseRecipient);
  const ours = layers.find((layer) => equalBytes(layer.kid, key.kid));
  if (ours === undefined) throw new SmartZoneError('DECRYPT_FAILED', 'not sealed to this key');
  const contentKey = hpkeOpen(key, ours, recipientInfo(ours.protectedBytes, extraInfo), NO_AAD);
  if (contentKey === undefined) throw new SmartZoneError('DECRYPT_FAILED', 'content key');
  const plaintext = openContent(message, contentKey, externalAad);
  contentKey.fill(0);
  if (plaintext === undefined) throw new SmartZoneError('DECRYPT_FAILED', 'content');
  return plaintext;
}

function parseRecipient(item: CborValue) {
  if (!Array.isArray(item) || item.length !== 3) throw malformed('recipient is not an array of 3');
  const [protectedItem, unprotected, ciphertext] = item as readonly CborValue[];
  const headers = coseHeaders(protectedItem, unprotected);
  requireAlgorithm(headers, Algorithm.HPKE3KE);
  requireLabels(headers.protected, Header.alg, Header.kid);
  requireLabels(headers.unprotected, ENCAPSULATED_KEY);
  return {
    protectedBytes: headers.protectedBytes,
    kid: asKid(requireBytes(headers.protected.get(Header.kid), 'kid', KID_LENGTH)),
    enc: requireBytes(headers.unprotected.get(ENCAPSULATED_KEY), 'encapsulated key', HPKE_ENC_LENGTH),
    ciphertext: requireBytes(ciphertext, 'wrapped key', WRAPPED_KEY_LENGTH),
  };
}
