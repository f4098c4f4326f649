import type { Kid } from '../kid.js';
import type { SigningKey } from '../keys.js';
import { field, kid, nonce, optional, publicKey, struct, uint } from '../schema.js';
import { openSigned, sealSigned } from '../signed.js';

/** A rules host's freshness: label offers are sealed to its prekey and echo its nonce; retained. */
export interface RulesHello {
  readonly device: Kid;
  readonly freshNonce: Uint8Array;
  /** X25519 key of this process. */
  readonly prekey: Uint8Array;
  /** Milliseconds since 1970, strictly increasing. */
  readonly time: number;
  /** Of the newest that this host has seen. */
  readonly rosterVersion: number;
  readonly ownerGeneration?: number;
  readonly modelSequence: number;
}

const codec = struct<RulesHello>({
  device: field(1, kid),
  freshNonce: field(2, nonce),
  prekey: field(3, publicKey),
  time: field(4, uint),
  rosterVersion: field(5, uint),
  modelSequence: field(6, uint),
  ownerGeneration: optional(7, uint),
});

export function signRulesHello(hello: RulesHello, rulesHost: SigningKey): Uint8Array {
  return sealSigned(codec, 'rules-hello', hello, rulesHost);
}

export function verifyRulesHello(bytes: Uint8Array, rulesHostKey: Uint8Array): RulesHello {
  return openSigned(codec, 'rules-hello', bytes, () => rulesHostKey).body;
}
