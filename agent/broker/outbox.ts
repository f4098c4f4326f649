import type { Publication } from './publication.js';

interface Pending {
  readonly publication: Publication;
  readonly resolve: () => void;
  readonly reject: (error: Error) => void;
}

/** More than the frame path ever has under way: reaching it means that a caller forgot to wait. */
const LIMIT = 64;

/** Publications that the broker has not acknowledged: sent again on every new connection, in order. */
export class Outbox {
  readonly #pending = new Set<Pending>();
  #closed: Error | undefined;
  #running = false;

  /** @param send hands one publication to the connection; calls back on the broker's answer, or never if it is lost */
  constructor(private readonly send: (publication: Publication, done: (error?: Error) => void) => void) {}

  add(publication: Publication): Promise<void> {
    if (this.#closed) return Promise.reject(this.#closed);
    if (this.#pending.size >= LIMIT)
      return Promise.reject(new Error(`more than ${LIMIT} publications wait for the broker`));
    return new Promise((resolve, reject) => {
      const pending = { publication, resolve, reject };
      this.#pending.add(pending);
      if (this.#running) this.#attempt(pending);
    });
  }

  get size(): number {
    return this.#pending.size;
  }

  resume(): void {
    this.#running = true;
    for (const pending of [...this.#pending]) this.#attempt(pending);
  }

  pause(): void {
    this.#running = false;
  }

  close(reason: Error): void {
    this.#closed = reason;
    this.#running = false;
    for (const { reject } of this.#pending) reject(reason);
    this.#pending.clear();
  }

  #attempt(pending: Pending): void {
    this.send(pending.publication, (error) => {
      if (!this.#pending.delete(pending)) return;
      if (error) pending.reject(error);
      else pending.resolve();
    });
  }
}
