import type { RuleTimers } from '../rules/rule-engine.js';

interface Due {
  readonly at: number;
  readonly callback: () => void;
}

/** Timers that run on the times of a recording instead of the clock. */
export class ReplayTimers implements RuleTimers {
  readonly #due = new Set<Due>();
  #now = 0;

  set(callback: () => void, milliseconds: number): unknown {
    const due = { at: this.#now + milliseconds, callback };
    this.#due.add(due);
    return due;
  }

  clear(timer: unknown): void {
    this.#due.delete(timer as Due);
  }

  /** Lets everything happen that is due until `time`, in order; `at` is told when each happens. */
  advance(time: number, at: (time: number) => void): void {
    for (;;) {
      const next = [...this.#due].sort((a, b) => a.at - b.at)[0];
      if (next === undefined || next.at > time) break;
      this.#due.delete(next);
      this.#now = next.at;
      at(next.at);
      next.callback();
    }
    this.#now = Math.max(this.#now, Number.isFinite(time) ? time : this.#now);
  }
}
