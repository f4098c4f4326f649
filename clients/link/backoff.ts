/** How long to wait before the next attempt: doubles up to a cap, with jitter so that many clients do not return at once. */
export interface BackoffOptions {
  /** First delay in milliseconds. */
  readonly base: number;
  /** Longest delay in milliseconds, before jitter. */
  readonly cap: number;
  /** Uniform in [0, 1). */
  readonly random: () => number;
}

export const DEFAULT_BACKOFF: BackoffOptions = { base: 250, cap: 30_000, random: Math.random };

export class Backoff {
  private readonly options: BackoffOptions;
  private attempts = 0;

  constructor(options: Partial<BackoffOptions> = {}) {
    this.options = { ...DEFAULT_BACKOFF, ...options };
  }

  /** The delay before the next attempt: between half and the whole of base * 2^attempts, at most cap. Never 0. */
  next(): number {
    const { base, cap, random } = this.options;
    const whole = Math.min(cap, base * 2 ** Math.min(this.attempts, 30));
    this.attempts++;
    return Math.max(1, Math.round(whole / 2 + (whole / 2) * random()));
  }

  reset(): void {
    this.attempts = 0;
  }
}
