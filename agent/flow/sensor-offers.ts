import { isSmartZoneError } from '../../protocol/errors.js';
import type { Log } from '../log.js';
import type { TeeClient } from '../tee/client.js';
import type { Counters } from '../telemetry.js';
import { KnownMessages, type Known } from './known-messages.js';

/** Channel offers of sensors: to the TA when they come, and again when it may have changed its mind. */
export class SensorOffers {
  readonly #known = new KnownMessages();

  constructor(
    private readonly tee: TeeClient,
    private readonly log: Log,
    private readonly counters: Counters,
  ) {}

  /** An empty message is a sensor that takes its offer back. */
  async receive(sensor: string, bytes: Buffer): Promise<void> {
    if (bytes.length === 0) return this.#known.forget(sensor);
    const before = this.#known.get(sensor);
    // Retained offers come again with every subscription.
    if (before?.accepted && before.bytes.equals(bytes)) return;
    const known = this.#known.remember(sensor, bytes);
    if (known) await this.#give(known);
    else this.counters.add('offers_ignored');
  }

  /** Offers it again, for a frame whose channel the TA does not know. Returns whether that may have helped. */
  async replay(sensor: string): Promise<boolean> {
    const known = this.#known.get(sensor);
    if (!known) return false;
    await this.#give(known);
    return known.accepted;
  }

  /** The roster has changed: who was a stranger may be a member now. */
  async retryRefused(): Promise<void> {
    for (const known of this.#known.all) if (!known.accepted) await this.#give(known);
  }

  /** The TA has restarted. */
  async replayAll(): Promise<void> {
    this.#known.reset();
    await this.retryRefused();
  }

  async #give(known: Known): Promise<void> {
    const { kid: sensor } = known;
    try {
      await this.tee.offer(known.bytes);
      known.accepted = true;
      this.counters.add('offers_accepted');
      this.log.info('accepted a channel offer', { sensor });
    } catch (error) {
      if (isSmartZoneError(error, 'TEE_DIED', 'TEE_TIMEOUT', 'TEE_UNREACHABLE')) throw error;
      known.accepted = false;
      const code = isSmartZoneError(error) ? error.code : 'internal';
      this.counters.add(`offers_refused_${code.toLowerCase()}`);
      // Offers for an earlier boot lie retained until the sensor has read the new hello: nothing to worry about.
      this.log[code === 'STALE_NONCE' ? 'debug' : 'warn']('refused a channel offer', { sensor, code });
    }
  }
}
