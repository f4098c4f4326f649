import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020 } from 'ajv/dist/2020.js';
import { packageRoot } from '../../agent/package-root.js';
import { BrokerLink, type LinkMessage, type LinkOptions } from '../../clients/link/index.js';

interface Component {
  readonly p: string;
  readonly unique_id: string;
  readonly name: string;
  readonly state_topic: string;
  readonly command_topic?: string;
  readonly event_types?: readonly string[];
  readonly options?: readonly string[];
}
interface Config {
  readonly dev: { readonly identifiers: readonly string[]; readonly name: string };
  readonly availability: readonly { readonly topic: string }[];
  readonly cmps: Readonly<Record<string, Component>>;
}

const schema = JSON.parse(
  readFileSync(join(packageRoot(), 'test', 'rules', 'home-assistant-discovery.schema.json'), 'utf8'),
) as { $defs: Record<string, unknown> };
const ajv = new Ajv2020({ strictTypes: false, allErrors: true });
const validConfig = ajv.compile(schema);
const validUpdate = ajv.compile(schema.$defs.update_state as object);
const validEvent = ajv.compile(schema.$defs.event_state as object);

/** Why an announcement would not be accepted; empty where it would. */
export const faultsOf = (config: unknown): string[] =>
  validConfig(config) ? [] : (validConfig.errors ?? []).map((e) => `${e.instancePath} ${e.message ?? ''}`);

/**
 * What Home Assistant would show, by its documentation: entities from retained announcements, each with the availability of all its
 * topics and the last state. Everything that arrives is checked against the schema.
 */
export class HomeAssistantView {
  readonly configs = new Map<string, Config>();
  readonly topics = new Map<string, string>();
  readonly events: (Record<string, unknown> & { event_type: string })[] = [];
  /** Announcements that came while connected, by id. */
  readonly announced: string[] = [];
  readonly removed: string[] = [];
  readonly faults: string[] = [];

  private constructor(readonly link: BrokerLink) {}

  static async connect(
    url: string,
    protocol: 4 | 5,
    name = 'home-assistant',
    tls: Pick<LinkOptions, 'ca' | 'cert' | 'key'> = {},
  ): Promise<HomeAssistantView> {
    const link = await BrokerLink.connect({
      url,
      clientId: name,
      protocol,
      sessionExpiry: 0,
      backoff: { base: 50, cap: 200 },
      ...tls,
    });
    const view = new HomeAssistantView(link);
    await link.subscribe('#', (message) => view.#receive(message));
    return view;
  }

  /** Forgets everything, as after a restart without the retained messages. */
  forget(): void {
    this.configs.clear();
    this.topics.clear();
    this.announced.length = 0;
  }

  birth(): Promise<void> {
    return this.link.publish('homeassistant/status', 'online');
  }

  #receive({ topic, payload, retained }: LinkMessage): void {
    const text = Buffer.from(payload).toString();
    const id = /^homeassistant\/device\/([a-zA-Z0-9_-]+)\/config$/.exec(topic)?.[1];
    if (id === undefined) {
      if (text === '') this.topics.delete(topic);
      else this.topics.set(topic, text);
      this.#check(topic, text);
      return;
    }
    if (text === '') {
      this.configs.delete(id);
      this.removed.push(id);
      return;
    }
    const config = JSON.parse(text) as Config;
    this.faults.push(...faultsOf(config).map((fault) => `${id}${fault}`));
    this.configs.set(id, config);
    if (!retained) this.announced.push(id);
  }

  #check(topic: string, text: string): void {
    const component = this.#components().find(({ state_topic }) => state_topic === topic);
    if (component === undefined || text === '') return;
    const fault = (why: string): unknown => this.faults.push(`${topic}: ${why}: ${text}`);
    if (component.p === 'binary_sensor' && !['ON', 'OFF', 'None'].includes(text)) fault('not a state');
    if (component.p === 'update' && !validUpdate(JSON.parse(text))) fault(ajv.errorsText(validUpdate.errors));
    if (component.options?.includes(text) === false) fault('not one of its options');
    if (component.p !== 'event') return;
    const event = JSON.parse(text) as HomeAssistantView['events'][number];
    if (!validEvent(event)) fault(ajv.errorsText(validEvent.errors));
    if (component.event_types?.includes(event.event_type) !== true) fault('not one of its types');
    this.events.push(event);
  }

  #components(): Component[] {
    return [...this.configs.values()].flatMap(({ cmps }) => Object.values(cmps));
  }

  /** Entity states by "device name / entity name"; `unavailable` as Home Assistant would show it. */
  get states(): Record<string, string> {
    const states: Record<string, string> = {};
    for (const { dev, cmps, availability } of this.configs.values()) {
      const there = availability.every(({ topic }) => this.topics.get(topic) === 'online');
      for (const { p, name, state_topic } of Object.values(cmps)) {
        if (p === 'event') continue;
        const state = this.topics.get(state_topic) ?? 'unknown';
        states[`${dev.name} / ${name}`] = !there ? 'unavailable' : state === 'None' ? 'unknown' : state;
      }
    }
    return states;
  }

  get uniqueIds(): string[] {
    return this.#components()
      .map(({ unique_id }) => unique_id)
      .sort();
  }

  close(): Promise<void> {
    return this.link.close(200);
  }
}
