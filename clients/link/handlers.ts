import { filterMatches } from './filter.js';

export interface LinkMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  /** Kept by the broker from before the subscription. */
  readonly retained: boolean;
}

export type MessageHandler = (message: LinkMessage) => void;

/** Messages that wait for a handler. */
const MOST_EARLY = 20_000;

/** Who gets which messages, by subscription filter. */
export class Handlers {
  private readonly byFilter = new Map<string, Set<MessageHandler>>();
  /**
   * What the broker kept while this party was away comes with the connection, before anybody can have subscribed: it waits
   * here for its handler. Undefined once that time is over.
   */
  private early: LinkMessage[] | undefined = [];

  get filters(): Iterable<string> {
    return this.byFilter.keys();
  }

  /**
   * From now on, and for what waits already. The returned function ends it, and returns whether nobody else has the filter.
   */
  add(filter: string, handler: MessageHandler): () => boolean {
    const set = this.byFilter.get(filter) ?? new Set();
    set.add(handler);
    this.byFilter.set(filter, set);
    this.deliverEarly(filter, handler);
    return () => {
      set.delete(handler);
      if (set.size > 0 || this.byFilter.get(filter) !== set) return false;
      return this.byFilter.delete(filter);
    };
  }

  deliver(message: LinkMessage): void {
    let handled = false;
    for (const [filter, handlers] of this.byFilter) {
      if (!filterMatches(filter, message.topic)) continue;
      handled = true;
      for (const handler of [...handlers]) handler(message);
    }
    if (!handled && this.early !== undefined && this.early.length < MOST_EARLY) this.early.push(message);
  }

  /** Nothing waits for a handler any more. */
  endEarly(): void {
    this.early = undefined;
  }

  clear(): void {
    this.byFilter.clear();
  }

  private deliverEarly(filter: string, handler: MessageHandler): void {
    const [mine, others]: [LinkMessage[], LinkMessage[]] = [[], []];
    for (const message of this.early ?? [])
      (filterMatches(filter, message.topic) ? mine : others).push(message);
    if (this.early !== undefined) this.early = others;
    for (const message of mine) handler(message);
  }
}
