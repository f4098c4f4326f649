import { createHash } from 'node:crypto';
import { cborMap, encodeDeterministic } from './cbor.js';
import { fromHex, toHex } from './bytes.js';

declare const brand: unique symbol;

/** Names a public key: the first 8 bytes of its COSE Key Thumbprint (RFC 9679). A zone id has the same form. */
export type Kid = Uint8Array & { readonly [brand]: 'Kid' };

/** Names a channel: 8 random bytes that its sender drew. As long as a kid, and never to be mistaken for one. */
export type ChannelId = Uint8Array & { readonly [brand]: 'ChannelId' };

export const KID_LENGTH = 8;

/** COSE elliptic curve numbers (RFC 9053 section 7.1). */
export const Curve = { X25519: 4, Ed25519: 6 } as const;
export type Curve = (typeof Curve)[keyof typeof Curve];

export function asKid(bytes: Uint8Array): Kid {
  if (bytes.length !== KID_LENGTH) throw new RangeError('a kid has 8 bytes');
  return bytes as Kid;
}

export function asChannelId(bytes: Uint8Array): ChannelId {
  if (bytes.length !== KID_LENGTH) throw new RangeError('a channel id has 8 bytes');
  return bytes as ChannelId;
}

export function kidToHex(kid: Kid): string {
  return toHex(kid);
}

/** How a kid is shown to people for comparing: in groups of four digits. */
export function fingerprint(kid: Kid): string {
  return (toHex(kid).match(/.{4}/g) ?? []).join(' ');
}

/** Throws a RangeError unless `text` is 16 hexadecimal digits. */
export function kidFromHex(text: string): Kid {
  return asKid(fromHex(text));
}

/** SHA-256 over the deterministic encoding of the key's required members {kty: OKP, crv, x} (RFC 9679 section 4). */
export function keyThumbprint(curve: Curve, publicKey: Uint8Array): Uint8Array {
  const coseKey = cborMap([
    [1, 1],
    [-1, curve],
    [-2, publicKey],
  ]);
  return new Uint8Array(createHash('sha256').update(encodeDeterministic(coseKey)).digest());
}

export function kidOf(curve: Curve, publicKey: Uint8Array): Kid {
  return asKid(keyThumbprint(curve, publicKey).slice(0, KID_LENGTH));
}

/** The kid by which a party is known: that of its Ed25519 key. */
export function signingKid(publicKey: Uint8Array): Kid {
  return kidOf(Curve.Ed25519, publicKey);
}

/** The kid of an X25519 key, as recipients of an encrypted structure are named. */
export function agreementKid(publicKey: Uint8Array): Kid {
  return kidOf(Curve.X25519, publicKey);
}
