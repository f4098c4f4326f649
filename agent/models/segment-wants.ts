import { encodeModelWant } from '../../protocol/messages/model.js';

/** Without a new segment for this long what is missing is asked for again; twice as long each time, while nobody answers. */
const AGAIN_MS = 1_000;
const AGAIN_MOST_MS = 60_000;

/** Asks for a package's missing segments, and asks again while they do not come: a publisher may be away, a message lost. */
export class SegmentWants {
  #timer: NodeJS.Timeout | undefined;
  #delay = AGAIN_MS;
  #ask: () => void = () => undefined;

  constructor(private readonly send: (message: Buffer) => void) {}

  /** @param missing looked at each time */
  start(digest: string, missing: () => readonly number[]): void {
    this.#ask = () => {
      const manifestDigest = Buffer.from(digest, 'hex');
      this.send(Buffer.from(encodeModelWant({ manifestDigest, segments: missing() })));
    };
    this.#delay = AGAIN_MS;
    this.#ask();
    this.#later();
  }

  /** A segment came. */
  answered(): void {
    this.#delay = AGAIN_MS;
    this.#later();
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #later(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(
      () => {
        this.#delay = Math.min(2 * this.#delay, AGAIN_MOST_MS);
        this.#ask();
        this.#later();
      },
      this.#delay * (1 + Math.random() / 2),
    );
  }
}
