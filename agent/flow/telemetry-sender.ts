import type { Topics } from '../../protocol/topics.js';
import type { BrokerLink } from '../broker/link.js';
import type { Log } from '../log.js';
import type { TeeClient } from '../tee/client.js';
import type { Counters } from '../telemetry.js';
import type { LabelOffers } from './label-offers.js';

/** Now and then a sealed telemetry record: the TA adds its own figures and seals, so that only rules hosts read it. */
export class TelemetrySender {
  #timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly tee: TeeClient,
    private readonly link: BrokerLink,
    private readonly topics: Topics,
    private readonly labelOffers: LabelOffers,
    private readonly counters: Counters,
    private readonly log: Log,
  ) {}

  /** 0 = none. */
  setInterval(intervalMs: number): void {
    clearInterval(this.#timer);
    this.#timer = intervalMs > 0 ? setInterval(() => void this.send(), intervalMs) : undefined;
  }

  /** Does not reject: the next record says the same and more. */
  async send(): Promise<void> {
    if (!this.link.isOnline || !this.tee.isOpen) return;
    try {
      const { record, epoch } = await this.tee.telemetry(this.counters.encode());
      await this.labelOffers.ensure(epoch);
      await this.link.publish(this.topics.telemetry, Buffer.from(record));
    } catch (error) {
      this.log.debug('no telemetry', { reason: (error as Error).message });
    }
  }
}
