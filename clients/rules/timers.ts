/** Time as rules see it: the machine's, or a recording's. */
export interface RuleTimers {
  /** @param milliseconds from `now` */
  set(callback: () => void, milliseconds: number): unknown;
  clear(timer: unknown): void;
}

export interface RuleClock extends RuleTimers {
  /** Milliseconds since 1970. */
  now(): number;
}

/** The machine's clock. Timers do not keep a process alive by themselves. */
export const systemClock: RuleClock = {
  now: () => Date.now(),
  set: (callback, milliseconds) => setTimeout(callback, milliseconds).unref(),
  clear: (timer) => clearTimeout(timer as NodeJS.Timeout),
};

interface Due {
  readonly at: number;
  readonly callback: () => void;
}

/** Timers that run on the times of a recording instead of the clock. */
export class ReplayTimers implements RuleClock {
  readonly #due = new Set<Due>();
  #now = 0;

  now(): number {
    return this.#now;
  }

  set(callback: () => void, milliseconds: number): unknown {
    const due = { at: this.#now + milliseconds, callback };
    this.#due.add(due);
    return due;
  }

  clear(timer: unknown): void {
    this.#due.delete(timer as Due);
  }

  /** Lets everything happen that is due until `time`, in order; `at` is told when each happens. */
  advance(time: number, at: (time: number) => void = () => undefined): void {
    for (;;) {
      let next: Due | undefined;
      for (const due of this.#due) if (next === undefined || due.at < next.at) next = due;
      if (next === undefined || next.at > time) break;
      this.#due.delete(next);
      this.#now = Math.max(this.#now, next.at);
      at(this.#now);
      next.callback();
    }
    this.#now = Math.max(this.#now, Number.isFinite(time) ? time : this.#now);
  }
}
