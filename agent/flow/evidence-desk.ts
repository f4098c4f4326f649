import { isSmartZoneError } from '../../protocol/errors.js';
import type { Topics } from '../../protocol/topics.js';
import type { BrokerLink } from '../broker/link.js';
import type { TeeClient } from '../tee/client.js';
import type { Counters } from '../telemetry.js';

/** Signing evidence costs the TA milliseconds: anyone may ask, but not as often as they like. */
const LEAST_INTERVAL_MS = 200;

/** Answers requests for evidence: a nonce in, the TA's signed statement about itself out. */
export class EvidenceDesk {
  #last = -Infinity;

  constructor(
    private readonly tee: TeeClient,
    private readonly link: BrokerLink,
    private readonly topics: Topics,
    private readonly counters: Counters,
    private readonly now: () => number = () => performance.now(),
  ) {}

  async answer(nonce: Buffer): Promise<void> {
    if (nonce.length < 8 || nonce.length > 64 || this.now() - this.#last < LEAST_INTERVAL_MS)
      return this.counters.add('evidence_refused');
    this.#last = this.now();
    try {
      const evidence = await this.tee.evidence(nonce);
      this.counters.add('evidence_given');
      this.link.publish(this.topics.evidenceReply, Buffer.from(evidence)).catch(() => undefined);
    } catch (error) {
      if (isSmartZoneError(error, 'TEE_DIED', 'TEE_TIMEOUT', 'TEE_UNREACHABLE')) throw error;
      this.counters.add('evidence_refused');
    }
  }
}
