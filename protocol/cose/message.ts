/** What all COSE messages share (RFC 9052 sections 2 and 3): a tag, an array, and two buckets of headers. */
import { CborError, decodeStrict, Tag, type CborMap, type CborValue } from '../cbor.js';
import { SmartZoneError } from '../errors.js';

/** Header parameters (RFC 9052 section 3.1). */
export const Header = { alg: 1, crit: 2, kid: 4, iv: 5, partialIv: 6 } as const;

/** Algorithms (RFC 9053; HPKE-3-KE has the value that draft-ietf-cose-hpke-27 assumes). */
export const Algorithm = { EdDSA: -8, A128GCM: 1, HMAC256: 5, HPKE3KE: 49 } as const;

export const CoseTag = { Encrypt0: 16, Mac0: 17, Sign1: 18, Encrypt: 96 } as const;

export interface CoseHeaders {
  /** As received: what is authenticated. */
  readonly protectedBytes: Uint8Array;
  readonly protected: CborMap;
  readonly unprotected: CborMap;
}

export interface CoseParseOptions {
  /** The tag may be missing, as RFC 9052 section 2 allows where the context tells the type. Default false. */
  readonly untagged?: boolean;
}

/** The array of `length` items inside the message that `bytes` hold under `tag`. */
export function coseArray(
  bytes: Uint8Array,
  tag: number,
  length: number,
  options: CoseParseOptions = {},
): readonly CborValue[] {
  let value = decodeStrict(bytes);
  if (value instanceof Tag) {
    if (value.tag !== tag) throw malformed(`COSE tag ${value.tag} where ${tag} is due`);
    value = value.value;
  } else if (options.untagged !== true) throw malformed('COSE tag missing');
  if (!Array.isArray(value) || value.length !== length) throw malformed(`not a COSE array of ${length}`);
  return value as readonly CborValue[];
}

/** Decodes the two header buckets. No label may be in both, and nothing may be critical: no extension is known here. */
export function coseHeaders(
  protectedItem: CborValue | undefined,
  unprotected: CborValue | undefined,
): CoseHeaders {
  if (!(protectedItem instanceof Uint8Array) || !(unprotected instanceof Map))
    throw malformed('COSE header bucket of the wrong type');
  const map = protectedItem.length === 0 ? new Map() : decodeStrict(protectedItem);
  if (!(map instanceof Map)) throw malformed('protected header is not a map');
  const headers = {
    protectedBytes: protectedItem,
    protected: map as CborMap,
    unprotected: unprotected as CborMap,
  };
  for (const label of headers.protected.keys())
    if (headers.unprotected.has(label)) throw malformed('header parameter in both buckets');
  if (headers.protected.has(Header.crit) || headers.unprotected.has(Header.crit))
    throw malformed('critical header parameter');
  return headers;
}

/** The protected bucket as it stands in Sig_structure and Enc_structure: an empty map counts as an empty string. */
export function authenticatedHeader(headers: CoseHeaders): Uint8Array {
  return headers.protected.size === 0 ? new Uint8Array(0) : headers.protectedBytes;
}

/**
 * Throws UNKNOWN_ALGORITHM unless the headers name `algorithm`. Where the protected bucket must name it, `requireLabels`
 * says so.
 */
export function requireAlgorithm(headers: CoseHeaders, algorithm: number): void {
  const found = headers.protected.get(Header.alg) ?? headers.unprotected.get(Header.alg);
  if (found === undefined) throw malformed('no algorithm');
  if (found !== algorithm)
    throw new SmartZoneError(
      'UNKNOWN_ALGORITHM',
      `COSE ${typeof found === 'number' ? found : 'non-numeric'}`,
    );
}

/** Throws unless the bucket has just these labels. */
export function requireLabels(map: CborMap, ...labels: readonly number[]): void {
  if (map.size !== labels.length || !labels.every((label) => map.has(label)))
    throw malformed('header parameters outside the profile');
}

export function requireBytes(value: CborValue | undefined, what: string, length?: number): Uint8Array {
  if (!(value instanceof Uint8Array) || (length !== undefined && value.length !== length))
    throw malformed(`${what} is not a byte string of the right length`);
  return value;
}

export function malformed(reason: string): CborError {
  return new CborError('MALFORMED', reason, 0);
}
