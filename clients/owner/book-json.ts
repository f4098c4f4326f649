import type { SecurityLevel } from '../../protocol/messages/hello.js';
import { asKid, kidToHex, signingKid } from '../../protocol/kid.js';
import type { Owners } from '../../protocol/messages/owners.js';
import { isRole } from '../keys/index.js';
import type { BookContent, BookDevice, BookMember, DeviceKeys, PendingClaim } from './book.js';
import { zonesFromJson, zonesToJson, type ZoneJson } from './zones.js';

interface KeysJson {
  signing: string;
  agreement: string;
}

interface DeviceJson extends KeysJson {
  name: string;
  prefix: string;
  level: number;
  counter: number;
  next?: KeysJson;
}

interface MemberJson extends KeysJson {
  name: string;
  role: string;
  notAfter?: number;
}

/** The file. What is optional was not there in the first books. */
export interface BookJson {
  'smart-zone-book': 1;
  /** Kid of the one owner, in books without `owners`. */
  owner?: string;
  owners?: { generation: number; keys: string[] };
  succession?: string[];
  rosterVersion: number;
  roster: string | null;
  lease: number | null;
  devices: DeviceJson[];
  members: MemberJson[];
  zones?: ZoneJson[];
  claim?: { prefix: string; name: string; level: number; device: string; statement: string };
}

const text = (bytes: Uint8Array): string => Buffer.from(bytes).toString('base64url');

function bytes(value: unknown, length?: number): Uint8Array {
  if (typeof value !== 'string') throw new Error('damaged');
  const decoded = new Uint8Array(Buffer.from(value, 'base64url'));
  if (length !== undefined && decoded.length !== length) throw new Error('damaged');
  return decoded;
}

function count(value: unknown): number {
  if (!Number.isSafeInteger(value) || (value as number) < 0) throw new Error('damaged');
  return value as number;
}

function word(value: unknown): string {
  if (typeof value !== 'string' || value === '') throw new Error('damaged');
  return value;
}

function securityLevel(value: unknown): SecurityLevel {
  if (value !== 0 && value !== 1 && value !== 2 && value !== 3) throw new Error('damaged');
  return value;
}

function list<T, U>(value: readonly T[] | undefined, read: (item: T) => U): U[] {
  if (!Array.isArray(value)) throw new Error('not an owner book of this release');
  return (value as readonly T[]).map(read);
}

const keysToJson = ({ signing, agreement }: DeviceKeys): KeysJson => ({
  signing: text(signing),
  agreement: text(agreement),
});
const keysFromJson = ({ signing, agreement }: KeysJson): DeviceKeys => ({
  signing: bytes(signing, 32),
  agreement: bytes(agreement, 32),
});

export function toJson(content: BookContent): BookJson {
  const { owners, succession, rosterVersion, roster, lease, devices, members, zones, claim } = content;
  return {
    'smart-zone-book': 1,
    owners: { generation: owners.generation, keys: owners.keys.map(text) },
    succession: succession.map(text),
    rosterVersion,
    roster: roster === undefined ? null : text(roster),
    lease: lease ?? null,
    devices: devices.map(({ name, prefix, level, counter, next, ...keys }) => ({
      name,
      prefix,
      ...keysToJson(keys),
      level,
      counter,
      ...(next === undefined ? {} : { next: keysToJson(next) }),
    })),
    members: members.map(({ name, role, notAfter, ...keys }) => ({
      name,
      role,
      ...keysToJson(keys),
      ...(notAfter === undefined ? {} : { notAfter }),
    })),
    zones: zonesToJson(zones),
    ...(claim === undefined
      ? {}
      : {
          claim: {
            prefix: claim.prefix,
            name: claim.name,
            level: claim.level,
            device: kidToHex(claim.device),
            statement: text(claim.statement),
          },
        }),
  };
}

/** @param opener the owner's public key that opens the book: the only one of a book without `owners` */
export function fromJson(json: BookJson | null, opener: Uint8Array): BookContent {
  if (json?.['smart-zone-book'] !== 1) throw new Error('not an owner book of this release');
  return {
    owners: ownersFromJson(json, opener),
    succession: json.succession === undefined ? [] : list(json.succession, (link) => bytes(link)),
    rosterVersion: count(json.rosterVersion),
    roster: json.roster === null ? undefined : bytes(json.roster),
    lease: json.lease === null ? undefined : count(json.lease),
    devices: list(json.devices, deviceFromJson),
    members: list(json.members, memberFromJson),
    zones: zonesFromJson(json.zones),
    claim: json.claim === undefined ? undefined : claimFromJson(json.claim),
  };
}

/** Whose a book without `owners` is, in hexadecimal. */
export function soleOwner(json: BookJson | null): string | undefined {
  return json?.owners === undefined ? json?.owner : undefined;
}

function ownersFromJson({ owners }: BookJson, opener: Uint8Array): Owners {
  if (owners === undefined) return { generation: 1, keys: [opener] };
  const keys = list(owners.keys, (key) => bytes(key, 32));
  if (keys.length === 0 || keys.length > 3) throw new Error('damaged');
  return { generation: count(owners.generation), keys };
}

function deviceFromJson(device: DeviceJson): BookDevice {
  const keys = keysFromJson(device);
  return {
    name: word(device.name),
    prefix: word(device.prefix),
    ...keys,
    kid: signingKid(keys.signing),
    level: securityLevel(device.level),
    counter: count(device.counter),
    ...(device.next === undefined ? {} : { next: keysFromJson(device.next) }),
  };
}

function memberFromJson(member: MemberJson): BookMember {
  const { role } = member;
  if (!isRole(role) || role === 'owner') throw new Error('damaged');
  const keys = keysFromJson(member);
  return {
    name: word(member.name),
    role,
    ...keys,
    kid: signingKid(keys.signing),
    ...(member.notAfter === undefined ? {} : { notAfter: count(member.notAfter) }),
  };
}

function claimFromJson(claim: NonNullable<BookJson['claim']>): PendingClaim {
  return {
    prefix: word(claim.prefix),
    name: word(claim.name),
    level: securityLevel(claim.level),
    device: asKid(new Uint8Array(Buffer.from(word(claim.device), 'hex'))),
    statement: bytes(claim.statement),
  };
}
