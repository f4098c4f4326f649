import type { LabelEvent } from './label-event.js';

/** Labels, or other events, as an async iterator, with a bounded buffer for a slow reader. */
export class LabelStream<T = LabelEvent> implements AsyncIterableIterator<T> {
  /** Called when the reader stops early. */
  onReturn: (() => void) | undefined;
  private readonly buffer: T[] = [];
  private waiting: ((result: IteratorResult<T, undefined>) => void)[] = [];
  private lost = 0;
  private ended = false;

  constructor(private readonly capacity: number) {}

  /** Labels that a slow reader missed. */
  get dropped(): number {
    return this.lost;
  }

  push(label: T): void {
    if (this.ended) return;
    const reader = this.waiting.shift();
    if (reader !== undefined) {
      reader({ value: label, done: false });
      return;
    }
    this.buffer.push(label);
    if (this.buffer.length > this.capacity) {
      this.buffer.shift();
      this.lost++;
    }
  }

  /** What is buffered can still be read. */
  end(): void {
    this.ended = true;
    for (const reader of this.waiting.splice(0)) reader({ value: undefined, done: true });
  }

  next(): Promise<IteratorResult<T, undefined>> {
    const label = this.buffer.shift();
    if (label !== undefined) return Promise.resolve({ value: label, done: false });
    if (this.ended) return Promise.resolve({ value: undefined, done: true });
    return new Promise((resolve) => this.waiting.push(resolve));
  }

  return(): Promise<IteratorResult<T, undefined>> {
    this.buffer.length = 0;
    this.end();
    this.onReturn?.();
    return Promise.resolve({ value: undefined, done: true });
  }

  [Symbol.asyncIterator](): this {
    return this;
  }
}
