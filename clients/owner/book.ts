import { existsSync, readFileSync } from 'node:fs';
import { equalBytes } from '../../protocol/bytes.js';
import { SmartZoneError } from '../../protocol/errors.js';
import type { SecurityLevel } from '../../protocol/messages/hello.js';
import { type Kid, kidToHex, signingKid } from '../../protocol/kid.js';
import type { Owners } from '../../protocol/messages/owners.js';
import { writeFileAtomic, type PartyPublic, type PartyRole } from '../keys/index.js';
import { fromJson, soleOwner, toJson, type BookJson } from './book-json.js';
import type { BookZone } from './zones.js';

export interface DeviceKeys {
  /** Ed25519. */
  readonly signing: Uint8Array;
  /** Static X25519 key. */
  readonly agreement: Uint8Array;
}

/** A device that this owner claimed. */
export interface BookDevice extends DeviceKeys {
  readonly name: string;
  /** Where its topics start. */
  readonly prefix: string;
  /** Of `signing`, which the claim or the last rotation made. */
  readonly kid: Kid;
  /** The least security level that clients accept. */
  readonly level: SecurityLevel;
  /** The last owner counter used towards it. */
  readonly counter: number;
  /** Keys that are to take the place of these: a rotation is under way. */
  readonly next?: DeviceKeys;
}

export interface BookMember extends PartyPublic {
  readonly role: Exclude<PartyRole, 'owner'>;
  readonly agreement: Uint8Array;
  /** Unix time in seconds. */
  readonly notAfter?: number;
}

/** A claim that was sent, and not answered yet: the answer can be had again, see `owner-reply` in the grammar. */
export interface PendingClaim {
  readonly prefix: string;
  readonly name: string;
  readonly level: SecurityLevel;
  /** What the device was called before. */
  readonly device: Kid;
  readonly statement: Uint8Array;
}

/** What the owner knows: what the next roster is made from. */
export interface BookContent {
  /** The keys that speak for the owner, the recovery key among them. */
  readonly owners: Owners;
  /** How they came to be: see `Roster.succession`. */
  readonly succession: readonly Uint8Array[];
  /** Version of the last roster; 0 = none yet. */
  readonly rosterVersion: number;
  /** The last roster as it was signed. */
  readonly roster: Uint8Array | undefined;
  /** Seconds after which devices stop serving without a fresh roster. */
  readonly lease: number | undefined;
  readonly devices: readonly BookDevice[];
  readonly members: readonly BookMember[];
  readonly zones: readonly BookZone[];
  readonly claim: PendingClaim | undefined;
}

const EMPTY: Omit<BookContent, 'owners'> = {
  succession: [],
  rosterVersion: 0,
  roster: undefined,
  lease: undefined,
  devices: [],
  members: [],
  zones: [],
  claim: undefined,
};

/**
 * The owner's book: one file, replaced as a whole and on the disk before anything is sent, so that no version and no counter is
 * ever used twice with different content. Back it up; what was lost can be had again from the retained roster (`recoverBook`).
 */
export class OwnerBook {
  private constructor(
    readonly path: string,
    private current: BookContent,
  ) {}

  /**
   * Reads the book, or starts an empty one.
   * @param owner the public key that opens it: one of its owners
   * @throws KEY_FILE when it is damaged or another owner's.
   */
  static open(path: string, owner: Uint8Array): OwnerBook {
    if (!existsSync(path)) return new OwnerBook(path, { ...EMPTY, owners: { generation: 1, keys: [owner] } });
    let json: BookJson;
    let content: BookContent;
    try {
      json = JSON.parse(readFileSync(path, 'utf8')) as BookJson;
      content = fromJson(json, owner);
    } catch (error) {
      const detail = `the owner's book ${path}: ${(error as Error).message}; restore it from a backup, or see: smart-zone owner recover`;
      throw new SmartZoneError('KEY_FILE', detail, { cause: error });
    }
    const kids = content.owners.keys.map((key) => kidToHex(signingKid(key)));
    const sole = soleOwner(json);
    if (
      !content.owners.keys.some((key) => equalBytes(key, owner)) ||
      (sole !== undefined && sole !== kids[0])
    )
      throw new SmartZoneError(
        'KEY_FILE',
        `the owner's book ${path} belongs to the owner ${sole ?? kids.join(' or ')}`,
      );
    return new OwnerBook(path, content);
  }

  /** Starts a book, written with its first update. @throws KEY_FILE where there is one: it is never overwritten */
  static create(path: string, content: Partial<BookContent> & Pick<BookContent, 'owners'>): OwnerBook {
    if (existsSync(path))
      throw new SmartZoneError('KEY_FILE', `${path} exists already: a book is never overwritten`);
    return new OwnerBook(path, { ...EMPTY, ...content });
  }

  get content(): BookContent {
    return this.current;
  }

  /** Writes the change to the disk, then lets it count. */
  update(change: Partial<BookContent>): void {
    const next = { ...this.current, ...change };
    writeFileAtomic(this.path, `${JSON.stringify(toJson(next), null, 2)}\n`);
    this.current = next;
  }

  /** Changes what is known of one device. @returns the device as it is known now */
  updateDevice(device: BookDevice, change: Partial<BookDevice>): BookDevice {
    const changed = { ...device, ...change };
    this.update({
      devices: this.current.devices.map((known) => (known.name === device.name ? changed : known)),
    });
    return changed;
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
