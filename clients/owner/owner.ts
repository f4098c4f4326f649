import { equalBytes } from '../../protocol/bytes.js';
import { SmartZoneError } from '../../protocol/errors.js';
import { kidToHex, signingKid } from '../../protocol/kid.js';
import type { Evidence } from '../../protocol/messages/evidence.js';
import type { VerifiedHello } from '../../protocol/messages/hello.js';
import { signOwnerStatement, type OwnerAction, type OwnerReply } from '../../protocol/messages/owner.js';
import { signOwners, type Owners } from '../../protocol/messages/owners.js';
import { systemRandomness, type Randomness } from '../../protocol/randomness.js';
import { publicOf, type PartyKeys, type PartyPublic } from '../keys/index.js';
import type { BrokerLink } from '../link/index.js';
import { OwnerBook, type BookContent, type BookDevice, type BookMember } from './book.js';
import { claimDevice, type ClaimOptions } from './claim.js';
import { askDevice, askEvidence, DEFAULT_TIMEOUT, readHello } from './conversation.js';
import { issueRoster, publishRoster } from './issue-roster.js';
import { nextHello } from './next-hello.js';
import { addToZone, removeFromZone, withoutDevice, type BookZone } from './zones.js';
import { findLost, type LostOwner, type RecoverOptions } from './recover.js';

export interface OwnerOptions {
  /** Keys with the role owner. */
  readonly keys: PartyKeys;
  /** The owner's book: made when there is none. */
  readonly bookPath: string;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
  readonly random?: Randomness;
}

/** Most keys that speak for an owner at once. */
const MOST_OWNERS = 3;

/**
 * The owner: claims devices and says in the roster who takes part. Every change writes the book first, then publishes to all
 * devices; what could not be published is published with `publishRoster` later. What takes several steps goes on where it was
 * interrupted when it is asked for again.
 */
export class Owner {
  private constructor(
    private keys: PartyKeys,
    private readonly book: OwnerBook,
    private readonly clock: () => number,
    private readonly random: Randomness,
  ) {}

  /** @throws WRONG_ROLE, KEY_FILE */
  static open({ keys, bookPath, clock = Date.now, random = systemRandomness }: OwnerOptions): Owner {
    checkRole(keys);
    return new Owner(keys, OwnerBook.open(bookPath, keys.signing.publicKey), clock, random);
  }

  /**
   * Begins with a recovery key, which is kept elsewhere and can replace this one: every claim names both.
   * @throws WRONG_ROLE; KEY_FILE where there is a book already
   */
  static create(options: OwnerOptions, recovery?: PartyKeys): Owner {
    const { keys, bookPath, clock = Date.now, random = systemRandomness } = options;
    const all = [keys, ...(recovery === undefined ? [] : [recovery])];
    all.forEach(checkRole);
    const owners = { generation: 1, keys: all.map(({ signing }) => signing.publicKey) };
    // Each signs the set: whoever knows one of them learns the others.
    const succession = recovery === undefined ? [] : all.map(({ signing }) => signOwners(owners, signing));
    const book = OwnerBook.create(bookPath, { owners, succession });
    book.update({});
    return new Owner(keys, book, clock, random);
  }

  /**
   * With a recovery key, where key and book are lost: reads what devices and broker still have, makes a new book, and puts `keys` in
   * the place of the lost ones. The recovery key stays one of the owner's.
   * @throws NOT_OWNER where the retained roster does not lead to the recovery key; TIMED_OUT where there is none; KEY_FILE
   */
  static async recover(
    options: OwnerOptions,
    recovery: PartyKeys,
    where: RecoverOptions,
  ): Promise<{ owner: Owner; found: LostOwner }> {
    const { keys, bookPath, clock = Date.now, random = systemRandomness } = options;
    [keys, recovery].forEach(checkRole);
    const found = await findLost(recovery.signing.publicKey, where, clock());
    const book = OwnerBook.create(bookPath, found.content);
    const owner = new Owner(recovery, book, clock, random);
    // Above whatever the lost book had signed: versions and counters then go on from the time.
    await owner.rotateKey(where.link, keys, [publicOf(recovery)], clock());
    return { owner, found };
  }

  /** What clients pin. */
  get public(): PartyPublic {
    return publicOf(this.keys);
  }

  /** All keys that speak for this owner. */
  get owners(): Owners {
    return this.book.content.owners;
  }

  /** The public halves of those that are not this one: a recovery key has no other name here. */
  get otherOwners(): readonly PartyPublic[] {
    return this.owners.keys
      .filter((key) => !equalBytes(key, this.keys.signing.publicKey))
      .map((signing) => ({ role: 'owner', name: 'owner', kid: signingKid(signing), signing }));
  }

  get devices(): readonly BookDevice[] {
    return this.book.content.devices;
  }

  get members(): readonly BookMember[] {
    return this.book.content.members;
  }

  get zones(): readonly BookZone[] {
    return this.book.content.zones;
  }

  get rosterVersion(): number {
    return this.book.content.rosterVersion;
  }

  /** The newest roster as it was signed. */
  get roster(): Uint8Array | undefined {
    return this.book.content.roster;
  }

  /** Seconds after which devices stop serving without a fresh roster. */
  get lease(): number | undefined {
    return this.book.content.lease;
  }

  /** The hello that lies retained at a prefix, verified with its own key. @throws TIMED_OUT, BAD_SIGNATURE */
  readHello(link: BrokerLink, prefix: string, timeout = DEFAULT_TIMEOUT): Promise<VerifiedHello> {
    return readHello(link, prefix, timeout);
  }

  /** Makes an unclaimed device ours: it makes new keys, which the roster names from then on. @throws as claimDevice() */
  async claim(options: ClaimOptions): Promise<BookDevice> {
    const { book, random, seconds } = this;
    const device = await claimDevice({ book, random, seconds, signer: this.keys.signing }, options);
    // A device at the same prefix is this one from before it lost its storage.
    const others = this.devices.filter(
      (known) => known.prefix !== device.prefix && known.name !== device.name,
    );
    await this.changeRoster(options.link, { devices: [...others, device], claim: undefined });
    return device;
  }

  /** Lets a party take part. The same key again changes its name or date. @returns the roster's new version */
  async enrol(
    link: BrokerLink | undefined,
    party: PartyPublic,
    options: { readonly notAfter?: number } = {},
  ): Promise<number> {
    const { role, agreement, ...rest } = party;
    if (role === 'owner' || agreement === undefined)
      throw new SmartZoneError('WRONG_ROLE', 'an owner is not enrolled: it is named by the one before it');
    const others = this.members.filter((known) => !equalBytes(known.signing, party.signing));
    if (others.some((known) => known.name === party.name)) throw new SmartZoneError('NAME_TAKEN', party.name);
    const member: BookMember = {
      ...rest,
      role,
      agreement,
      ...(options.notAfter === undefined ? {} : { notAfter: options.notAfter }),
    };
    return this.changeRoster(link, { members: [...others, member] });
  }

  /** Takes a member (by name or kid) out of the roster. @returns the roster's new version */
  async revoke(link: BrokerLink | undefined, which: string): Promise<number> {
    const member = this.book.member(which);
    return this.changeRoster(link, { members: this.members.filter((known) => known !== member) });
  }

  /** Takes a device (by name or kid) out of the roster: clients trust it no more. @returns the roster's new version */
  async removeDevice(link: BrokerLink | undefined, which: string): Promise<number> {
    const device = this.book.device(which);
    // Published at its prefix too, for the clients there. The device takes no roster without itself; nobody believes it any more.
    const devices = this.devices.filter((known) => known !== device);
    return this.changeRoster(link, { devices, zones: withoutDevice(this.zones, device.name) }, [device]);
  }

  /**
   * Adds devices (by name or kid) to a zone, which is made where there is none of this name.
   * @returns the roster's new version @throws UNTRUSTED_DEVICE, CONFIG_INVALID
   */
  async addToZone(link: BrokerLink | undefined, zone: string, devices: readonly string[]): Promise<number> {
    const named = devices.map((which) => this.book.device(which));
    return this.changeRoster(link, { zones: addToZone(this.zones, zone, named, this.random) });
  }

  /**
   * Takes devices (by name or kid) out of a zone (by name or id); none named: the zone goes.
   * @returns the roster's new version @throws UNTRUSTED_DEVICE, NOT_IN_ZONE
   */
  async removeFromZone(
    link: BrokerLink | undefined,
    zone: string,
    devices: readonly string[] = [],
  ): Promise<number> {
    const named = devices.map((which) => this.book.device(which));
    return this.changeRoster(link, { zones: removeFromZone(this.zones, zone, named) });
  }

  /** Seconds after which devices stop serving without a fresh roster; undefined for no lease. */
  async setLease(link: BrokerLink | undefined, lease: number | undefined): Promise<number> {
    return this.changeRoster(link, { lease });
  }

  /** Signs the roster anew, so that every lease begins anew. @returns its version */
  renewRoster(link: BrokerLink | undefined): Promise<number> {
    return this.changeRoster(link, {});
  }

  /**
   * The device forgets members, channels and model; keeps identity, owners and counters. Then it gets a fresh roster.
   * @throws UNTRUSTED_DEVICE where another device answers at that prefix, TIMED_OUT, or the device's own code
   */
  async reset(link: BrokerLink, which: string, timeout = DEFAULT_TIMEOUT): Promise<number> {
    await this.instruct(link, which, { type: 'reset' }, timeout);
    return this.changeRoster(link, {});
  }

  /**
   * The device goes back to the model before the committed one.
   * @throws MODEL_UNKNOWN where it has none to go back to; and as reset()
   */
  async rollbackModel(link: BrokerLink, which: string, timeout = DEFAULT_TIMEOUT): Promise<void> {
    await this.instruct(link, which, { type: 'rollback' }, timeout);
  }

  /** Raises the floor of model sequence numbers. @throws MODEL_SEQUENCE where it is not higher; and as reset() */
  async rebaseModels(
    link: BrokerLink,
    which: string,
    floor: number,
    timeout = DEFAULT_TIMEOUT,
  ): Promise<void> {
    await this.instruct(link, which, { type: 'rebase', floor }, timeout);
  }

  /**
   * New keys for a device: it makes them, the roster lists them beside the present ones, it begins a new boot under them, the roster
   * lists them alone. Frames and labels go on over it. Interrupted anywhere, the same call goes on from there.
   * @throws TIMED_OUT where the device does not answer, or does not take the roster in time; and as reset()
   */
  async rotateDevice(link: BrokerLink, which: string, timeout = DEFAULT_TIMEOUT): Promise<BookDevice> {
    let device = this.book.device(which);
    if (device.next === undefined) {
      const reply = await this.instruct(link, which, { type: 'rotate' }, timeout);
      if (reply.next === undefined) throw new SmartZoneError('UNTRUSTED_DEVICE', 'it names no next keys');
      const [signing, agreement] = reply.next;
      device = this.book.updateDevice(this.book.device(which), { next: { signing, agreement } });
      await this.changeRoster(link, {});
    } else await this.publishRoster(link);
    const next = device.next;
    if (next === undefined) throw new SmartZoneError('UNTRUSTED_DEVICE', 'it names no next keys');
    await nextHello(link, device.prefix, next, timeout);
    return this.finishRotation(link, device, next);
  }

  /**
   * Other keys in the place of this owner's. They are stored by the caller before; the ones that are replaced sign nothing any more.
   * @param keys what this owner signs with from now on
   * @param others up to two more, such as a recovery key's public half
   * @param atLeast the roster's version, where it must be higher than the next
   * @returns the roster's version
   */
  async rotateKey(
    link: BrokerLink | undefined,
    keys: PartyKeys,
    others: readonly PartyPublic[],
    atLeast = 0,
  ): Promise<number> {
    checkRole(keys);
    if (others.length >= MOST_OWNERS || others.some(({ role }) => role !== 'owner'))
      throw new SmartZoneError('WRONG_ROLE', `an owner has up to ${MOST_OWNERS} keys, of owners`);
    const { owners: before, succession } = this.book.content;
    const owners = {
      generation: before.generation + 1,
      keys: [keys.signing.publicKey, ...others.map(({ signing }) => signing)],
    };
    const links = [signOwners(owners, this.keys.signing)];
    // Who pins the new key learns the others from it.
    if (!equalBytes(keys.signing.publicKey, this.keys.signing.publicKey))
      links.push(signOwners(owners, keys.signing));
    const change = { owners, succession: [...succession, ...links] };
    const version = issueRoster(this.book, keys.signing, this.seconds, change, atLeast);
    this.keys = keys;
    if (link !== undefined) await publishRoster(this.book, link);
    return version;
  }

  /** Asks a claimed device for evidence over a fresh nonce, verified with its key from the book. @throws TIMED_OUT */
  async evidence(link: BrokerLink, which: string, timeout = DEFAULT_TIMEOUT): Promise<Evidence> {
    const { prefix, signing } = this.book.device(which);
    return askEvidence(link, prefix, signing, this.random, timeout);
  }

  /** Publishes the newest roster to all devices again. @throws NOT_CLAIMED while there is none */
  publishRoster(link: BrokerLink): Promise<void> {
    return publishRoster(this.book, link);
  }

  private get seconds(): number {
    return Math.floor(this.clock() / 1000);
  }

  private async finishRotation(
    link: BrokerLink,
    device: BookDevice,
    { signing, agreement }: { signing: Uint8Array; agreement: Uint8Array },
  ): Promise<BookDevice> {
    const { name, prefix, level, counter } = device;
    const kid = signingKid(signing);
    const rotated: BookDevice = { name, prefix, signing, kid, agreement, level, counter };
    await this.changeRoster(link, {
      devices: this.devices.map((known) => (known.name === name ? rotated : known)),
    });
    return rotated;
  }

  /** Sends a statement to a device of the book, with the next counter. */
  private async instruct(
    link: BrokerLink,
    which: string,
    action: OwnerAction,
    timeout: number,
  ): Promise<OwnerReply> {
    let device = this.book.device(which);
    const hello = await readHello(link, device.prefix, timeout);
    // A rotation that was interrupted before its last step.
    if (device.next !== undefined && equalBytes(hello.signingKey, device.next.signing))
      device = await this.finishRotation(link, device, device.next);
    if (!equalBytes(hello.signingKey, device.signing))
      throw new SmartZoneError('UNTRUSTED_DEVICE', `at ${device.prefix} answers ${kidToHex(hello.device)}`);
    const counter = device.counter + 1;
    this.book.updateDevice(device, { counter });
    const statement = signOwnerStatement(
      { device: device.kid, counter, nonce: hello.bootNonce, time: this.seconds, action },
      this.keys.signing,
    );
    return askDevice(link, device.prefix, statement, timeout, device.signing);
  }

  private async changeRoster(
    link: BrokerLink | undefined,
    change: Partial<BookContent>,
    more: readonly BookDevice[] = [],
  ): Promise<number> {
    const version = issueRoster(this.book, this.keys.signing, this.seconds, change);
    if (link !== undefined) await publishRoster(this.book, link, more);
    return version;
  }
}

function checkRole(keys: PartyKeys): void {
  if (keys.role !== 'owner')
    throw new SmartZoneError('WRONG_ROLE', `a key for ${keys.role}, not for an owner`);
}
