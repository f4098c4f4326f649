import { equalBytes } from '../../protocol/bytes.js';
import { SmartZoneError } from '../../protocol/errors.js';
import { kidToHex, signingKid } from '../../protocol/kid.js';
import { verifyEvidence, type Evidence } from '../../protocol/messages/evidence.js';
import { verifyHello, type SecurityLevel, type VerifiedHello } from '../../protocol/messages/hello.js';
import {
  answers,
  signOwnerStatement,
  verifyOwnerReply,
  type OwnerAction,
  type OwnerReply,
  type OwnerStatement,
} from '../../protocol/messages/owner.js';
import { signRoster, type Roster } from '../../protocol/messages/roster.js';
import { systemRandomness, type Randomness } from '../../protocol/randomness.js';
import { Topics } from '../../protocol/topics.js';
import { fingerprint, publicOf, type PartyKeys, type PartyPublic } from '../keys/index.js';
import type { BrokerLink } from '../link/index.js';
import { OwnerBook, type BookDevice, type BookMember } from './book.js';
import { firstMessage } from './first-message.js';
import { levelName } from './security-level.js';

export interface OwnerOptions {
  /** Keys with the role owner. */
  readonly keys: PartyKeys;
  /** The owner's book: made when there is none. */
  readonly bookPath: string;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
  readonly random?: Randomness;
}

export interface ClaimOptions {
  readonly link: BrokerLink;
  /** What the device's topics start with. */
  readonly prefix: string;
  /** How people know the device; in the roster. */
  readonly name: string;
  /** The least security level that is acceptable, chosen on purpose: the roster asks clients for the same. */
  readonly accept: SecurityLevel;
  /** Public keys of up to two more owners: any one may replace another. */
  readonly otherOwners?: readonly PartyPublic[];
  /**
   * Asked with what the hello says before anything is sent: people compare the fingerprint with the one on the device's own
   * screen or log. False gives up.
   */
  readonly confirm?: (device: ClaimCandidate) => boolean | Promise<boolean>;
  /** Milliseconds to wait for hello and reply. Default 15 000. */
  readonly timeout?: number;
}

/** An unclaimed device, as it describes itself: self-asserted, nothing vouches for it. */
export interface ClaimCandidate {
  readonly fingerprint: string;
  readonly hello: VerifiedHello;
}

const DEFAULT_TIMEOUT = 15_000;

/**
 * The owner: claims devices and says in the roster who takes part. Every change writes the book first, then publishes to all
 * devices; what could not be published is published with `publishRoster` later.
 */
export class Owner {
  private constructor(
    private readonly keys: PartyKeys,
    private readonly book: OwnerBook,
    private readonly clock: () => number,
    private readonly random: Randomness,
  ) {}

  /** @throws WRONG_ROLE, KEY_FILE */
  static open({ keys, bookPath, clock = Date.now, random = systemRandomness }: OwnerOptions): Owner {
    if (keys.role !== 'owner')
      throw new SmartZoneError('WRONG_ROLE', `a key for ${keys.role}, not for an owner`);
    return new Owner(keys, OwnerBook.open(bookPath, keys.signing.kid), clock, random);
  }

  /** What clients pin. */
  get public(): PartyPublic {
    return publicOf(this.keys);
  }

  get devices(): readonly BookDevice[] {
    return this.book.content.devices;
  }

  get members(): readonly BookMember[] {
    return this.book.content.members;
  }

  get rosterVersion(): number {
    return this.book.content.rosterVersion;
  }

  /** The newest roster as it was signed. */
  get roster(): Uint8Array | undefined {
    return this.book.content.roster;
  }

  /** The hello that lies retained at a prefix, verified with its own key. @throws TIMED_OUT, BAD_SIGNATURE */
  async readHello(link: BrokerLink, prefix: string, timeout = DEFAULT_TIMEOUT): Promise<VerifiedHello> {
    const { hello } = new Topics(prefix);
    return verifyHello(await firstMessage(link, hello, (payload) => payload.length > 0, timeout));
  }

  /**
   * Makes an unclaimed device ours: it makes new keys, which the roster names from then on.
   * @throws ALREADY_CLAIMED, LEVEL_TOO_LOW, TIMED_OUT, or the code that the device answered with
   */
  async claim(options: ClaimOptions): Promise<BookDevice> {
    const { link, prefix, name, accept, otherOwners = [], confirm, timeout = DEFAULT_TIMEOUT } = options;
    const hello = await this.readHello(link, prefix, timeout);
    const { claimNonce } = hello;
    if (claimNonce === undefined) throw new SmartZoneError('ALREADY_CLAIMED', prefix);
    if (hello.securityLevel < accept)
      throw new SmartZoneError(
        'LEVEL_TOO_LOW',
        `it is ${levelName(hello.securityLevel)}, and ${levelName(accept)} or more was asked for`,
      );
    const candidate = { fingerprint: fingerprint(hello.device), hello };
    if (confirm !== undefined && !(await confirm(candidate)))
      throw new SmartZoneError('UNTRUSTED_DEVICE', `${candidate.fingerprint} was not confirmed`);
    const owners = [this.keys.signing.publicKey, ...otherOwners.map(({ signing }) => signing)];
    const statement = this.statement(hello.device, 1, claimNonce, { type: 'claim', owners });
    const reply = await this.ask(link, prefix, statement, timeout);
    if (equalBytes(reply.signingKey, hello.signingKey))
      throw new SmartZoneError('UNTRUSTED_DEVICE', 'the device kept its old key, which a snapshot may hold');
    const device: BookDevice = {
      name,
      prefix,
      signing: reply.signingKey,
      kid: signingKid(reply.signingKey),
      agreement: reply.agreementKey,
      level: accept,
      counter: statement.counter,
    };
    // A device at the same prefix is this one from before it lost its storage.
    const others = this.devices.filter((known) => known.prefix !== prefix && known.name !== name);
    this.book.update({ devices: [...others, device] });
    await this.changeRoster(link, {});
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
      throw new SmartZoneError('WRONG_ROLE', 'an owner is not enrolled: name it when claiming');
    const others = this.members.filter((known) => !equalBytes(known.signing, party.signing));
    if (others.some((known) => known.name === party.name))
      throw new SmartZoneError(
        'ROSTER_CONFLICT',
        `there is another member with the name ${party.name}: revoke it first`,
      );
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
    // It is told as well: it then refuses frames itself.
    return this.changeRoster(link, { devices: this.devices.filter((known) => known !== device) }, [device]);
  }

  /** Seconds after which devices stop serving without a fresh roster; undefined for no lease. */
  async setLease(link: BrokerLink | undefined, lease: number | undefined): Promise<number> {
    return this.changeRoster(link, { lease });
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
  rollbackModel(link: BrokerLink, which: string, timeout = DEFAULT_TIMEOUT): Promise<void> {
    return this.instruct(link, which, { type: 'rollback' }, timeout);
  }

  /** Raises the floor of model sequence numbers. @throws MODEL_SEQUENCE where it is not higher; and as reset() */
  rebaseModels(link: BrokerLink, which: string, floor: number, timeout = DEFAULT_TIMEOUT): Promise<void> {
    return this.instruct(link, which, { type: 'rebase', floor }, timeout);
  }

  /** Sends a statement to a device of the book, with the next counter. */
  private async instruct(
    link: BrokerLink,
    which: string,
    action: OwnerAction,
    timeout: number,
  ): Promise<void> {
    const device = this.book.device(which);
    const hello = await this.readHello(link, device.prefix, timeout);
    if (!equalBytes(hello.signingKey, device.signing))
      throw new SmartZoneError('UNTRUSTED_DEVICE', `at ${device.prefix} answers ${kidToHex(hello.device)}`);
    const counter = device.counter + 1;
    this.book.update({
      devices: this.devices.map((known) => (known === device ? { ...known, counter } : known)),
    });
    const statement = this.statement(device.kid, counter, hello.bootNonce, action);
    const reply = await this.ask(link, device.prefix, statement, timeout, device.signing);
    if (!equalBytes(reply.signingKey, device.signing))
      throw new SmartZoneError('UNTRUSTED_DEVICE', `${action.type} reply`);
  }

  /**
   * Asks a claimed device for evidence over a fresh nonce, and verifies it with the device's key from the book.
   * @throws TIMED_OUT, BAD_SIGNATURE, UNKNOWN_SENDER, STALE_NONCE
   */
  async evidence(link: BrokerLink, which: string, timeout = DEFAULT_TIMEOUT): Promise<Evidence> {
    const device = this.book.device(which);
    const topics = new Topics(device.prefix);
    const nonce = this.random.bytes(32);
    let evidence: Evidence | undefined;
    const accept = (payload: Uint8Array): boolean => {
      try {
        evidence = verifyEvidence(payload, device.signing, nonce);
      } catch {
        // Another requester's, or a forgery: ours may still come.
        return false;
      }
      return true;
    };
    await firstMessage(link, topics.evidenceReply, accept, timeout, () =>
      link.publish(topics.evidenceRequest, nonce),
    );
    if (evidence === undefined) throw new SmartZoneError('TIMED_OUT', 'evidence');
    return evidence;
  }

  /** Publishes the newest roster to all devices again. @throws NOT_CLAIMED while there is none */
  async publishRoster(link: BrokerLink, more: readonly BookDevice[] = []): Promise<void> {
    const { roster, devices } = this.book.content;
    if (roster === undefined) throw new SmartZoneError('NOT_CLAIMED', 'there is no roster yet');
    const prefixes = new Set([...devices, ...more].map(({ prefix }) => prefix));
    for (const prefix of prefixes) await link.publish(new Topics(prefix).roster, roster, { retain: true });
  }

  private async changeRoster(
    link: BrokerLink | undefined,
    change: { members?: readonly BookMember[]; devices?: readonly BookDevice[]; lease?: number | undefined },
    more: readonly BookDevice[] = [],
  ): Promise<number> {
    const content = { ...this.book.content, ...change };
    const version = content.rosterVersion + 1;
    const roster: Roster = {
      version,
      issued: Math.floor(this.clock() / 1000),
      members: content.members.map(({ signing, agreement, role, name, notAfter }) => ({
        signingKey: signing,
        agreementKey: agreement,
        role,
        name,
        ...(notAfter === undefined ? {} : { notAfter }),
      })),
      devices: content.devices.map(({ signing, agreement, level, name }) => ({
        signingKey: signing,
        agreementKey: agreement,
        securityLevel: level,
        name,
      })),
      zones: [],
      ...(content.lease === undefined ? {} : { lease: content.lease }),
    };
    this.book.update({ ...change, rosterVersion: version, roster: signRoster(roster, this.keys.signing) });
    if (link !== undefined) await this.publishRoster(link, more);
    return version;
  }

  private statement(
    device: BookDevice['kid'],
    counter: number,
    nonce: Uint8Array,
    action: OwnerAction,
  ): OwnerStatement {
    return { device, counter, nonce, time: Math.floor(this.clock() / 1000), action };
  }

  /** Sends a statement and waits for its answer; what else comes over the reply topic is passed over. */
  private async ask(
    link: BrokerLink,
    prefix: string,
    statement: OwnerStatement,
    timeout: number,
    key?: Uint8Array,
  ): Promise<OwnerReply> {
    const topics = new Topics(prefix);
    const message = signOwnerStatement(statement, this.keys.signing);
    let found: OwnerReply | undefined;
    const accept = (payload: Uint8Array): boolean => {
      try {
        const reply = verifyOwnerReply(payload);
        if (!answers(reply, message) || (key !== undefined && !equalBytes(reply.signingKey, key)))
          return false;
        found = reply;
      } catch {
        return false;
      }
      return true;
    };
    await firstMessage(link, topics.ownerReply, accept, timeout, () => link.publish(topics.owner, message));
    if (found === undefined) throw new SmartZoneError('TIMED_OUT', prefix);
    if (found.status !== 0) throw SmartZoneError.fromNumber(found.status, 'the device refused');
    return found;
  }
}
