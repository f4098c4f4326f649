import { EventEmitter } from 'node:events';
import { equalBytes, toHex } from '../../protocol/bytes.js';
import { isSmartZoneError, SmartZoneError } from '../../protocol/errors.js';
import { type Kid, kidToHex } from '../../protocol/kid.js';
import { verifyHello, type VerifiedHello } from '../../protocol/messages/hello.js';
import { pinnedOwner, type Owners } from '../../protocol/messages/owners.js';
import {
  acceptRoster,
  findDevice,
  findMember,
  isOlderRoster,
  rosterOrder,
  type Member,
  type Role,
  type Roster,
  type RosterOrder,
} from '../../protocol/messages/roster.js';
import type { Witness } from '../keys/index.js';

/** A device that the owner vouches for, as its newest hello describes it. */
export interface TrustedDevice {
  readonly name: string;
  readonly kid: Kid;
  readonly hello: VerifiedHello;
  /**
   * The device has not taken the newest roster yet: it would refuse offers that name it. Usual for a moment after every
   * change of the roster; if it stays, Linux withholds the roster or the device's storage was put back.
   */
  readonly behind: boolean;
}

/** Whether two descriptions are of one device in one boot: with the same key, boot nonce and prekey. */
export function sameBoot(a: TrustedDevice, b: TrustedDevice): boolean {
  return (
    equalBytes(a.kid, b.kid) &&
    equalBytes(a.hello.bootNonce, b.hello.bootNonce) &&
    equalBytes(a.hello.prekey, b.hello.prekey)
  );
}

export interface Refusal {
  readonly what: 'roster' | 'hello';
  readonly error: SmartZoneError;
}

export interface DeviceTrustEvents {
  roster: [Roster];
  /** The device, for the first time or changed. */
  device: [TrustedDevice];
  refused: [Refusal];
}

/** More boots than any device makes while a client runs; the oldest are forgotten. */
const REMEMBERED_BOOTS = 256;

/**
 * Decides whom to believe behind one topic prefix. The owner's public key is the only anchor: the newest roster that it, or a
 * successor by the roster's own account, signed names the members and the devices; a hello counts only if its key is in that
 * roster, at the level the roster asks for, and says nothing older than what was seen before. Takes messages in any order, as
 * often as they come.
 */
export class DeviceTrust extends EventEmitter<DeviceTrustEvents> {
  private owners: Owners;
  private newestRoster: Roster | undefined;
  private newestRosterMessage: Uint8Array | undefined;
  private lastHello: Uint8Array | undefined;
  private trusted: TrustedDevice | undefined;
  /** Boot nonces of hellos that were believed, and those of them that are known to have ended. */
  private readonly boots = new Set<string>();
  private readonly pastBoots = new Set<string>();

  /** @param owner the pinned Ed25519 public key */
  constructor(
    owner: Uint8Array,
    private readonly witness: Witness,
  ) {
    super();
    this.owners = witness.owners ?? pinnedOwner(owner);
    const kept = witness.roster;
    // The broker may have lost it, or retain an older one: what was verified before still holds.
    if (kept !== undefined) this.adopt(kept.message);
  }

  get roster(): Roster | undefined {
    return this.newestRoster;
  }

  get device(): TrustedDevice | undefined {
    return this.trusted;
  }

  /** Which roster is the newest that is known. */
  get rosterOrder(): RosterOrder {
    return rosterOrder(this.newestRoster?.version ?? 0, this.owners);
  }

  /** The same, as messages to a device tell it. */
  get seenRoster(): { readonly rosterVersion: number; readonly ownerGeneration?: number } {
    const { generation, version } = this.rosterOrder;
    return version === 0 ? { rosterVersion: 0 } : { rosterVersion: version, ownerGeneration: generation };
  }

  /** A member of the newest roster by kid, if it has this role. */
  member(kid: Kid, role: Role): Member | undefined {
    return this.newestRoster === undefined ? undefined : findMember(this.newestRoster, kid, role);
  }

  /**
   * The device answered, in its present boot, something that this process made: earlier boots have ended, and their hellos are
   * refused from now on. Not before: nothing in a hello orders boots, and a recorded one must not displace a live one for good.
   */
  confirmAlive(): void {
    if (this.trusted === undefined) return;
    const alive = toHex(this.trusted.hello.bootNonce);
    for (const boot of this.boots) {
      if (boot === alive) continue;
      this.boots.delete(boot);
      this.pastBoots.add(boot);
      DeviceTrust.bound(this.pastBoots);
    }
  }

  receiveRoster(message: Uint8Array): void {
    // An empty retained message is how a topic is cleared: it revokes nothing.
    if (message.length === 0) return;
    if (this.newestRosterMessage !== undefined && equalBytes(message, this.newestRosterMessage)) return;
    try {
      this.adopt(message);
    } catch (error) {
      this.refuse('roster', error);
      return;
    }
    this.reconsider();
  }

  receiveHello(message: Uint8Array): void {
    if (message.length === 0) return;
    this.lastHello = message;
    if (this.newestRoster === undefined) return;
    try {
      this.consider(verifyHello(message), this.newestRoster);
    } catch (error) {
      this.refuse('hello', error);
    }
  }

  /** After a change of the roster: the device may have gone from it, or come into it. */
  private reconsider(): void {
    const { trusted, newestRoster: roster } = this;
    if (trusted !== undefined && roster !== undefined) {
      this.trusted = undefined;
      try {
        this.consider(trusted.hello, roster);
      } catch (error) {
        this.refuse('hello', error);
      }
    }
    if (this.lastHello !== undefined) this.receiveHello(this.lastHello);
  }

  private adopt(message: Uint8Array): void {
    const { roster, owners } = acceptRoster(message, this.owners);
    const before = this.rosterOrder;
    const next = rosterOrder(roster.version, owners);
    if (isOlderRoster(next, before))
      throw new SmartZoneError(
        'STALE_ROSTER',
        `version ${roster.version}, version ${before.version} is known`,
      );
    if (!isOlderRoster(before, next))
      throw new SmartZoneError('ROSTER_CONFLICT', `version ${roster.version}`);
    this.newestRoster = roster;
    this.newestRosterMessage = Uint8Array.from(message);
    this.owners = owners;
    this.witness.sawRoster(roster.version, message, owners);
    this.emit('roster', roster);
  }

  private consider(hello: VerifiedHello, roster: Roster): void {
    const entry = findDevice(roster, hello.device);
    if (entry === undefined || !equalBytes(entry.agreementKey, hello.agreementKey))
      throw new SmartZoneError('UNTRUSTED_DEVICE', kidToHex(hello.device));
    const { name } = entry;
    if (hello.securityLevel < entry.securityLevel)
      throw new SmartZoneError(
        'LEVEL_TOO_LOW',
        `${name}: ${hello.securityLevel}, the roster asks for ${entry.securityLevel}`,
      );
    const seen = this.witness.device(hello.device);
    const order = { generation: hello.ownerGeneration ?? 0, version: hello.rosterVersion };
    // 0 is "none": after a reset, or before a model is loaded. Only older state in force is state that was put back.
    if (order.version !== 0 && isOlderRoster(order, { generation: seen.generation, version: seen.roster }))
      throw new SmartZoneError(
        'STATE_ROLLED_BACK',
        `${name}: roster ${hello.rosterVersion}, had ${seen.roster}`,
      );
    // A device that went back to an older model by its own rules still names the highest one that it had.
    const model = hello.modelFloor ?? hello.modelSequence;
    if (model !== 0 && model < seen.model)
      throw new SmartZoneError('STATE_ROLLED_BACK', `${name}: model ${model}, had ${seen.model}`);
    if (this.pastBoots.has(toHex(hello.bootNonce)))
      throw new SmartZoneError('STALE_NONCE', `${name}: the hello of an earlier boot`);
    this.boots.add(toHex(hello.bootNonce));
    DeviceTrust.bound(this.boots);
    this.witness.sawDevice(hello.device, { generation: order.generation, roster: order.version, model });
    this.trusted = { name, kid: hello.device, hello, behind: isOlderRoster(order, this.rosterOrder) };
    this.emit('device', this.trusted);
  }

  private static bound(boots: Set<string>): void {
    const [oldest] = boots;
    if (boots.size > REMEMBERED_BOOTS && oldest !== undefined) boots.delete(oldest);
  }

  private refuse(what: Refusal['what'], error: unknown): void {
    if (!isSmartZoneError(error)) throw error;
    this.emit('refused', { what, error });
  }
}
