import { EventEmitter } from 'node:events';
import { equalBytes } from '../../protocol/bytes.js';
import { isSmartZoneError } from '../../protocol/errors.js';
import { kidToHex, type Kid } from '../../protocol/kid.js';
import { verifyHello } from '../../protocol/messages/hello.js';
import { findZone, type Roster, type Zone } from '../../protocol/messages/roster.js';
import { ANY_DEVICE } from '../../protocol/topics.js';
import type { Witness } from '../keys/index.js';
import type { BrokerLink } from '../link/index.js';
import { DeviceTrust, type Refusal, type TrustedDevice } from './device-trust.js';

export interface ZoneWatchEvents {
  /** A device of the zone became known, changed, or left, or the zone itself changed. */
  changed: [];
  refused: [Refusal];
}

/** A device of the zone and where its topics are. */
export interface ZoneDevice {
  readonly device: TrustedDevice;
  readonly prefix: string;
}

/** Prefixes whose hello is kept for a roster to come: more than a home has devices. */
const KNOWN_PREFIXES = 256;

/**
 * Finds the devices of a zone: the roster says which keys they have, their hellos under smartzone/<name>/hello say where they are.
 * What a roster of another owner or a device outside the zone says is nothing.
 */
export class ZoneWatch extends EventEmitter<ZoneWatchEvents> {
  /** Knows the roster; gets no hello. */
  private readonly anchor: DeviceTrust;
  private readonly trusts = new Map<string, { readonly trust: DeviceTrust; prefix: string }>();
  private readonly hellos = new Map<string, Uint8Array>();
  private readonly subscriptions: (() => Promise<void>)[] = [];
  /** Several messages of one moment are one change. */
  private told = false;

  /**
   * @param owner the pinned Ed25519 public key
   * @param which the zone's name, or its id in hexadecimal
   */
  constructor(
    private readonly link: BrokerLink,
    private readonly which: string,
    private readonly owner: Uint8Array,
    private readonly witness: Witness,
  ) {
    super();
    this.anchor = new DeviceTrust(owner, witness);
  }

  async start(): Promise<void> {
    this.subscriptions.push(
      await this.link.subscribe(ANY_DEVICE.roster, ({ payload }) => this.receiveRoster(payload)),
      await this.link.subscribe(ANY_DEVICE.hello, ({ topic, payload }) => this.receiveHello(topic, payload)),
    );
  }

  get roster(): Roster | undefined {
    return this.anchor.roster;
  }

  /** See `DeviceTrust.seenRoster`. */
  get seenRoster(): DeviceTrust['seenRoster'] {
    return this.anchor.seenRoster;
  }

  /** Undefined until a roster names it. */
  get zone(): Zone | undefined {
    return this.roster && findZone(this.roster, this.which);
  }

  /** The devices that are known and trusted, in the roster's order. */
  get devices(): readonly ZoneDevice[] {
    const found: ZoneDevice[] = [];
    for (const kid of this.zone?.devices ?? []) {
      const known = this.trusts.get(kidToHex(kid));
      if (known?.trust.device !== undefined) found.push({ device: known.trust.device, prefix: known.prefix });
    }
    return found;
  }

  /** For what only DeviceTrust knows of a device: whether a message shows that its boot is the present one. */
  trustOf(kid: Kid): DeviceTrust | undefined {
    return this.trusts.get(kidToHex(kid))?.trust;
  }

  async close(): Promise<void> {
    await Promise.all(this.subscriptions.splice(0).map((unsubscribe) => unsubscribe()));
  }

  private receiveRoster(message: Uint8Array): void {
    const before = this.anchor.roster;
    const { refused, stop } = collectRefusals(this.anchor);
    this.anchor.receiveRoster(message);
    stop();
    // Each device has its own copy on the broker: one that is away still has an older one.
    for (const refusal of refused) if (refusal.error.code !== 'STALE_ROSTER') this.emit('refused', refusal);
    if (this.anchor.roster === undefined || this.anchor.roster === before) return;
    for (const { trust } of this.trusts.values()) trust.receiveRoster(message);
    for (const [topic, hello] of this.hellos) this.consider(topic, hello);
    this.tell();
  }

  private receiveHello(topic: string, message: Uint8Array): void {
    if (message.length === 0) return;
    if (this.hellos.size >= KNOWN_PREFIXES && !this.hellos.has(topic)) return;
    this.hellos.set(topic, message);
    this.consider(topic, message);
  }

  private consider(topic: string, message: Uint8Array): void {
    let kid: Kid;
    try {
      kid = verifyHello(message).device;
    } catch (error) {
      if (!isSmartZoneError(error)) throw error;
      return;
    }
    if (this.zone?.devices.some((each) => equalBytes(each, kid)) !== true) return;
    const prefix = topic.slice(0, topic.lastIndexOf('/'));
    let known = this.trusts.get(kidToHex(kid));
    if (known === undefined) {
      const trust = new DeviceTrust(this.owner, this.witness);
      trust.on('device', () => this.tell());
      trust.on('refused', (refusal) => this.emit('refused', refusal));
      known = { trust, prefix };
      this.trusts.set(kidToHex(kid), known);
    }
    known.prefix = prefix;
    known.trust.receiveHello(message);
  }

  private tell(): void {
    if (this.told) return;
    this.told = true;
    setImmediate(() => {
      this.told = false;
      this.emit('changed');
    });
  }
}

function collectRefusals(trust: DeviceTrust): { refused: readonly Refusal[]; stop: () => void } {
  const refused: Refusal[] = [];
  const collect = (refusal: Refusal): void => void refused.push(refusal);
  trust.on('refused', collect);
  return { refused, stop: () => void trust.off('refused', collect) };
}
