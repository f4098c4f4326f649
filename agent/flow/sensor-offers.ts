import { isSmartZoneError } from '../../protocol/errors.js';
import type { Log } from '../log.js';
import type { Counters } from '../telemetry.js';
import { KnownMessages, type Known } from './known-messages.js';

/** Channel offers of sensors: to the TA when they come, and again when it may have changed its mind. */
export class SensorOffers {
  readonly #known = new KnownMessages();
  readonly #waiting = new Map<string, Promise<void>>();

  /**
   * @param give an offer to the TA
   * @param changed the TA has a channel of this sensor, or has none any more
   */
  constructor(
    private readonly give: (offer: Uint8Array) => Promise<unknown>,
    private readonly log: Log,
    private readonly counters: Counters,
    private readonly changed: (sensor: string, open: boolean) => void = () => undefined,
  ) {}

  /** Whether the TA has a channel of this sensor, as far as is known. */
  accepted(sensor: string): boolean {
    return this.#known.get(sensor)?.accepted ?? false;
  }

  /** Sensors that the TA has a channel of. */
  get sensors(): readonly string[] {
    return this.#known.all.filter(({ accepted }) => accepted).map(({ kid }) => kid);
  }

  /**
   * An offer has arrived, and waits for its turn behind other messages: frames that came after it must not be lost meanwhile.
   * @param handled settles when `receive` is done with it; does not reject
   */
  expect(sensor: string, handled: Promise<void>): void {
    this.#waiting.set(sensor, handled);
    void handled.then(() => {
      if (this.#waiting.get(sensor) === handled) this.#waiting.delete(sensor);
    });
  }

  /** An empty message is a sensor that takes its offer back. */
  async receive(sensor: string, bytes: Buffer): Promise<void> {
    if (bytes.length === 0) {
      this.#known.forget(sensor);
      return this.changed(sensor, false);
    }
    const before = this.#known.get(sensor);
    // Retained offers come again with every subscription.
    if (before?.accepted && before.bytes.equals(bytes)) return;
    const known = this.#known.remember(sensor, bytes);
    if (known) await this.#give(known);
    else this.counters.add('offers_ignored');
  }

  /** Offers it again, for a frame whose channel the TA does not know. Returns whether that may have helped. */
  async replay(sensor: string): Promise<boolean> {
    await this.#waiting.get(sensor);
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
      await this.give(known.bytes);
      known.accepted = true;
      this.changed(sensor, true);
      this.counters.add('offers_accepted');
      this.log.info('accepted a channel offer', { sensor });
    } catch (error) {
      if (isSmartZoneError(error, 'TEE_DIED', 'TEE_TIMEOUT', 'TEE_UNREACHABLE')) throw error;
      known.accepted = false;
      this.changed(sensor, false);
      const code = isSmartZoneError(error) ? error.code : 'internal';
      this.counters.add(`offers_refused_${code.toLowerCase()}`);
      // Offers for an earlier boot lie retained until the sensor has read the new hello: nothing to worry about.
      this.log[code === 'STALE_NONCE' ? 'debug' : 'warn']('refused a channel offer', { sensor, code });
    }
  }
}
