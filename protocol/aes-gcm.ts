import { createCipheriv, createDecipheriv } from 'node:crypto';
import { joined } from './cbor/encode.js';

export const AES_GCM_KEY_LENGTH = 16;
export const AES_GCM_NONCE_LENGTH = 12;
export const AES_GCM_TAG_LENGTH = 16;

/** AES-128-GCM: ciphertext followed by the 16-byte tag. A (key, nonce) pair must never be used for a second message. */
export function sealAesGcm(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  return joined(sealAesGcmPieces(key, nonce, aad, [plaintext]));
}

/** The same of a plaintext in several places; the ciphertext comes in as many pieces, the tag as one more. */
export function sealAesGcmPieces(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  plaintext: readonly Uint8Array[],
): Uint8Array[] {
  checkLengths(key, nonce);
  const cipher = createCipheriv('aes-128-gcm', key, nonce, { authTagLength: AES_GCM_TAG_LENGTH });
  cipher.setAAD(aad);
  const pieces: Uint8Array[] = plaintext.map((piece) => cipher.update(piece));
  cipher.final();
  pieces.push(cipher.getAuthTag());
  return pieces;
}

/** The plaintext, or undefined where the tag does not match: nothing is released before it is verified. */
export function openAesGcm(
  key: Uint8Array,
  nonce: Uint8Array,
  aad: Uint8Array,
  sealed: Uint8Array,
): Uint8Array | undefined {
  checkLengths(key, nonce);
  if (sealed.length < AES_GCM_TAG_LENGTH) return undefined;
  const bodyLength = sealed.length - AES_GCM_TAG_LENGTH;
  const decipher = createDecipheriv('aes-128-gcm', key, nonce, { authTagLength: AES_GCM_TAG_LENGTH });
  decipher.setAAD(aad);
  decipher.setAuthTag(sealed.subarray(bodyLength));
  const body = decipher.update(sealed.subarray(0, bodyLength));
  try {
    decipher.final();
  } catch {
    body.fill(0);
    return undefined;
  }
  return new Uint8Array(body.buffer, body.byteOffset, body.length);
}

function checkLengths(key: Uint8Array, nonce: Uint8Array): void {
  if (key.length !== AES_GCM_KEY_LENGTH) throw new RangeError('AES-128-GCM takes a 16-byte key');
  if (nonce.length !== AES_GCM_NONCE_LENGTH) throw new RangeError('AES-GCM takes a 12-byte nonce here');
}
