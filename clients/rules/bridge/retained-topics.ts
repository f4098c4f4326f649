import type { BrokerLink } from '../../link/index.js';

/** Messages on their way at once: enough to fill a connection, few enough that a slow broker fills no memory. */
const WINDOW = 32;

/**
 * What ought to be retained at the broker, by topic. Only the newest payload of a topic is sent: a slow or absent broker costs
 * no memory, and what it gets when it is back is how things are then.
 */
export class RetainedTopics {
  readonly #wanted = new Map<string, string>();
  readonly #due = new Set<string>();
  #underway = 0;
  #idle: (() => void)[] = [];

  constructor(private readonly link: Pick<BrokerLink, 'connected' | 'publish'>) {}

  get(topic: string): string | undefined {
    return this.#wanted.get(topic);
  }

  set(topic: string, payload: string): void {
    if (this.#wanted.get(topic) === payload) return;
    this.#wanted.set(topic, payload);
    this.#due.add(topic);
    this.#pump();
  }

  /** An empty retained message takes the topic away; then it is forgotten. */
  clear(topic: string): void {
    this.set(topic, '');
  }

  /** Sends everything again, in the order in which it was first set: the broker, or who listens to it, may have lost it. */
  again(): void {
    for (const topic of this.#wanted.keys()) this.#due.add(topic);
    this.#pump();
  }

  /** Resolves when the broker has everything, or is away. */
  async flushed(): Promise<void> {
    if (this.#underway === 0) return;
    return new Promise((resolve) => this.#idle.push(resolve));
  }

  #pump(): void {
    for (const topic of this.#due) {
      // What is not sent now is sent with `again`, which every new connection calls for.
      if (!this.link.connected || this.#underway >= WINDOW) break;
      this.#due.delete(topic);
      this.#send(topic, this.#wanted.get(topic) ?? '');
    }
    if (this.#underway === 0) for (const resolve of this.#idle.splice(0)) resolve();
  }

  #send(topic: string, payload: string): void {
    this.#underway++;
    this.link
      .publish(topic, payload, { retain: true })
      .then(
        () => {
          if (payload === '' && this.#wanted.get(topic) === '') this.#wanted.delete(topic);
        },
        () => undefined,
      )
      .finally(() => {
        this.#underway--;
        this.#pump();
      });
  }
}
