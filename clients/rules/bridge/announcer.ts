import type { BrokerLink } from '../../link/index.js';
import type { Announcement, BridgeTopics } from './entities.js';
import type { BridgeEvents } from './options.js';
import type { Remains } from './remains.js';
import type { RetainedTopics } from './retained-topics.js';

interface Tell {
  (event: 'announced', what: BridgeEvents['announced'][0]): void;
  (event: 'removed', what: BridgeEvents['removed'][0]): void;
}

/** What Home Assistant is told of devices and sensors: each announcement once, and the end of what it had before. */
export class Announcer {
  constructor(
    private readonly topics: BridgeTopics,
    private readonly retained: RetainedTopics,
    private readonly remains: Remains,
    private readonly to: BrokerLink,
    private readonly tell: Tell,
  ) {}

  announce(id: string, announcement: Announcement): void {
    const topic = this.topics.config(id);
    const payload = JSON.stringify(announcement);
    if (this.retained.get(topic) === payload) return;
    const gone = this.remains.find(id)?.components ?? [];
    const removed = gone.filter(([key]) => announcement.cmps[key] === undefined);
    this.remains.forget(id);
    if (removed.length > 0) {
      // Documented: a component with its platform alone is taken away; then the announcement without it.
      const cmps = { ...announcement.cmps, ...Object.fromEntries(removed.map(([key, p]) => [key, { p }])) };
      this.to
        .publish(topic, JSON.stringify({ ...announcement, cmps }), { retain: true })
        .catch(() => undefined);
    }
    this.retained.set(topic, payload);
    this.tell('announced', { id, entities: Object.keys(announcement.cmps).length });
  }

  /** @param states topics of its states, which go as well */
  remove(id: string, states: Iterable<string>): void {
    this.remains.forget(id);
    this.retained.clear(this.topics.config(id));
    for (const topic of states) this.retained.clear(topic);
    this.tell('removed', { id });
  }
}
