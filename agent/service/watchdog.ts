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

  private constructor(intervalMs: number, { check, feed, log }: WatchdogParts) {
    let checking = false;
    const turn = (): void => {
      if (checking) return;
      checking = true;
      check()
        .then(feed, (error: unknown) => {
          log.warn('the watchdog is not fed', { reason: (error as Error).message });
        })
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
    clearInterval(this.#timer);
  }
}
