import { encodeModelWant } from '../../protocol/messages/model.js';

/** Least and most time without a new segment after which what is missing is asked for again. */
const LEAST_MS = 1_000;
const MOST_MS = 60_000;
/** How much a new measurement counts for the mean, and for the mean deviation from it (RFC 6298, section 2). */
const MEAN_GAIN = 1 / 8;
const DEVIATION_GAIN = 1 / 4;

/**
 * Asks for a package's missing segments, and asks again while they do not come: a publisher may be away, a message lost. How long it
 * waits follows from how long segments took before (RFC 6298): where broker, publisher or disk are slow, a segment that is still
 * under way is not asked for twice.
 */
export class SegmentWants {
  #timer: NodeJS.Timeout | undefined;
  #delay = LEAST_MS;
  /** Of the time until the next segment, in milliseconds; undefined until one was measured. */
  #mean: number | undefined;
  #deviation = 0;
  /** When the last question or segment was, and whether it is certain which of them the next segment follows. */
  #since = 0;
  #certain = false;
  #ask: () => void = () => undefined;

  constructor(private readonly send: (message: Buffer) => void) {}

  /** @param missing looked at each time */
  start(digest: string, missing: () => readonly number[]): void {
    this.#ask = () => {
      const manifestDigest = Buffer.from(digest, 'hex');
      this.send(Buffer.from(encodeModelWant({ manifestDigest, segments: missing() })));
    };
    this.#delay = LEAST_MS;
    this.#mean = undefined;
    this.#wait(true);
    this.#ask();
  }

  /** A segment came. */
  answered(): void {
    // After a second question nobody knows which one was answered (Karn's algorithm): the longer time stays until there is a certain one.
    if (this.#certain) this.#measured(performance.now() - this.#since);
    this.#wait(true);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #measured(took: number): void {
    if (this.#mean === undefined) {
      this.#mean = took;
      this.#deviation = took / 2;
    } else {
      this.#deviation += DEVIATION_GAIN * (Math.abs(this.#mean - took) - this.#deviation);
      this.#mean += MEAN_GAIN * (took - this.#mean);
    }
    this.#delay = Math.min(Math.max(this.#mean + 4 * this.#deviation, LEAST_MS), MOST_MS);
  }

  #wait(certain: boolean): void {
    clearTimeout(this.#timer);
    this.#since = performance.now();
    this.#certain = certain;
    this.#timer = setTimeout(
      () => {
        this.#delay = Math.min(2 * this.#delay, MOST_MS);
        this.#wait(false);
        this.#ask();
      },
      this.#delay * (1 + Math.random() / 2),
    );
  }
}
