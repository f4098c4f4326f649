import { equalBytes } from '../bytes.js';
import { SmartZoneError } from '../errors.js';
import { kidToHex, signingKid, type Kid } from '../kid.js';
import type { SigningKey } from '../keys.js';
import {
  array,
  bytes,
  decodeWith,
  enumeration,
  field,
  kid,
  name,
  optional,
  publicKey,
  struct,
  uint,
} from '../schema.js';
import { keyWithKid, openSigned, sealSigned } from '../signed.js';
import { securityLevelCodec, type SecurityLevel } from './hello.js';
import { followSuccession, generationOf, MOST_LINKS, type Owners } from './owners.js';

export const ROLE_NUMBER = { sensor: 1, rules: 2, publisher: 3 } as const;
export type Role = keyof typeof ROLE_NUMBER;

export interface Member {
  readonly signingKey: Uint8Array;
  readonly agreementKey: Uint8Array;
  readonly role: Role;
  readonly name: string;
  /** Seconds since 1970. */
  readonly notAfter?: number;
}

export interface RosterDevice {
  readonly signingKey: Uint8Array;
  readonly agreementKey: Uint8Array;
  /** The least level that clients accept of it. */
  readonly securityLevel: SecurityLevel;
  readonly name: string;
}

/** Devices that share the work of the sensors that offer to the zone. */
export interface Zone {
  /** Drawn at random; takes a device's place in keys and authenticated data. */
  readonly id: Kid;
  /** 1 to 16. */
  readonly devices: readonly Kid[];
  readonly name: string;
}

/** As many devices as one offer has recipients. */
export const MOST_ZONE_DEVICES = 16;

/**
 * What tells which of two rosters is newer: the owners who signed it first, the version only among rosters of the same owners. With
 * the version alone, whoever stole a key and signed the highest there is could block the owners who replaced that key.
 */
export interface RosterOrder {
  /** Of the owner keys; 0: not known, and versions decide. */
  readonly generation: number;
  /** 0: no roster. */
  readonly version: number;
}

/**
 * @param owners those that the roster led to. Rosters of owners who never changed need carry no succession: who knows none of it is
 *   at generation 1.
 */
export function rosterOrder(version: number, owners?: Owners): RosterOrder {
  return { generation: Math.max(1, owners?.generation ?? 0), version };
}

export function isOlderRoster(a: RosterOrder, b: RosterOrder): boolean {
  if (a.generation === 0 || b.generation === 0 || a.generation === b.generation) return a.version < b.version;
  return a.generation < b.generation;
}

/** Who takes part, as the owner says it. The newest is in force: see `RosterOrder`. */
export interface Roster {
  /** Strictly increasing within a generation of owner keys, from 1. */
  readonly version: number;
  /** Seconds since 1970. */
  readonly issued: number;
  readonly members: readonly Member[];
  readonly devices: readonly RosterDevice[];
  readonly zones: readonly Zone[];
  /** Seconds, from the moment that it reached the TA; without a fresh roster after that, all service ends. */
  readonly lease?: number;
  /** How the owner's keys came to be: links as `signOwners` makes them. The roster is signed by a key of the last. */
  readonly succession?: readonly Uint8Array[];
}

const member = struct<Member>({
  signingKey: field(1, publicKey),
  agreementKey: field(2, publicKey),
  role: field(3, enumeration(ROLE_NUMBER)),
  name: field(4, name),
  notAfter: optional(5, uint),
});

const device = struct<RosterDevice>({
  signingKey: field(1, publicKey),
  agreementKey: field(2, publicKey),
  securityLevel: field(3, securityLevelCodec),
  name: field(4, name),
});

const zone = struct<Zone>({
  id: field(1, kid),
  devices: field(2, array(kid, 1, MOST_ZONE_DEVICES)),
  name: field(3, name),
});

const codec = struct<Roster>({
  version: field(1, uint),
  issued: field(2, uint),
  members: field(3, array(member)),
  devices: field(4, array(device)),
  zones: field(5, array(zone)),
  lease: optional(6, uint),
  succession: optional(7, array(bytes(), 1, MOST_LINKS)),
});

export function signRoster(roster: Roster, owner: SigningKey): Uint8Array {
  return sealSigned(codec, 'roster', roster, owner);
}

/**
 * Verifies a roster, following the succession that it carries from the owners that are known.
 * @returns the roster, and the owners that are known from then on
 * @throws NOT_OWNER, OWNERS_CONFLICT, BAD_SIGNATURE and the form's; STALE_ROSTER where it ends before the owners that are known
 */
export function acceptRoster(
  raw: Uint8Array,
  known: Owners,
): { readonly roster: Roster; readonly owners: Owners } {
  let owners = known;
  const { body: roster } = openSigned(codec, 'roster', raw, (signer, { succession = [] }) => {
    owners = followSuccession(known, succession);
    return ownerKey(owners.keys, signer);
  });
  const last = roster.succession?.at(-1);
  if (last !== undefined && generationOf(last) < owners.generation)
    throw new SmartZoneError('STALE_ROSTER', `of owner keys of generation ${generationOf(last)}`);
  return { roster, owners };
}

function ownerKey(keys: readonly Uint8Array[], signer: Kid): Uint8Array {
  const key = keyWithKid(keys, signer);
  if (key === undefined) throw new SmartZoneError('NOT_OWNER', 'roster');
  return key;
}

/** Throws NOT_OWNER where it is signed by none of `owners`. */
export function verifyRoster(raw: Uint8Array, owners: readonly Uint8Array[]): Roster {
  return openSigned(codec, 'roster', raw, (signer) => ownerKey(owners, signer)).body;
}

/** A roster's content, for those to whom somebody else has verified it. */
export function readRoster(payload: Uint8Array): Roster {
  return decodeWith(codec, payload, 'roster');
}

/** By kid in hexadecimal. A kid is a hash, and a member is looked up for every label: it is made once for each list of members. */
const membersByKid = new WeakMap<readonly Member[], ReadonlyMap<string, readonly Member[]>>();

/** @param roster its list of members is never changed: another roster has another list */
export function findMember(roster: Roster, id: Kid, role?: Role): Member | undefined {
  const { members } = roster;
  let byKid = membersByKid.get(members);
  if (byKid === undefined) {
    const lists = new Map<string, Member[]>();
    for (const each of members) {
      const kid = kidToHex(signingKid(each.signingKey));
      lists.set(kid, [...(lists.get(kid) ?? []), each]);
    }
    membersByKid.set(members, (byKid = lists));
  }
  return byKid.get(kidToHex(id))?.find((each) => role === undefined || each.role === role);
}

export function findDevice(roster: Roster, id: Kid): RosterDevice | undefined {
  return roster.devices.find((each) => equalBytes(signingKid(each.signingKey), id));
}

/** @param which a zone's name, or its id in hexadecimal */
export function findZone(roster: Roster, which: string): Zone | undefined {
  return (
    roster.zones.find(({ name }) => name === which) ??
    roster.zones.find(({ id }) => kidToHex(id) === which.toLowerCase())
  );
}
