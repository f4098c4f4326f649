/** Waiting times that double up to a cap, with jitter so that many devices do not come back in step. */
export class Backoff {
  #attempt = 0;

  /**
   * @param minMs the first wait, before jitter
   * @param maxMs no wait is longer
   * @param random numbers in [0, 1)
   */
  constructor(
    private readonly minMs: number,
    private readonly maxMs: number,
    private readonly random: () => number = Math.random,
  ) {}

  /** The next wait: between half and all of the doubled time ("equal jitter": never zero, never in step). */
  next(): number {
    const full = Math.min(this.maxMs, this.minMs * 2 ** Math.min(this.#attempt, 30));
    this.#attempt += 1;
    return Math.round(full / 2 + (full / 2) * this.random());
  }

  reset(): void {
    this.#attempt = 0;
  }
}
