/** Holds callers back while it is closed. */
export class Gate {
  #open = false;
  #ended = false;
  #waiting: (() => void)[] = [];

  get isOpen(): boolean {
    return this.#open;
  }

  open(): void {
    this.#open = true;
    this.#release();
  }

  close(): void {
    this.#open = false;
  }

  /** Nobody waits any more, now or later. */
  end(): void {
    this.#ended = true;
    this.#release();
  }

  /** Resolves with true when the gate is open, with false when it has ended. */
  async pass(): Promise<boolean> {
    while (!this.#open && !this.#ended) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    return !this.#ended;
  }

  #release(): void {
    for (const go of this.#waiting.splice(0)) go();
  }
}
