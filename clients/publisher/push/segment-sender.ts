import type { BrokerLink } from '../../link/index.js';
import type { PackageTopics } from '../../../protocol/topics.js';

/** Wants of many devices that come so close together are answered with one message a segment. */
const GATHER_MS = 300;
/** The first wants of a fleet come one after the other: so long after the last one whoever has not asked is away. */
const AWAY_MS = 5_000;
const AWAY_MOST_MS = 30_000;
/** A want that was written before a segment arrived asks for it once more: not sent again so soon. */
const SETTLE_MS = 800;
const EXPIRY_S = 60;

/** Sends the segments of one package that any device wants, each once for all of them, in order. */
export class SegmentSender {
  readonly #demand = new Set<number>();
  readonly #sentAt = new Map<number, number>();
  #running: Promise<void> | undefined;
  #stopped = false;
  #began = false;
  #newcomerAt = 0;
  #bytes = 0;
  #sent = 0;

  constructor(
    private readonly link: BrokerLink,
    private readonly topics: PackageTopics,
    private readonly segments: readonly Uint8Array[],
    /** Whether all devices that will want segments have asked: before that nothing is sent, so that it is sent once. */
    private readonly everybody: () => boolean = () => true,
  ) {}

  /** Bytes of segments given to the broker so far. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Segments given to the broker so far, each time counted. */
  get sent(): number {
    return this.#sent;
  }

  /** @param newcomer a device that had not asked before */
  want(indices: readonly number[], newcomer = true): void {
    const now = performance.now();
    if (newcomer) this.#newcomerAt = now;
    for (const index of indices) {
      const recent = now - (this.#sentAt.get(index) ?? -Infinity) < SETTLE_MS;
      if (index < this.segments.length && !recent) this.#demand.add(index);
    }
    if (this.#demand.size > 0) this.#running ??= this.#send().finally(() => (this.#running = undefined));
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#running;
  }

  async #send(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, GATHER_MS));
    const end = performance.now() + AWAY_MOST_MS;
    while (!this.#began && !this.#stopped && !this.everybody() && performance.now() < end) {
      if (performance.now() - this.#newcomerAt > AWAY_MS) break;
      await new Promise((resolve) => setTimeout(resolve, GATHER_MS / 6));
    }
    this.#began = true;
    while (this.#demand.size > 0 && !this.#stopped) {
      const index = Math.min(...this.#demand);
      const segment = this.segments[index] ?? new Uint8Array(0);
      this.#demand.delete(index);
      // QoS 1, one at a time: the broker's acknowledgement is the pace.
      await this.link.publish(this.topics.segment(index), segment, { qos: 1, expiry: EXPIRY_S });
      this.#sentAt.set(index, performance.now());
      this.#bytes += segment.length;
      this.#sent += 1;
    }
  }
}
