/** Where the agent says what it is. */
export interface StateMessage {
  readonly topic: string;
  /** Its content; called for every connection and every change. */
  readonly payload: (state: string, session: number) => Buffer;
}

/**
 * What the broker keeps for whoever subscribes later: the agent's state and its retained messages. Published again on every
 * connection: a broker that was killed may have lost them.
 */
export class Retained {
  readonly #messages = new Map<string, Buffer>();
  /** A word for the state message. */
  state = 'init';
  #session = 0;

  /** @param send does nothing while there is no connection */
  constructor(
    private readonly message: StateMessage | undefined,
    private readonly send: (topic: string, payload: Buffer) => void,
  ) {}

  /** The session counter tells two lives apart; wall-clock milliseconds increase over restarts without being stored. */
  beginSession(now: number): void {
    this.#session = Math.max(this.#session + 1, now);
  }

  /** Also the will. Undefined: the agent says nowhere what it is. */
  get offline(): { topic: string; payload: Buffer } | undefined {
    return this.#stateMessage('offline');
  }

  set(topic: string, payload: Buffer): void {
    this.#messages.set(topic, payload);
    this.send(topic, payload);
  }

  publishAll(): void {
    this.publishState();
    for (const [topic, payload] of this.#messages) this.send(topic, payload);
  }

  publishState(): void {
    const message = this.#stateMessage(this.state);
    if (message) this.send(message.topic, message.payload);
  }

  #stateMessage(word: string): { topic: string; payload: Buffer } | undefined {
    return this.message && { topic: this.message.topic, payload: this.message.payload(word, this.#session) };
  }
}
