/** What a message is, by its topic. kid: 16 hexadecimal digits. */
export type Inbound =
  | { readonly kind: 'roster' | 'owner' }
  | { readonly kind: 'offer' | 'rulesHello'; readonly kid: string }
  | { readonly kind: 'frame'; readonly kid: string };

/** The topics below one prefix, as the agent uses them (protocol.md, "Topics"). */
export class Topics {
  readonly state: string;
  readonly hello: string;
  readonly ownerReply: string;
  readonly telemetry: string;
  readonly modelStatus: string;

  constructor(readonly prefix: string) {
    this.state = `${prefix}/state`;
    this.hello = `${prefix}/hello`;
    this.ownerReply = `${prefix}/owner/reply`;
    this.telemetry = `${prefix}/telemetry`;
    this.modelStatus = `${prefix}/model/status`;
  }

  receipt(sensor: string): string {
    return `${this.prefix}/sensor/${sensor}/receipt`;
  }

  labelOffer(rulesHost: string): string {
    return `${this.prefix}/rules/${rulesHost}/offer`;
  }

  label(sensor: string): string {
    return `${this.prefix}/label/${sensor}`;
  }

  /** In this order the broker sends what is retained: who is who, before what they send. */
  get subscriptions(): string[] {
    return ['roster', 'owner', 'rules/+/hello', 'sensor/+/offer', 'sensor/+/frame'].map(
      (filter) => `${this.prefix}/${filter}`,
    );
  }

  /** undefined: not a topic that anyone but a stranger publishes to. */
  parse(topic: string): Inbound | undefined {
    if (!topic.startsWith(`${this.prefix}/`)) return undefined;
    const rest = topic.slice(this.prefix.length + 1);
    if (rest === 'roster' || rest === 'owner') return { kind: rest };
    const [, group, kid, leaf] = /^(sensor|rules)\/([0-9a-f]{16})\/(offer|frame|hello)$/.exec(rest) ?? [];
    if (kid === undefined) return undefined;
    if (group === 'rules') return leaf === 'hello' ? { kind: 'rulesHello', kid } : undefined;
    return leaf === 'offer' || leaf === 'frame' ? { kind: leaf, kid } : undefined;
  }
}
