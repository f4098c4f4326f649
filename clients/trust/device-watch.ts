import { Topics } from '../../protocol/topics.js';
import type { Witness } from '../keys/index.js';
import type { BrokerLink } from '../link/index.js';
import { DeviceTrust } from './device-trust.js';

/** What the broker says of the device behind one prefix, judged by DeviceTrust. */
export class DeviceWatch {
  readonly topics: Topics;
  readonly trust: DeviceTrust;
  private readonly subscriptions: (() => Promise<void>)[] = [];

  /** @param owner the pinned Ed25519 public key */
  constructor(
    private readonly link: BrokerLink,
    prefix: string,
    owner: Uint8Array,
    witness: Witness,
  ) {
    this.topics = new Topics(prefix);
    this.trust = new DeviceTrust(owner, witness);
  }

  /** Subscribes to roster and hello. */
  async start(): Promise<void> {
    await this.also(this.topics.roster, (payload) => this.trust.receiveRoster(payload));
    await this.also(this.topics.hello, (payload) => this.trust.receiveHello(payload));
  }

  /** Subscribes to another topic, until `close`. */
  async also(filter: string, handle: (payload: Uint8Array, topic: string) => void): Promise<void> {
    this.subscriptions.push(
      await this.link.subscribe(filter, ({ payload, topic }) => handle(payload, topic)),
    );
  }

  async close(): Promise<void> {
    await Promise.all(this.subscriptions.splice(0).map((unsubscribe) => unsubscribe()));
  }
}
