/**
 * HPKE base mode, single shot (RFC 9180 sections 5.1.1 and 6.1), for the one suite that this protocol uses:
 * DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, AES-128-GCM.
 */
import { AES_GCM_KEY_LENGTH, AES_GCM_NONCE_LENGTH, openAesGcm, sealAesGcm } from './aes-gcm.js';
import { concatBytes, utf8 } from './bytes.js';
import { hkdfExpand, hkdfExtract } from './hkdf.js';
import { AgreementKey } from './keys.js';
import { systemRandomness, type Randomness } from './randomness.js';

const VERSION_LABEL = utf8('HPKE-v1');
/** "KEM" and the KEM's number, 0x0020 (section 4.1). */
const KEM_SUITE = concatBytes(utf8('KEM'), Uint8Array.of(0x00, 0x20));
/** "HPKE" and the numbers of KEM 0x0020, KDF 0x0001, AEAD 0x0001 (section 5.1). */
const HPKE_SUITE = concatBytes(utf8('HPKE'), Uint8Array.of(0x00, 0x20, 0x00, 0x01, 0x00, 0x01));
const MODE_BASE = 0;
const SECRET_LENGTH = 32;
const NONE = new Uint8Array(0);

export const HPKE_ENC_LENGTH = 32;

export interface HpkeSealed {
  /** The encapsulated key: the sender's ephemeral public key. */
  readonly enc: Uint8Array;
  /** Ciphertext and tag. */
  readonly ciphertext: Uint8Array;
}

export interface HpkeKeys {
  readonly key: Uint8Array;
  readonly baseNonce: Uint8Array;
}

/** Seals for the holder of `recipient`. The ephemeral private key is the 32 bytes drawn from `random`. */
export function hpkeSeal(
  recipient: Uint8Array,
  info: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
  random: Randomness = systemRandomness,
): HpkeSealed {
  const ephemeral = AgreementKey.generate(random);
  const secret = kemSecret(ephemeral.agree(recipient), ephemeral.publicKey, recipient);
  const { key, baseNonce } = keySchedule(secret, info);
  return { enc: ephemeral.publicKey, ciphertext: sealAesGcm(key, baseNonce, aad, plaintext) };
}

/** The plaintext, or undefined where it does not authenticate. Throws BAD_KEY on an unacceptable `enc`. */
export function hpkeOpen(
  recipient: AgreementKey,
  sealed: HpkeSealed,
  info: Uint8Array,
  aad: Uint8Array,
): Uint8Array | undefined {
  const { key, baseNonce } = hpkeReceiverKeys(recipient, sealed.enc, info);
  return openAesGcm(key, baseNonce, aad, sealed.ciphertext);
}

/** What SetupBaseR derives (section 5.1.1): key and base nonce, the nonce of the first message. */
export function hpkeReceiverKeys(recipient: AgreementKey, enc: Uint8Array, info: Uint8Array): HpkeKeys {
  return keySchedule(kemSecret(recipient.agree(enc), enc, recipient.publicKey), info);
}

/** ExtractAndExpand (section 4.1): binds the secret to both public keys. */
function kemSecret(dh: Uint8Array, enc: Uint8Array, recipient: Uint8Array): Uint8Array {
  const prk = labeledExtract(KEM_SUITE, NONE, 'eae_prk', dh);
  return labeledExpand(KEM_SUITE, prk, 'shared_secret', concatBytes(enc, recipient), SECRET_LENGTH);
}

function keySchedule(sharedSecret: Uint8Array, info: Uint8Array): HpkeKeys {
  const context = concatBytes(
    Uint8Array.of(MODE_BASE),
    labeledExtract(HPKE_SUITE, NONE, 'psk_id_hash', NONE),
    labeledExtract(HPKE_SUITE, NONE, 'info_hash', info),
  );
  const secret = labeledExtract(HPKE_SUITE, sharedSecret, 'secret', NONE);
  return {
    key: labeledExpand(HPKE_SUITE, secret, 'key', context, AES_GCM_KEY_LENGTH),
    baseNonce: labeledExpand(HPKE_SUITE, secret, 'base_nonce', context, AES_GCM_NONCE_LENGTH),
  };
}

function labeledExtract(suite: Uint8Array, salt: Uint8Array, label: string, ikm: Uint8Array): Uint8Array {
  return hkdfExtract(salt, concatBytes(VERSION_LABEL, suite, utf8(label), ikm));
}

function labeledExpand(
  suite: Uint8Array,
  prk: Uint8Array,
  label: string,
  info: Uint8Array,
  length: number,
): Uint8Array {
  const labeled = concatBytes(
    Uint8Array.of(length >> 8, length & 0xff),
    VERSION_LABEL,
    suite,
    utf8(label),
    info,
  );
  return hkdfExpand(prk, labeled, length);
}
