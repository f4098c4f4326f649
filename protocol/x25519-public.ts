import { SmartZoneError } from './errors.js';

const P = 2n ** 255n - 19n;

/**
 * u-coordinates of the points of order 1, 2, 4 and 8 on Curve25519 and on its twist. A secret agreed with one of
 * them is all zeros whatever the private key, so anyone could open what is sealed to it.
 * The two long ones, of order 8, are the roots that D. J. Bernstein lists at https://cr.yp.to/ecdh.html#validate.
 */
const LOW_ORDER: ReadonlySet<bigint> = new Set([
  0n,
  1n,
  P - 1n,
  325606250916557431795983626356110631294008115727848805560023387167927233504n,
  39382357235489614581723060781553021112529911719440698176882885853963445705823n,
]);

/**
 * The public key as X25519 reads it (bit 255 ignored, reduced mod p: RFC 7748 section 5), as 32 bytes. Throws BAD_KEY
 * where it has not 32 bytes or is of low order.
 */
export function acceptX25519PublicKey(publicKey: Uint8Array): Uint8Array {
  if (publicKey.length !== 32)
    throw new SmartZoneError('BAD_KEY', `X25519 public key of ${publicKey.length} bytes`);
  const masked = Uint8Array.from(publicKey);
  masked[31] = (masked[31] ?? 0) & 0x7f;
  const u = littleEndian(masked) % P;
  if (LOW_ORDER.has(u)) throw new SmartZoneError('BAD_KEY', 'X25519 public key of low order');
  return masked;
}

function littleEndian(bytes: Uint8Array): bigint {
  return BigInt(`0x${Buffer.from(bytes).reverse().toString('hex')}`);
}
