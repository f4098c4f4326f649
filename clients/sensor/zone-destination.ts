import { equalBytes, toHex } from '../../protocol/bytes.js';
import { isSmartZoneError, SmartZoneError } from '../../protocol/errors.js';
import { kidFromHex, kidToHex, type Kid } from '../../protocol/kid.js';
import type { InputShape } from '../../protocol/messages/input-shape.js';
import { verifyReceipt } from '../../protocol/messages/receipt.js';
import { findMember, type Zone } from '../../protocol/messages/roster.js';
import { sealZoneOffer } from '../../protocol/messages/zone-offer.js';
import type { Randomness } from '../../protocol/randomness.js';
import { ZoneTopics } from '../../protocol/topics.js';
import type { PartyKeys, Witness } from '../keys/index.js';
import type { BrokerLink } from '../link/index.js';
import { ZoneWatch, type TrustedDevice } from '../trust/index.js';
import { describeShape, type Destination, type DestinationEvents, type Target } from './destination.js';

/** Hellos come one after the other: so long after the last the zone is taken for complete. */
const SETTLE_MS = 300;

/**
 * The devices of a zone. A channel is offered to all that are there: known, not behind the roster, and with a model that takes what
 * most of them take. Any other boot, key, roster entry or model makes another target, and so a new channel for all.
 */
export class ZoneDestination implements Destination {
  readonly shared = true;
  private readonly watch: ZoneWatch;
  private subscribed: { readonly zone: Kid; readonly unsubscribe: () => Promise<void> } | undefined;
  private settling: NodeJS.Timeout | undefined;
  private settled: Target | undefined;
  private readonly announced = new Map<string, TrustedDevice>();

  constructor(
    private readonly link: BrokerLink,
    private readonly which: string,
    private readonly keys: PartyKeys,
    owner: Uint8Array,
    private readonly witness: Witness,
    private readonly random: Randomness,
  ) {
    this.watch = new ZoneWatch(link, which, owner, witness);
  }

  get offerTopic(): string {
    return this.topics.offer(this.keys.signing.kid);
  }

  get frameTopic(): string {
    return this.topics.frame(this.keys.signing.kid);
  }

  get target(): Target | undefined {
    return this.settled;
  }

  get device(): TrustedDevice | undefined {
    return this.watch.devices[0]?.device;
  }

  get inputShape(): InputShape | undefined {
    return this.settled?.inputShape;
  }

  get seenRoster(): Destination['seenRoster'] {
    return this.watch.seenRoster;
  }

  async start(events: DestinationEvents): Promise<void> {
    this.watch.on('refused', events.refused);
    this.watch.on('changed', () => {
      void this.followZone(events);
      for (const { device } of this.watch.devices) {
        const id = kidToHex(device.kid);
        if (this.announced.get(id) === device) continue;
        this.announced.set(id, device);
        events.device(device);
      }
      clearTimeout(this.settling);
      this.settling = setTimeout(() => {
        this.settled = this.judge();
        events.changed();
      }, SETTLE_MS);
    });
    await this.watch.start();
  }

  confirmAlive(device: Kid): void {
    this.watch.trustOf(device)?.confirmAlive();
  }

  whyNot(refused?: SmartZoneError): SmartZoneError {
    const { which, keys, watch } = this;
    const { roster, zone, devices } = watch;
    if (roster === undefined) return refused ?? new SmartZoneError('TIMED_OUT', 'no roster at smartzone/+');
    if (zone === undefined)
      return new SmartZoneError('NOT_IN_ZONE', `roster ${roster.version} names no zone ${which}`);
    if (findMember(roster, keys.signing.kid, 'sensor') === undefined)
      return new SmartZoneError('UNKNOWN_SENDER', `${keys.name} in roster ${roster.version}`);
    if (devices.length === 0)
      return refused ?? new SmartZoneError('TIMED_OUT', `no hello of a device of zone ${which}`);
    if (devices.every(({ device }) => device.behind))
      return new SmartZoneError(
        'TIMED_OUT',
        `no device of zone ${which} has taken roster ${roster.version} yet`,
      );
    if (devices.every(({ device }) => device.hello.inputShape === undefined))
      return new SmartZoneError('NO_MODEL', `zone ${which}`);
    return new SmartZoneError('TIMED_OUT', `no channel to zone ${which}`);
  }

  async close(): Promise<void> {
    clearTimeout(this.settling);
    await this.subscribed?.unsubscribe();
    await this.watch.close();
  }

  private get topics(): ZoneTopics {
    const { zone } = this.watch;
    if (zone === undefined) throw this.whyNot();
    return new ZoneTopics(zone.id);
  }

  /** Receipts of the zone's devices, once it is known which zone it is. */
  private async followZone(events: DestinationEvents): Promise<void> {
    const { zone } = this.watch;
    const before = this.subscribed;
    if (zone === undefined || (before !== undefined && equalBytes(before.zone, zone.id))) return;
    const state = { zone: zone.id, unsubscribe: (): Promise<void> => Promise.resolve() };
    this.subscribed = state;
    await before?.unsubscribe();
    const filter = new ZoneTopics(zone.id).receipt(this.keys.signing.kid, '+');
    state.unsubscribe = await this.link.subscribe(filter, ({ topic, payload }) =>
      this.receipt(topic, payload, events),
    );
  }

  private judge(): Target | undefined {
    const { watch, keys } = this;
    const { roster, zone } = watch;
    if (roster === undefined || zone === undefined) return undefined;
    if (findMember(roster, keys.signing.kid, 'sensor') === undefined) return undefined;
    const there = watch.devices.map(({ device }) => device).filter(({ behind }) => !behind);
    const inputShape = mostCommon(there.flatMap(({ hello }) => hello.inputShape ?? []));
    if (inputShape === undefined) return undefined;
    const shape = describeShape(inputShape);
    const takers = there.filter(
      ({ hello }) => hello.inputShape !== undefined && describeShape(hello.inputShape) === shape,
    );
    return {
      identity: `${identityOf(zone, takers)} ${shape}`,
      inputShape,
      audience: zone.id,
      modelSequence: Math.min(...takers.map(({ kid }) => this.witness.device(kid).model)),
      seal: (offer) =>
        sealZoneOffer(
          offer,
          zone.id,
          keys.signing,
          takers.map(({ hello }) => hello),
          this.random,
        ),
    };
  }

  private receipt(topic: string, message: Uint8Array, events: DestinationEvents): void {
    const id = topic.slice(topic.lastIndexOf('/') + 1);
    const device = this.watch.devices.find(({ device: { kid } }) => kidToHex(kid) === id)?.device;
    // Of a device that has left the zone, or is not known yet: what it takes is receipted again.
    if (device === undefined || message.length === 0) return;
    try {
      const receipt = verifyReceipt(message, device.hello.signingKey);
      if (!equalBytes(receipt.device, kidFromHex(id))) throw new SmartZoneError('WRONG_DEVICE', 'receipt');
      if (equalBytes(receipt.bootNonce, device.hello.bootNonce)) events.receipt(receipt);
    } catch (error) {
      if (!isSmartZoneError(error)) throw error;
      events.refused({ what: 'receipt', error });
    }
  }
}

/** Also of who belongs to the zone: a device that has left it must not open the next frame. */
function identityOf(zone: Zone, takers: readonly TrustedDevice[]): string {
  const members = zone.devices.map((kid) => toHex(kid));
  const boots = takers.map(({ kid, hello }) => [kid, hello.bootNonce, hello.prekey].map(toHex).join('/'));
  return [toHex(zone.id), ...members, ...boots].join(' ');
}

/** Of equally many the first. */
function mostCommon(shapes: readonly InputShape[]): InputShape | undefined {
  const count = (shape: InputShape): number =>
    shapes.filter((each) => describeShape(each) === describeShape(shape)).length;
  return shapes.reduce<InputShape | undefined>(
    (best, shape) => (best === undefined || count(shape) > count(best) ? shape : best),
    undefined,
  );
}
