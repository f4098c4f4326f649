/** What both sides of the wire agree on. */
export * from './cbor.js';
export * from './codes.js';
export * from './errors.js';
export * from './bytes.js';
export * from './randomness.js';
export * from './hkdf.js';
export * from './aes-gcm.js';
export * from './kid.js';
export * from './keys.js';
export * from './x25519-public.js';
export * from './hpke.js';
export * from './cose-hpke.js';
export * from './cose/sign1.js';
