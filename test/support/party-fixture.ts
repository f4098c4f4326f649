import { startBroker, type DevBroker } from '../../broker-dev/broker.js';
import { generateKeys, publicOf, type PartyKeys } from '../../clients/keys/index.js';
import { BrokerLink } from '../../clients/link/index.js';
import type { Evidence } from '../../protocol/messages/evidence.js';
import { signRoster, type Roster } from '../../protocol/messages/roster.js';
import { Topics } from '../../protocol/topics.js';
import type { MessageDevice } from './message-device.js';

export const PREFIX = 'smartzone/test';
export const topics = new Topics(PREFIX);

/** Polls until the condition holds. @throws after 10 s, with the name of what did not happen */
export async function until(condition: () => boolean, what: string, milliseconds = 10_000): Promise<void> {
  const end = Date.now() + milliseconds;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`timed out: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A broker, an owner's keys, and links that are closed at the end. */
export class PartyFixture {
  readonly owner = generateKeys('owner', 'me');
  readonly sensor = generateKeys('sensor', 'porch');
  readonly rules = generateKeys('rules', 'home');
  private readonly links: BrokerLink[] = [];

  private constructor(
    readonly broker: DevBroker,
    /** A link for the test's own messages: whoever controls the broker. */
    readonly adversary: BrokerLink,
  ) {}

  static async create(): Promise<PartyFixture> {
    const broker = await startBroker({ port: 0 });
    const adversary = await BrokerLink.connect({ url: broker.url, clientId: 'adversary', protocol: 4 });
    return new PartyFixture(broker, adversary);
  }

  async link(clientId: string): Promise<BrokerLink> {
    const link = await BrokerLink.connect({ url: this.broker.url, clientId, protocol: 4 });
    this.links.push(link);
    return link;
  }

  roster(
    version: number,
    device: MessageDevice | undefined,
    change: Partial<Roster> = {},
    owner = this.owner,
  ): Uint8Array {
    const member = (keys: PartyKeys) => {
      const { signing, agreement, name } = publicOf(keys);
      return { signingKey: signing, agreementKey: agreement ?? new Uint8Array(32), name };
    };
    return signRoster(
      {
        version,
        issued: 1,
        members: [
          { ...member(this.sensor), role: 'sensor' },
          { ...member(this.rules), role: 'rules' },
        ],
        devices:
          device === undefined
            ? []
            : [
                {
                  signingKey: device.signing.publicKey,
                  agreementKey: device.agreement.publicKey,
                  securityLevel: 0,
                  name: 'pi',
                },
              ],
        zones: [],
        ...change,
      },
      owner.signing,
    );
  }

  /** The device answers everybody who asks for evidence. */
  async answerEvidence(device: MessageDevice, change: Partial<Evidence> = {}): Promise<void> {
    await this.adversary.subscribe(topics.evidenceRequest, ({ payload }) => {
      void this.adversary.publish(topics.evidenceReply, device.evidence(payload, change));
    });
  }

  retain(topic: string, payload: Uint8Array): Promise<void> {
    return this.adversary.publish(topic, payload, { retain: true });
  }

  async close(): Promise<void> {
    for (const link of [...this.links, this.adversary]) await link.close(200);
    await this.broker.stop();
  }
}
