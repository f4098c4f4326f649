import type { Log } from '../log.js';

export interface WatchdogParts {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Rejects when the TA does not answer. */
  readonly check: () => Promise<unknown>;
  readonly feed: () => void;
  readonly log: Log;
}

/**
 * Tells systemd that the daemon lives, as long as it does: the timer runs on the event loop, and the TA must have answered.
 * A daemon without a TEE for longer than WatchdogSec= is started again.
 */
export class Watchdog {
  readonly #timer: NodeJS.Timeout;
  #again: NodeJS.Timeout | undefined;
  #stopped = false;

  private constructor(intervalMs: number, { check, feed, log }: WatchdogParts) {
    let checking = false;
    let failing = false;
    const turn = (): void => {
      if (checking) return;
      checking = true;
      check()
        .then(
          () => {
            failing = false;
            feed();
          },
          (error: unknown) => {
            if (!failing) log.warn('the watchdog is not fed', { reason: (error as Error).message });
            failing = true;
            // A TEE that is back must count before the time is up, also where it was away at two checks in a row.
            clearTimeout(this.#again);
            if (!this.#stopped) this.#again = setTimeout(turn, intervalMs / 10);
          },
        )
        .finally(() => (checking = false));
    };
    this.#timer = setInterval(turn, intervalMs);
    turn();
  }

  /** undefined unless the service manager asks this process for a watchdog (sd_watchdog_enabled(3)). */
  static create(parts: WatchdogParts): Watchdog | undefined {
    const { WATCHDOG_USEC: microseconds, WATCHDOG_PID: pid } = parts.env;
    if (!microseconds || !(Number(microseconds) > 0)) return undefined;
    if (pid && Number(pid) !== process.pid) return undefined;
    return new Watchdog(Math.max(10, Number(microseconds) / 1000 / 3), parts);
  }

  stop(): void {
    this.#stopped = true;
    clearInterval(this.#timer);
    clearTimeout(this.#again);
  }
}
