import {
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  sign as signOneShot,
  verify as verifyOneShot,
  type KeyObject,
} from 'node:crypto';
import { SmartZoneError } from './errors.js';
import { agreementKid, signingKid, type Kid } from './kid.js';
import { systemRandomness, type Randomness } from './randomness.js';
import { acceptX25519PublicKey } from './x25519-public.js';

export const KEY_LENGTH = 32;
export const SIGNATURE_LENGTH = 64;

/**
 * DER around a raw 32-byte key (RFC 8410 sections 4 and 7): PKCS#8 for private keys, SubjectPublicKeyInfo for public
 * ones. Node takes no raw keys, and its JWK form of a private key demands the public one too.
 */
const DER_PREFIX = {
  Ed25519: {
    private: Buffer.from('302e020100300506032b657004220420', 'hex'),
    public: Buffer.from('302a300506032b6570032100', 'hex'),
  },
  X25519: {
    private: Buffer.from('302e020100300506032b656e04220420', 'hex'),
    public: Buffer.from('302a300506032b656e032100', 'hex'),
  },
} as const;

type Algorithm = keyof typeof DER_PREFIX;

function privateKeyObject(algorithm: Algorithm, seed: Uint8Array): KeyObject {
  if (seed.length !== KEY_LENGTH)
    throw new SmartZoneError('BAD_KEY', `${algorithm} private key of ${seed.length} bytes`);
  const key = Buffer.concat([DER_PREFIX[algorithm].private, seed]);
  try {
    return createPrivateKey({ key, format: 'der', type: 'pkcs8' });
  } finally {
    key.fill(0);
  }
}

/** Parsing a key takes OpenSSL several times as long as using it, and a rules host verifies every label with the same one. */
const MOST_PARSED = 64;
const parsed = new Map<string, KeyObject>();

function publicKeyObject(algorithm: Algorithm, raw: Uint8Array): KeyObject {
  if (raw.length !== KEY_LENGTH)
    throw new SmartZoneError('BAD_KEY', `${algorithm} public key of ${raw.length} bytes`);
  const key = Buffer.concat([DER_PREFIX[algorithm].public, raw]);
  const name = key.toString('latin1');
  let object = parsed.get(name);
  if (object === undefined) {
    object = createPublicKey({ key, format: 'der', type: 'spki' });
    const oldest = parsed.keys().next();
    if (parsed.size >= MOST_PARSED && oldest.done !== true) parsed.delete(oldest.value);
    parsed.set(name, object);
  }
  return object;
}

function rawPublicKey(privateKey: KeyObject): Uint8Array {
  const der = createPublicKey(privateKey).export({ format: 'der', type: 'spki' });
  return new Uint8Array(der.subarray(der.length - KEY_LENGTH));
}

/** An Ed25519 key pair (RFC 8032). */
export class SigningKey {
  readonly publicKey: Uint8Array;
  readonly kid: Kid;
  readonly #key: KeyObject;
  readonly #seed: Uint8Array;

  private constructor(seed: Uint8Array) {
    this.#seed = Uint8Array.from(seed);
    this.#key = privateKeyObject('Ed25519', seed);
    this.publicKey = rawPublicKey(this.#key);
    this.kid = signingKid(this.publicKey);
  }

  /** @param seed the 32-byte private key of RFC 8032; copied. */
  static fromSeed(seed: Uint8Array): SigningKey {
    return new SigningKey(seed);
  }

  static generate(random: Randomness = systemRandomness): SigningKey {
    return new SigningKey(random.bytes(KEY_LENGTH));
  }

  /** A copy of the private key, for writing it to a key file. */
  exportSeed(): Uint8Array {
    return Uint8Array.from(this.#seed);
  }

  sign(message: Uint8Array): Uint8Array {
    return new Uint8Array(signOneShot(null, message, this.#key));
  }
}

/** An X25519 key pair (RFC 7748). */
export class AgreementKey {
  readonly publicKey: Uint8Array;
  readonly kid: Kid;
  readonly #key: KeyObject;
  readonly #scalar: Uint8Array;

  private constructor(scalar: Uint8Array) {
    this.#scalar = Uint8Array.from(scalar);
    this.#key = privateKeyObject('X25519', scalar);
    this.publicKey = rawPublicKey(this.#key);
    this.kid = agreementKid(this.publicKey);
  }

  /** @param scalar 32 bytes, clamped when used (RFC 7748 section 5); copied. */
  static fromScalar(scalar: Uint8Array): AgreementKey {
    return new AgreementKey(scalar);
  }

  static generate(random: Randomness = systemRandomness): AgreementKey {
    return new AgreementKey(random.bytes(KEY_LENGTH));
  }

  /** A copy of the private key, for writing it to a key file. */
  exportScalar(): Uint8Array {
    return Uint8Array.from(this.#scalar);
  }

  /**
   * The shared secret with a peer's public key. Throws BAD_KEY on points of low order, whose secret anyone knows
   * (RFC 7748 section 6.1, RFC 9180 section 7.1.4).
   */
  agree(peerPublicKey: Uint8Array): Uint8Array {
    const accepted = acceptX25519PublicKey(peerPublicKey);
    let secret: Uint8Array;
    try {
      secret = diffieHellman({ privateKey: this.#key, publicKey: publicKeyObject('X25519', accepted) });
    } catch (cause) {
      throw new SmartZoneError('BAD_KEY', 'X25519 agreement', { cause });
    }
    if (secret.every((byte) => byte === 0)) throw new SmartZoneError('BAD_KEY', 'all-zero X25519 secret');
    return new Uint8Array(secret);
  }
}

/** True if `signature` is this key's over `message` (RFC 8032 section 5.1.7). Anything malformed is false. */
export function verifyEd25519(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  if (publicKey.length !== KEY_LENGTH || signature.length !== SIGNATURE_LENGTH) return false;
  try {
    return verifyOneShot(null, message, publicKeyObject('Ed25519', publicKey), signature);
  } catch {
    return false;
  }
}
