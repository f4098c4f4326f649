/** The content layer of COSE_Encrypt0 and COSE_Encrypt (RFC 9052 section 5) with A128GCM. */
import { AES_GCM_NONCE_LENGTH, openAesGcm, sealAesGcm } from '../aes-gcm.js';
import { encodeDeterministic, type CborValue } from '../cbor.js';
import {
  Algorithm,
  authenticatedHeader,
  coseArray,
  coseHeaders,
  CoseTag,
  Header,
  malformed,
  requireAlgorithm,
  requireBytes,
  type CoseHeaders,
  type CoseParseOptions,
} from './message.js';

/** The context string of Enc_structure. */
export type EncryptContext = 'Encrypt0' | 'Encrypt';

export interface ContentLayer {
  readonly context: EncryptContext;
  readonly headers: CoseHeaders;
  readonly ciphertext: Uint8Array;
}

const MAX_PARTIAL_IV_LENGTH = 5;
const ZERO_IV: Uint8Array = new Uint8Array(AES_GCM_NONCE_LENGTH);

export function parseEncrypt0(bytes: Uint8Array, options?: CoseParseOptions): ContentLayer {
  const [protectedItem, unprotected, ciphertext] = coseArray(bytes, CoseTag.Encrypt0, 3, options);
  return contentLayer('Encrypt0', protectedItem, unprotected, ciphertext);
}

/** COSE_Encrypt: the content layer, and the recipients still undecoded. */
export function parseEncrypt(
  bytes: Uint8Array,
  options?: CoseParseOptions,
): ContentLayer & { readonly recipients: readonly CborValue[] } {
  const [protectedItem, unprotected, ciphertext, recipients] = coseArray(bytes, CoseTag.Encrypt, 4, options);
  if (!Array.isArray(recipients) || recipients.length === 0) throw malformed('no recipients');
  return {
    ...contentLayer('Encrypt', protectedItem, unprotected, ciphertext),
    recipients: recipients as readonly CborValue[],
  };
}

function contentLayer(
  context: EncryptContext,
  protectedItem: CborValue | undefined,
  unprotected: CborValue | undefined,
  ciphertext: CborValue | undefined,
): ContentLayer {
  return {
    context,
    headers: coseHeaders(protectedItem, unprotected),
    ciphertext: requireBytes(ciphertext, 'ciphertext'),
  };
}

/** Enc_structure (RFC 9052 section 5.3): the additional authenticated data. */
export function encryptAad(
  context: EncryptContext,
  protectedBytes: Uint8Array,
  externalAad: Uint8Array,
): Uint8Array {
  return encodeDeterministic([context, protectedBytes, externalAad]);
}

/** A number as a Partial IV: big-endian, without leading zeros, 1 to 5 bytes. Throws a RangeError beyond 2^40 - 1. */
export function partialIvOf(number: number): Uint8Array {
  if (!Number.isInteger(number) || number < 0 || number >= 2 ** (8 * MAX_PARTIAL_IV_LENGTH))
    throw new RangeError(`${number} cannot be a Partial IV`);
  const bytes: number[] = [];
  for (let rest = number; rest > 0 || bytes.length === 0; rest = Math.floor(rest / 256))
    bytes.unshift(rest % 256);
  return Uint8Array.from(bytes);
}

/** The number in a Partial IV. One number has one form: leading zeros are refused. */
export function partialIvNumber(partialIv: Uint8Array): number {
  const length = partialIv.length;
  if (length === 0 || length > MAX_PARTIAL_IV_LENGTH || (length > 1 && partialIv[0] === 0))
    throw malformed('Partial IV is not minimal');
  return partialIv.reduce((number, byte) => number * 256 + byte, 0);
}

/** The base IV with the left-padded Partial IV XORed into it (RFC 9052 section 3.1, "Partial IV"). */
export function nonceFromPartialIv(partialIv: Uint8Array, baseIv: Uint8Array = ZERO_IV): Uint8Array {
  if (partialIv.length > baseIv.length) throw malformed('Partial IV longer than the nonce');
  const nonce = Uint8Array.from(baseIv);
  const start = nonce.length - partialIv.length;
  partialIv.forEach((byte, i) => {
    nonce[start + i] = (nonce[start + i] ?? 0) ^ byte;
  });
  return nonce;
}

/** The nonce that the headers give: the IV itself, or the Partial IV with `baseIv`; never both. */
export function nonceOf(headers: CoseHeaders, baseIv?: Uint8Array): Uint8Array {
  const find = (label: number) => headers.protected.get(label) ?? headers.unprotected.get(label);
  const iv = find(Header.iv);
  const partialIv = find(Header.partialIv);
  if ((iv === undefined) === (partialIv === undefined)) throw malformed('needs either an IV or a Partial IV');
  if (iv !== undefined) return requireBytes(iv, 'IV', AES_GCM_NONCE_LENGTH);
  return nonceFromPartialIv(requireBytes(partialIv, 'Partial IV'), baseIv);
}

/** Ciphertext and tag for a content layer with these protected bytes. */
export function sealContent(
  context: EncryptContext,
  protectedBytes: Uint8Array,
  key: Uint8Array,
  nonce: Uint8Array,
  externalAad: Uint8Array,
  plaintext: Uint8Array,
): Uint8Array {
  return sealAesGcm(key, nonce, encryptAad(context, protectedBytes, externalAad), plaintext);
}

/** The plaintext, or undefined where it does not authenticate. Throws UNKNOWN_ALGORITHM for all but A128GCM. */
export function openContent(
  layer: ContentLayer,
  key: Uint8Array,
  externalAad: Uint8Array,
  baseIv?: Uint8Array,
): Uint8Array | undefined {
  requireAlgorithm(layer.headers, Algorithm.A128GCM);
  const aad = encryptAad(layer.context, authenticatedHeader(layer.headers), externalAad);
  return openAesGcm(key, nonceOf(layer.headers, baseIv), aad, layer.ciphertext);
}
