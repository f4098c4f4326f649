import { BrokerLink, type LinkMessage } from '../../clients/link/index.js';
import type { Topics } from '../../protocol/topics.js';
import { startTestBroker, type TestBroker } from './brokers.js';
import type { Recorded } from './recorder.js';

/**
 * A broker of its own for a rules host, run by somebody who decides what passes between it and the real one, and when. Each party
 * sees an ordinary broker.
 */
export class ManInTheMiddle {
  /** Messages to the rules host that are held back while `holds` says so. */
  readonly held: LinkMessage[] = [];
  holds: (topic: string) => boolean = () => false;
  #connected = true;

  private constructor(
    readonly broker: TestBroker,
    private readonly toHost: BrokerLink,
    private readonly toWorld: BrokerLink | undefined,
  ) {}

  /** @param world the real broker; without it the host is alone with whoever controls its broker. */
  static async start(topics: Topics, world?: TestBroker): Promise<ManInTheMiddle> {
    const broker = await startTestBroker('aedes', '');
    const toHost = await BrokerLink.connect({
      url: broker.url,
      clientId: 'middle',
      protocol: 4,
      sessionExpiry: 0,
    });
    const toWorld =
      world &&
      (await BrokerLink.connect({
        url: world.url,
        clientId: 'middle',
        protocol: world.protocol,
        sessionExpiry: 0,
      }));
    const middle = new ManInTheMiddle(broker, toHost, toWorld);
    await toHost.subscribe(topics.rulesHello('+'), ({ topic, payload }) => {
      if (middle.#connected) void toWorld?.publish(topic, payload, { retain: true });
    });
    for (const topic of [
      topics.hello,
      topics.roster,
      topics.rulesOffer('+'),
      topics.label('+'),
      topics.telemetry,
    ])
      await toWorld?.subscribe(topic, (message) => middle.#pass(message));
    return middle;
  }

  /** From now on the host hears nothing but what `say` tells it. */
  cut(): void {
    this.#connected = false;
  }

  async release(): Promise<void> {
    this.holds = () => false;
    for (const { topic, payload } of this.held.splice(0)) await this.toHost.publish(topic, payload);
  }

  /** Repeats what was recorded earlier; retained where it was. */
  async say(messages: readonly Recorded[], retain: (topic: string) => boolean): Promise<void> {
    for (const { topic, payload } of messages)
      await this.toHost.publish(topic, payload, { retain: retain(topic) });
  }

  async close(): Promise<void> {
    await this.toHost.close(200);
    await this.toWorld?.close(200);
    await this.broker.stop();
  }

  #pass(message: LinkMessage): void {
    const { topic, payload } = message;
    if (!this.#connected) return;
    if (this.holds(topic)) this.held.push(message);
    else void this.toHost.publish(topic, payload, { retain: !/\/label\/|\/telemetry$/.test(topic) });
  }
}
