/** COSE_Sign1 (RFC 9052 section 4.2) with Ed25519. */
import { cborMap, encodeDeterministic, Tag } from '../cbor.js';
import { SmartZoneError } from '../errors.js';
import { asKid, KID_LENGTH, type Kid } from '../kid.js';
import { SIGNATURE_LENGTH, verifyEd25519, type SigningKey } from '../keys.js';
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
  requireLabels,
  type CoseHeaders,
  type CoseParseOptions,
} from './message.js';

export interface Sign1 {
  readonly headers: CoseHeaders;
  /** null where the payload is detached. */
  readonly payload: Uint8Array | null;
  readonly signature: Uint8Array;
}

/** A Sign1 of this protocol: EdDSA, the signer named by its kid, nothing else in the headers. */
export interface ProfiledSign1 extends Sign1 {
  readonly kid: Kid;
}

/** Any COSE_Sign1; its signature is not verified. */
export function parseSign1(bytes: Uint8Array, options?: CoseParseOptions): Sign1 {
  const [protectedItem, unprotected, payload, signature] = coseArray(bytes, CoseTag.Sign1, 4, options);
  return {
    headers: coseHeaders(protectedItem, unprotected),
    payload: payload === null ? null : requireBytes(payload, 'payload'),
    signature: requireBytes(signature, 'signature'),
  };
}

/** A Sign1 in this protocol's profile; its signature is not verified. */
export function parseProfiledSign1(bytes: Uint8Array): ProfiledSign1 {
  const message = parseSign1(bytes);
  requireAlgorithm(message.headers, Algorithm.EdDSA);
  requireLabels(message.headers.protected, Header.alg, Header.kid);
  requireLabels(message.headers.unprotected);
  if (message.signature.length !== SIGNATURE_LENGTH) throw malformed('signature has not 64 bytes');
  const kid = requireBytes(message.headers.protected.get(Header.kid), 'kid', KID_LENGTH);
  return { ...message, kid: asKid(kid) };
}

/** Sig_structure (RFC 9052 section 4.4): the bytes that are signed. */
export function signatureInput(
  protectedBytes: Uint8Array,
  externalAad: Uint8Array,
  payload: Uint8Array,
): Uint8Array {
  return encodeDeterministic(['Signature1', protectedBytes, externalAad, payload]);
}

export interface SignOptions {
  /** The payload is signed but left out of the message: the receiver has it from elsewhere. */
  readonly detached?: boolean;
}

export function sealSign1(
  payload: Uint8Array,
  key: SigningKey,
  externalAad: Uint8Array,
  options: SignOptions = {},
): Uint8Array {
  const protectedBytes = encodeDeterministic(
    cborMap([
      [Header.alg, Algorithm.EdDSA],
      [Header.kid, key.kid],
    ]),
  );
  const signature = key.sign(signatureInput(protectedBytes, externalAad, payload));
  const body = options.detached === true ? null : payload;
  return encodeDeterministic(new Tag(CoseTag.Sign1, [protectedBytes, new Map(), body, signature]));
}

/** The payload, once verified over the received bytes. Throws BAD_SIGNATURE. */
export function verifySign1(
  message: Sign1,
  publicKey: Uint8Array,
  externalAad: Uint8Array,
  detachedPayload?: Uint8Array,
): Uint8Array {
  const payload = message.payload ?? detachedPayload;
  if (payload === undefined || (message.payload !== null && detachedPayload !== undefined))
    throw malformed(message.payload === null ? 'payload missing' : 'payload is not detached');
  const input = signatureInput(authenticatedHeader(message.headers), externalAad, payload);
  if (!verifyEd25519(publicKey, input, message.signature)) throw new SmartZoneError('BAD_SIGNATURE');
  return payload;
}
