/** One sender's newest message, and whether the TA took it in its present life. */
export interface Known {
  readonly kid: string;
  readonly bytes: Buffer;
  accepted: boolean;
}

/** More senders than a TA keeps; a stranger who publishes under ever new names displaces only messages never accepted. */
const LIMIT = 128;
/** Far more than an offer or hello takes. */
const MAX_BYTES = 16 * 1024;

/** Retained messages by sender, kept to be given to the TA again after it restarted. Bounded. */
export class KnownMessages {
  readonly #byKid = new Map<string, Known>();

  /** undefined: too long, or no room. */
  remember(kid: string, bytes: Buffer): Known | undefined {
    if (bytes.length > MAX_BYTES) return undefined;
    this.#byKid.delete(kid);
    if (this.#byKid.size >= LIMIT) {
      const stranger = [...this.#byKid.values()].find(({ accepted }) => !accepted);
      if (!stranger) return undefined;
      this.#byKid.delete(stranger.kid);
    }
    const known = { kid, bytes, accepted: false };
    this.#byKid.set(kid, known);
    return known;
  }

  get(kid: string): Known | undefined {
    return this.#byKid.get(kid);
  }

  forget(kid: string): void {
    this.#byKid.delete(kid);
  }

  get all(): readonly Known[] {
    return [...this.#byKid.values()];
  }

  /** The TA has restarted: it has seen none of them. */
  reset(): void {
    for (const known of this.#byKid.values()) known.accepted = false;
  }
}
