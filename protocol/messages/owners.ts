import { equalBytes } from '../bytes.js';
import { parseProfiledSign1, verifySign1 } from '../cose/sign1.js';
import { SmartZoneError } from '../errors.js';
import type { SigningKey } from '../keys.js';
import { array, decodeWith, field, publicKey, struct, uint } from '../schema.js';
import { keyWithKid, purposeAad, sealSigned } from '../signed.js';

/** Links that a roster carries at most: a device that was away for more of them has to be claimed anew. */
export const MOST_LINKS = 16;

/** The keys that speak for the owner, any one of them. */
export interface Owners {
  /** 1 for the set of the first claim, one more with each succession; 0: a pinned key, and nothing known beside it. */
  readonly generation: number;
  /** 1 to 3 Ed25519 keys. */
  readonly keys: readonly Uint8Array[];
}

const codec = struct<Owners>({ generation: field(1, uint), keys: field(2, array(publicKey, 1, 3)) });

/** One link of a succession: the set of a generation, signed by a key of the one before, or by a key of its own. */
export function signOwners(owners: Owners, signer: SigningKey): Uint8Array {
  return sealSigned(codec, 'owners', owners, signer);
}

/** What a client knows that was given one key. */
export function pinnedOwner(key: Uint8Array): Owners {
  return { generation: 0, keys: [key] };
}

/** The same keys in any order. */
export function sameOwners(a: Owners, b: Owners): boolean {
  const within = (key: Uint8Array, { keys }: Owners): boolean => keys.some((each) => equalBytes(each, key));
  return (
    a.keys.length === b.keys.length &&
    a.keys.every((key) => within(key, b)) &&
    b.keys.every((key) => within(key, a))
  );
}

/** The generation of the link, which nobody has verified. */
export function generationOf(link: Uint8Array): number {
  return decodeWith(codec, parseProfiledSign1(link).payload ?? new Uint8Array(0), 'owners').generation;
}

/**
 * Follows a succession from what is known to its last generation, as the TA does (ta/trust/owners.c).
 * @throws NOT_OWNER where it does not continue what is known; OWNERS_CONFLICT where another set has a known generation;
 *   BAD_SIGNATURE and the form's
 */
export function followSuccession(known: Owners, succession: readonly Uint8Array[]): Owners {
  let owners = known;
  for (const link of succession) owners = followLink(owners, link);
  return owners;
}

function followLink(known: Owners, link: Uint8Array): Owners {
  const message = parseProfiledSign1(link);
  const next = decodeWith(codec, message.payload ?? new Uint8Array(0), 'owners');
  if (next.generation === 0) throw new SmartZoneError('MALFORMED', 'owner keys of generation 0');
  const what = `owner keys of generation ${next.generation}`;
  if (next.generation < known.generation) return known;
  if (next.generation === known.generation) {
    if (!sameOwners(next, known)) throw new SmartZoneError('OWNERS_CONFLICT', what);
    return known;
  }
  const key = keyWithKid(known.keys, message.kid);
  const pinOnly = known.generation === 0;
  if (pinOnly && key === undefined) return known; // the pinned key may be younger than the first links
  if (key === undefined || (!pinOnly && next.generation !== known.generation + 1))
    throw new SmartZoneError('NOT_OWNER', what);
  verifySign1(message, key, purposeAad('owners'));
  return next;
}
