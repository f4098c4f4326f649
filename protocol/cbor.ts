/** Deterministic CBOR (RFC 8949 section 4.2.1): the only encoding that is written or accepted. */
export { CborError, type CborErrorCode } from './cbor/error.js';
export { decodeStrict, type DecodeLimits } from './cbor/decode.js';
export { encodeDeterministic } from './cbor/encode.js';
export { cborMap, Float, Tag, type CborKey, type CborMap, type CborValue } from './cbor/value.js';
