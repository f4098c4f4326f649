/**
 * Labels on their way to the broker. The TA keeps the last eight sealed labels of a channel and answers a frame that comes
 * again with the identical one: with at most so many unacknowledged, a crash of the agent loses none. One more than these may be
 * in the TEE: the next frame is taken while there is room for the one before it.
 */
export class LabelWindow {
  readonly #outstanding = new Set<Promise<void>>();

  constructor(private readonly limit = 7) {}

  /** Resolves when there is room for one more label. */
  async room(): Promise<void> {
    while (this.#outstanding.size >= this.limit) await Promise.race(this.#outstanding);
  }

  /** @param publication must not reject */
  add(publication: Promise<void>): void {
    this.#outstanding.add(publication);
    void publication.finally(() => this.#outstanding.delete(publication));
  }

  /** Resolves when all labels that are under way now have been acknowledged or given up. */
  async settled(): Promise<void> {
    await Promise.all(this.#outstanding);
  }
}
