import { BrokerLink } from '../../clients/link/index.js';

export interface Recorded {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly retained: boolean;
}

/** Somebody who subscribed to everything and keeps every byte. */
export class Recorder {
  readonly messages: Recorded[] = [];

  private constructor(private readonly link: BrokerLink) {}

  static async start(url: string, protocol: 4 | 5): Promise<Recorder> {
    const link = await BrokerLink.connect({
      url,
      protocol,
      clientId: 'recorder',
      sessionExpiry: 0,
      backoff: { base: 50, cap: 200 },
    });
    const recorder = new Recorder(link);
    await link.subscribe('#', ({ topic, payload, retained }) => {
      recorder.messages.push({ topic, payload, retained });
    });
    return recorder;
  }

  /** Messages of topics that end so or match. */
  of(topic: RegExp | string): Recorded[] {
    return this.messages.filter((message) =>
      typeof topic === 'string' ? message.topic === topic : topic.test(message.topic),
    );
  }

  get bytes(): number {
    return this.messages.reduce((sum, { payload }) => sum + payload.length, 0);
  }

  /** Publishes as whoever controls the broker. */
  publish(topic: string, payload: Uint8Array, retain = false): Promise<void> {
    return this.link.publish(topic, payload, { retain });
  }

  close(): Promise<void> {
    return this.link.close(200);
  }
}
