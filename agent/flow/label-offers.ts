import type { Topics } from '../../protocol/topics.js';
import { isSmartZoneError } from '../../protocol/errors.js';
import { kidFromHex } from '../../protocol/kid.js';
import type { BrokerLink } from '../broker/link.js';
import type { Log } from '../log.js';
import type { TeeClient } from '../tee/client.js';
import type { Counters } from '../telemetry.js';
import { KnownMessages, type Known } from './known-messages.js';
import { Sequence } from './sequence.js';

/**
 * Label offers for the rules hosts: one per host and epoch, retained. Whoever is about to publish a record of an epoch calls
 * ensure() first, so that no rules host gets a label before the offer that opens it.
 */
export class LabelOffers {
  readonly #known = new KnownMessages();
  readonly #sequence = new Sequence();
  /** The epoch that all published offers belong to. */
  #epoch: number | undefined;

  constructor(
    private readonly tee: TeeClient,
    private readonly link: BrokerLink,
    private readonly topics: Topics,
    private readonly log: Log,
    private readonly counters: Counters,
  ) {}

  receive(rulesHost: string, bytes: Buffer): Promise<void> {
    return this.#sequence.run(async () => {
      if (bytes.length === 0) return this.#known.forget(rulesHost);
      const before = this.#known.get(rulesHost);
      if (before?.accepted && before.bytes.equals(bytes)) return;
      const known = this.#known.remember(rulesHost, bytes);
      if (!known) return this.counters.add('rules_hellos_ignored');
      const epoch = await this.#answer(known);
      if (epoch !== undefined && epoch !== this.#epoch) await this.#renew(epoch, known);
    });
  }

  /** Renews all offers if `epoch` is not the one they are for. */
  async ensure(epoch: number): Promise<void> {
    if (epoch === this.#epoch) return;
    await this.#sequence.run(async () => {
      if (epoch !== this.#epoch) await this.#renew(epoch);
    });
  }

  /** The roster has changed: who was a stranger may be a member now, and the epoch is probably another. */
  retryRefused(): Promise<void> {
    return this.#sequence.run(async () => {
      for (const known of this.#known.all) {
        if (known.accepted) continue;
        const epoch = await this.#answer(known);
        if (epoch !== undefined && epoch !== this.#epoch) return this.#renew(epoch, known);
      }
    });
  }

  /** The TA has restarted: its epochs start over. */
  async replayAll(): Promise<void> {
    this.#known.reset();
    this.#epoch = undefined;
    await this.retryRefused();
  }

  async #renew(epoch: number, answered?: Known): Promise<void> {
    for (const known of this.#known.all) if (known !== answered) await this.#answer(known);
    this.#epoch = epoch;
  }

  /** Returns the epoch of the offer that was published, or undefined if the TA refused the hello. */
  async #answer(known: Known): Promise<number | undefined> {
    const rulesHost = known.kid;
    try {
      const { offer, epoch } = await this.tee.rulesHello(known.bytes);
      this.link.retain(this.topics.rulesOffer(kidFromHex(rulesHost)), Buffer.from(offer));
      known.accepted = true;
      this.counters.add('label_offers');
      this.log.info('offered labels to a rules host', { rulesHost, epoch });
      return epoch;
    } catch (error) {
      if (isSmartZoneError(error, 'TEE_DIED', 'TEE_TIMEOUT', 'TEE_UNREACHABLE')) throw error;
      known.accepted = false;
      const code = isSmartZoneError(error) ? error.code : 'internal';
      this.counters.add(`rules_hellos_refused_${code.toLowerCase()}`);
      this.log.warn('refused a rules host', { rulesHost, code });
      return undefined;
    }
  }
}
