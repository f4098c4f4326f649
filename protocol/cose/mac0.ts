/** COSE_Mac0 (RFC 9052 section 6.2) with HMAC-SHA256 of full length. */
import { timingSafeEqual } from 'node:crypto';
import { cborMap, encodeDeterministic, Tag } from '../cbor.js';
import { SmartZoneError } from '../errors.js';
import { hmacSha256 } from '../hkdf.js';
import {
  Algorithm,
  coseArray,
  coseHeaders,
  CoseTag,
  Header,
  requireAlgorithm,
  requireBytes,
  requireLabels,
} from './message.js';

const TAG_LENGTH = 32;

/** MAC_structure (RFC 9052 section 6.3). */
function macOver(
  key: Uint8Array,
  protectedBytes: Uint8Array,
  externalAad: Uint8Array,
  payload: Uint8Array,
): Uint8Array {
  return hmacSha256(key, encodeDeterministic(['MAC0', protectedBytes, externalAad, payload]));
}

export function sealMac0(payload: Uint8Array, key: Uint8Array, externalAad: Uint8Array): Uint8Array {
  const protectedBytes = encodeDeterministic(cborMap([[Header.alg, Algorithm.HMAC256]]));
  const tag = macOver(key, protectedBytes, externalAad, payload);
  return encodeDeterministic(new Tag(CoseTag.Mac0, [protectedBytes, new Map(), payload, tag]));
}

/** The payload, once its tag is verified. Throws BAD_TAG. */
export function openMac0(bytes: Uint8Array, key: Uint8Array, externalAad: Uint8Array): Uint8Array {
  const [protectedItem, unprotected, item, tagItem] = coseArray(bytes, CoseTag.Mac0, 4);
  const headers = coseHeaders(protectedItem, unprotected);
  requireAlgorithm(headers, Algorithm.HMAC256);
  requireLabels(headers.protected, Header.alg);
  requireLabels(headers.unprotected);
  const payload = requireBytes(item, 'payload');
  const tag = requireBytes(tagItem, 'tag', TAG_LENGTH);
  if (!timingSafeEqual(tag, macOver(key, headers.protectedBytes, externalAad, payload)))
    throw new SmartZoneError('BAD_TAG', 'COSE_Mac0');
  return payload;
}
