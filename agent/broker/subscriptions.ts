import type { MqttClient } from 'mqtt';
import type { Log } from '../log.js';

/** What the agent subscribes to: fixed topics, and others that come and go; all of it again on every connection. */
export class Subscriptions {
  /** Beside the fixed ones, with their QoS. */
  readonly #topics = new Map<string, 0 | 1>();

  constructor(
    private readonly fixed: readonly string[],
    private readonly log: Log,
  ) {}

  /** @param client connected, or undefined: then with the next connection */
  add(topics: readonly string[], qos: 0 | 1, client: MqttClient | undefined): void {
    for (const topic of topics) this.#topics.set(topic, qos);
    this.#attempt(client?.subscribeAsync([...topics], { qos }));
  }

  remove(topics: readonly string[], client: MqttClient | undefined): void {
    for (const topic of topics) this.#topics.delete(topic);
    this.#attempt(client?.unsubscribeAsync([...topics]));
  }

  /** Rejects when the connection was lost; what the broker refuses is only logged. */
  async renew(client: MqttClient): Promise<void> {
    const fixed = this.fixed.map((topic) => [topic, 1] as const);
    const topics = [...fixed, ...this.#topics].map(([topic, qos]) => [topic, { qos }] as const);
    const granted = topics.length === 0 ? [] : await client.subscribeAsync(Object.fromEntries(topics));
    const refused = granted.filter(({ qos }) => qos > 2).map(({ topic }) => topic);
    if (refused.length > 0) this.log.error('the broker refuses subscriptions', { topics: refused.join(' ') });
  }

  /** The next connection does it again. */
  #attempt(change: Promise<unknown> | undefined): void {
    change?.catch((error: unknown) =>
      this.log.warn('changing subscriptions failed', { reason: (error as Error).message }),
    );
  }
}
