import { existsSync, readFileSync } from 'node:fs';
import { SmartZoneError } from '../../protocol/errors.js';
import type { SecurityLevel } from '../../protocol/messages/hello.js';
import { type Kid, kidToHex, signingKid } from '../../protocol/kid.js';
import { isRole, writeFileAtomic, type PartyPublic, type PartyRole } from '../keys/index.js';

/** A device that this owner claimed. */
export interface BookDevice {
  readonly name: string;
  /** Where its topics start. */
  readonly prefix: string;
  /** Ed25519 key made by the claim, and its kid. */
  readonly signing: Uint8Array;
  readonly kid: Kid;
  /** Static X25519 key. */
  readonly agreement: Uint8Array;
  /** The least security level that clients accept. */
  readonly level: SecurityLevel;
  /** The last owner counter used towards it. */
  readonly counter: number;
}

export interface BookMember extends PartyPublic {
  readonly role: Exclude<PartyRole, 'owner'>;
  readonly agreement: Uint8Array;
  /** Unix time in seconds. */
  readonly notAfter?: number;
}

/** What the owner knows: what the next roster is made from. */
export interface BookContent {
  /** Version of the last roster; 0 = none yet. */
  readonly rosterVersion: number;
  /** The last roster as it was signed. */
  readonly roster: Uint8Array | undefined;
  /** Seconds after which devices stop serving without a fresh roster. */
  readonly lease: number | undefined;
  readonly devices: readonly BookDevice[];
  readonly members: readonly BookMember[];
}

interface DeviceJson {
  name: string;
  prefix: string;
  signing: string;
  agreement: string;
  level: number;
  counter: number;
}

interface MemberJson {
  name: string;
  role: string;
  signing: string;
  agreement: string;
  notAfter?: number;
}

interface BookJson {
  'smart-zone-book': 1;
  owner: string;
  rosterVersion: number;
  roster: string | null;
  lease: number | null;
  devices: DeviceJson[];
  members: MemberJson[];
}

const EMPTY: BookContent = {
  rosterVersion: 0,
  roster: undefined,
  lease: undefined,
  devices: [],
  members: [],
};

/**
 * The owner's book: one file, replaced as a whole and on the disk before anything is sent, so that no version and no counter is
 * ever used twice with different content. Losing it means that the next roster cannot be above the last: back it up.
 */
export class OwnerBook {
  private constructor(
    readonly path: string,
    private readonly owner: Kid,
    private current: BookContent,
  ) {}

  /** Reads the book, or starts an empty one. @throws KEY_FILE when it is damaged or another owner's. */
  static open(path: string, owner: Kid): OwnerBook {
    if (!existsSync(path)) return new OwnerBook(path, owner, EMPTY);
    let json: BookJson;
    let content: BookContent;
    try {
      json = JSON.parse(readFileSync(path, 'utf8')) as BookJson;
      content = fromJson(json);
    } catch (error) {
      const detail = `the owner's book ${path}: ${(error as Error).message}; restore it from a backup`;
      throw new SmartZoneError('KEY_FILE', detail, { cause: error });
    }
    if (json.owner !== kidToHex(owner))
      throw new SmartZoneError('KEY_FILE', `the owner's book ${path} belongs to the owner ${json.owner}`);
    return new OwnerBook(path, owner, content);
  }

  get content(): BookContent {
    return this.current;
  }

  /** Writes the change to the disk, then lets it count. */
  update(change: Partial<BookContent>): void {
    const next = { ...this.current, ...change };
    writeFileAtomic(this.path, `${JSON.stringify(toJson(next, this.owner), null, 2)}\n`);
    this.current = next;
  }

  /** By name or kid in hexadecimal. @throws UNTRUSTED_DEVICE */
  device(which: string): BookDevice {
    const found = this.current.devices.filter(({ name, kid }) => name === which || kidToHex(kid) === which);
    const [device] = found;
    if (device === undefined || found.length > 1) {
      const names = this.current.devices.map(({ name, kid }) => `${name} (${kidToHex(kid)})`).join(', ');
      throw new SmartZoneError(
        'UNTRUSTED_DEVICE',
        `${which} is not one of the claimed devices: ${names || 'none'}`,
      );
    }
    return device;
  }

  /** By name or kid in hexadecimal. @throws UNKNOWN_SENDER */
  member(which: string): BookMember {
    const found = this.current.members.filter(({ name, kid }) => name === which || kidToHex(kid) === which);
    const [member] = found;
    if (member === undefined || found.length > 1) {
      const names = this.current.members.map(({ name, kid }) => `${name} (${kidToHex(kid)})`).join(', ');
      throw new SmartZoneError('UNKNOWN_SENDER', `${which} is not one of the members: ${names || 'none'}`);
    }
    return member;
  }
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

function toJson(content: BookContent, owner: Kid): BookJson {
  return {
    'smart-zone-book': 1,
    owner: kidToHex(owner),
    rosterVersion: content.rosterVersion,
    roster: content.roster === undefined ? null : text(content.roster),
    lease: content.lease ?? null,
    devices: content.devices.map(({ name, prefix, signing, agreement, level, counter }) => ({
      name,
      prefix,
      signing: text(signing),
      agreement: text(agreement),
      level,
      counter,
    })),
    members: content.members.map(({ name, role, signing, agreement, notAfter }) => ({
      name,
      role,
      signing: text(signing),
      agreement: text(agreement),
      ...(notAfter === undefined ? {} : { notAfter }),
    })),
  };
}

function fromJson(json: BookJson | null): BookContent {
  if (json?.['smart-zone-book'] !== 1 || !Array.isArray(json.devices) || !Array.isArray(json.members))
    throw new Error('not an owner book of this release');
  return {
    rosterVersion: count(json.rosterVersion),
    roster: json.roster === null ? undefined : bytes(json.roster),
    lease: json.lease === null ? undefined : count(json.lease),
    devices: json.devices.map((device) => {
      const signing = bytes(device.signing, 32);
      return {
        name: word(device.name),
        prefix: word(device.prefix),
        signing,
        kid: signingKid(signing),
        agreement: bytes(device.agreement, 32),
        level: securityLevel(device.level),
        counter: count(device.counter),
      };
    }),
    members: json.members.map((member) => {
      const { role } = member;
      if (!isRole(role) || role === 'owner') throw new Error('damaged');
      const signing = bytes(member.signing, 32);
      return {
        name: word(member.name),
        role,
        signing,
        kid: signingKid(signing),
        agreement: bytes(member.agreement, 32),
        ...(member.notAfter === undefined ? {} : { notAfter: count(member.notAfter) }),
      };
    }),
  };
}

function securityLevel(value: unknown): SecurityLevel {
  if (value !== 0 && value !== 1 && value !== 2 && value !== 3) throw new Error('damaged');
  return value;
}
