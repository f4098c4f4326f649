import { equalBytes, toHex } from '../../protocol/bytes.js';
import { isSmartZoneError, SmartZoneError } from '../../protocol/errors.js';
import type { InputShape } from '../../protocol/messages/input-shape.js';
import { sealOffer } from '../../protocol/messages/offer.js';
import { verifyReceipt } from '../../protocol/messages/receipt.js';
import type { Randomness } from '../../protocol/randomness.js';
import type { PartyKeys, Witness } from '../keys/index.js';
import type { BrokerLink } from '../link/index.js';
import { DeviceWatch, type TrustedDevice } from '../trust/index.js';
import { describeShape, type Destination, type DestinationEvents, type Target } from './destination.js';

/** The device behind one prefix. */
export class DeviceDestination implements Destination {
  readonly shared = false;
  private readonly watch: DeviceWatch;
  /** The agent's connection to the broker, by its own count. */
  private agentSession: number | undefined;

  constructor(
    link: BrokerLink,
    private readonly prefix: string,
    private readonly keys: PartyKeys,
    owner: Uint8Array,
    private readonly witness: Witness,
    private readonly random: Randomness,
  ) {
    this.watch = new DeviceWatch(link, prefix, owner, witness);
  }

  get offerTopic(): string {
    return this.watch.topics.sensorOffer(this.keys.signing.kid);
  }

  get frameTopic(): string {
    return this.watch.topics.sensorFrame(this.keys.signing.kid);
  }

  get device(): TrustedDevice | undefined {
    return this.watch.trust.device;
  }

  get inputShape(): InputShape | undefined {
    return this.device?.hello.inputShape;
  }

  get seenRoster(): Destination['seenRoster'] {
    return this.watch.trust.seenRoster;
  }

  get target(): Target | undefined {
    const { device, inputShape, keys } = this;
    if (device === undefined || inputShape === undefined || device.behind) return undefined;
    if (this.watch.trust.member(keys.signing.kid, 'sensor') === undefined) return undefined;
    const { kid, hello } = device;
    const { bootNonce, prekey } = hello;
    return {
      identity: [kid, bootNonce, prekey].map(toHex).join(' ') + describeShape(inputShape),
      inputShape,
      audience: kid,
      modelSequence: this.witness.device(kid).model,
      seal: (offer) =>
        sealOffer(offer, keys.signing, [{ id: kid, freshness: bootNonce, publicKey: prekey }], this.random),
    };
  }

  async start(events: DestinationEvents): Promise<void> {
    const { watch, keys } = this;
    watch.trust.on('device', (device) => {
      events.device(device);
      events.changed();
    });
    watch.trust.on('refused', events.refused);
    await watch.start();
    await watch.also(watch.topics.sensorReceipt(keys.signing.kid), (message) =>
      this.receipt(message, events),
    );
    await watch.also(watch.topics.state, (message) => {
      // The agent's own words, which nobody vouches for: at worst frames are sealed once more than they need to be.
      const session = sessionOf(message);
      if (session === undefined || session === this.agentSession) return;
      const known = this.agentSession !== undefined;
      this.agentSession = session;
      if (known) events.interrupted();
    });
  }

  confirmAlive(): void {
    this.watch.trust.confirmAlive();
  }

  whyNot(refused?: SmartZoneError): SmartZoneError {
    const { prefix, keys, device } = this;
    const { roster } = this.watch.trust;
    if (roster === undefined) return refused ?? new SmartZoneError('TIMED_OUT', `no roster at ${prefix}`);
    if (device === undefined) return refused ?? new SmartZoneError('TIMED_OUT', `no hello at ${prefix}`);
    if (this.watch.trust.member(keys.signing.kid, 'sensor') === undefined)
      return new SmartZoneError('UNKNOWN_SENDER', `${keys.name} in roster ${roster.version}`);
    if (device.behind)
      return new SmartZoneError('TIMED_OUT', `${device.name} has not taken roster ${roster.version} yet`);
    if (device.hello.inputShape === undefined) return new SmartZoneError('NO_MODEL', device.name);
    return new SmartZoneError('TIMED_OUT', `no channel to ${device.name}`);
  }

  close(): Promise<void> {
    return this.watch.close();
  }

  private receipt(message: Uint8Array, events: DestinationEvents): void {
    const { device } = this;
    if (device === undefined || message.length === 0) return;
    try {
      const receipt = verifyReceipt(message, device.hello.signingKey);
      if (!equalBytes(receipt.device, device.kid)) throw new SmartZoneError('WRONG_DEVICE', 'receipt');
      // The receipt of an earlier boot lies retained until the first of this one.
      if (equalBytes(receipt.bootNonce, device.hello.bootNonce)) events.receipt(receipt);
    } catch (error) {
      if (!isSmartZoneError(error)) throw error;
      events.refused({ what: 'receipt', error });
    }
  }
}

/** The state topic is JSON: {"state", "session", ...}; the session changes with every connection of the agent. */
function sessionOf(message: Uint8Array): number | undefined {
  try {
    const { session } = JSON.parse(Buffer.from(message).toString('utf8')) as { session?: unknown };
    return typeof session === 'number' ? session : undefined;
  } catch {
    return undefined;
  }
}
