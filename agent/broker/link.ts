import { EventEmitter } from 'node:events';
import type { MqttClient } from 'mqtt';
import { Backoff } from '../backoff.js';
import type { BrokerConfig } from '../config.js';
import type { Log } from '../log.js';
import { readCredentials, type MqttVersion } from './connect-options.js';
import { receiveMessages, type Incoming } from './incoming.js';
import { openConnection, type Accepted, type Ended } from './network-connection.js';
import { Outbox } from './outbox.js';
import { publishOptions, type Publication } from './publication.js';
import { Retained, type StateMessage } from './retained.js';
import { Subscriptions } from './subscriptions.js';
import { TakeoverWatch } from './takeover.js';
import { VersionChoice } from './version-choice.js';

/** Connected and subscribed. */
export interface Online {
  readonly connection: number;
  /** Unacknowledged messages of earlier connections come again. */
  readonly sessionPresent: boolean;
  readonly version: MqttVersion;
  /** The broker deals messages out to the members of a group (MQTT 5, section 4.8.2). */
  readonly sharedSubscriptions: boolean;
}

interface LinkEvents {
  online: [Online];
  offline: [];
  message: [Incoming];
}

export interface LinkOptions {
  readonly config: BrokerConfig;
  readonly log: Log;
  readonly subscriptions: readonly string[];
  /** Where the agent says what it is; undefined: nowhere, and there is no will. */
  readonly state?: StateMessage;
  readonly receiveMaximum: number;
  readonly maximumPacketSize: number;
  readonly random?: () => number;
  readonly now?: () => number;
}

/**
 * The connection to the broker: one MqttClient per network connection, own reconnecting, own outbox, retained messages
 * published again on every connection (a broker that was killed may have lost them), acknowledgement by the receiver.
 */
export class BrokerLink extends EventEmitter<LinkEvents> {
  readonly #options: LinkOptions;
  readonly #log: Log;
  readonly #backoff: Backoff;
  readonly #now: () => number;
  readonly #version: VersionChoice;
  readonly #takeovers = new TakeoverWatch();
  readonly #subscriptions: Subscriptions;
  readonly #retained: Retained;
  readonly #outbox: Outbox;
  #client: MqttClient | undefined;
  #timer: NodeJS.Timeout | undefined;
  #online = false;
  #stopped = false;
  /** Numbers attempts to connect: tells the messages of one network connection from those of another. */
  #connection = 0;
  #connections = 0;
  #credentials = '';

  private constructor(options: LinkOptions) {
    super();
    const { config, random, now = Date.now } = options;
    this.#options = options;
    this.#log = options.log;
    this.#now = now;
    this.#backoff = new Backoff(config.reconnectMinMs, config.reconnectMaxMs, random);
    this.#version = new VersionChoice(config.protocol);
    this.#subscriptions = new Subscriptions(options.subscriptions, options.log);
    this.#retained = new Retained(options.state, (topic, payload) => this.#sendRetained(topic, payload));
    this.#outbox = new Outbox((publication, done) => this.#send(publication, done));
  }

  static create(options: LinkOptions): BrokerLink {
    return new BrokerLink(options);
  }

  start(): void {
    this.#connect();
  }

  get isOnline(): boolean {
    return this.#online;
  }

  /** Connections made so far. */
  get connections(): number {
    return this.#connections;
  }

  /** Resolves when the link is online (at once if it is). */
  async whenOnline(): Promise<void> {
    if (!this.#online) await new Promise<void>((resolve) => this.once('online', () => resolve()));
  }

  /** Publishes what the agent is: init, online, degraded. The will says offline. */
  setState(state: string): void {
    this.#retained.state = state;
    if (this.#online) this.#retained.publishState();
  }

  /** Keeps a message retained on a topic, over reconnections too. */
  retain(topic: string, payload: Buffer): void {
    this.#retained.set(topic, payload);
  }

  /**
   * Publishes with QoS 1. Resolves when the broker has acknowledged, over reconnections; rejects when the broker refuses
   * it, when the outbox is full, or when the link stops.
   */
  publish(
    topic: string,
    payload: Buffer,
    expirySeconds?: number,
    properties?: Readonly<Record<string, string>>,
  ): Promise<void> {
    return this.#outbox.add({ topic, payload, retain: false, expirySeconds, properties });
  }

  /** Subscribes beside the fixed topics, over reconnections too. What is retained comes with every connection. */
  subscribe(topics: readonly string[], qos: 0 | 1 = 1): void {
    this.#subscriptions.add(topics, qos, this.#onlineClient);
  }

  unsubscribe(topics: readonly string[]): void {
    this.#subscriptions.remove(topics, this.#onlineClient);
  }

  /** Connects again when certificates or password on disk are not those in use. */
  reloadCredentials(): boolean {
    if (this.#fingerprint() === this.#credentials) return false;
    this.#client?.end();
    return true;
  }

  /** Says offline, disconnects in order, and never connects again. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    const client = this.#client;
    if (client && this.#online) {
      const { offline } = this.#retained;
      const published =
        offline &&
        client.publishAsync(offline.topic, offline.payload, { qos: 1, retain: true }).catch(() => undefined);
      await Promise.race([published, new Promise((resolve) => setTimeout(resolve, 1_000))]);
      await Promise.race([
        client.endAsync().catch(() => undefined),
        new Promise((resolve) => setTimeout(resolve, 1_000)),
      ]);
    }
    client?.end(true);
    this.#online = false;
    this.#outbox.close(new Error('the link to the broker was stopped'));
  }

  #connect(): void {
    const { config, receiveMaximum, maximumPacketSize } = this.#options;
    const { version } = this.#version;
    this.#retained.beginSession(this.#now());
    let client: MqttClient;
    try {
      this.#credentials = this.#fingerprint();
      const will = this.#retained.offline;
      const parameters = { version, will, receiveMaximum, maximumPacketSize };
      client = openConnection(config, parameters, {
        accepted: (made, how) => void this.#connected(made, how),
        closed: (made, how) => this.#closed(made, how),
      });
    } catch (error) {
      this.#log.error('cannot connect to the broker', { reason: (error as Error).message });
      this.#later();
      return;
    }
    this.#client = client;
    receiveMessages(client, {
      connection: ++this.#connection,
      log: this.#log,
      isCurrent: () => client === this.#client,
      deliver: (message) => this.emit('message', message),
    });
  }

  async #connected(client: MqttClient, { sessionPresent, sharedSubscriptions }: Accepted): Promise<void> {
    this.#version.accepted();
    this.#connections += 1;
    try {
      // Before the session's waiting frames are worked on: a broker without our subscriptions sends nothing.
      await this.#subscriptions.renew(client);
    } catch (error) {
      this.#log.warn('subscribing failed', { reason: (error as Error).message });
      client.end(true);
      return;
    }
    if (client !== this.#client || this.#stopped) return;
    this.#online = true;
    this.#takeovers.online();
    this.#backoff.reset();
    const { version } = this.#version;
    this.#log.info('connected to the broker', {
      url: this.#options.config.url,
      mqtt: version === 5 ? '5' : '3.1.1',
      sessionPresent,
    });
    // Before the outbox: label offers must not come after the labels that they open.
    this.#retained.publishAll();
    this.#outbox.resume();
    this.emit('online', { connection: this.#connection, sessionPresent, version, sharedSubscriptions });
  }

  #closed(client: MqttClient, { reached, refusal }: Ended): void {
    if (client !== this.#client) return;
    client.removeAllListeners('connect');
    this.#client = undefined;
    const wasOnline = this.#online;
    this.#online = false;
    this.#outbox.pause();
    if (this.#stopped) return;
    this.#log.warn(wasOnline ? 'lost the broker' : 'cannot connect to the broker', {
      url: this.#options.config.url,
      reason: refusal?.reason ?? this.#takeovers.closed(wasOnline),
      code: refusal?.code,
    });
    if (wasOnline) this.emit('offline');
    if (reached && this.#version.refused(refusal?.code))
      setImmediate(() => !this.#stopped && this.#connect());
    else this.#later();
  }

  #later(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => this.#connect(), this.#backoff.next());
  }

  #send(publication: Publication, done: (error?: Error) => void): void {
    const client = this.#onlineClient;
    if (!client) return;
    const options = publishOptions(publication, this.#version.version);
    client.publish(publication.topic, publication.payload, options, (error) => {
      if (client !== this.#client) return;
      if (!error) done();
      else if ('code' in error && typeof error.code === 'number' && error.code >= 0x80) done(error);
      // Anything else is the connection: the outbox sends again on the next one.
    });
  }

  #sendRetained(topic: string, payload: Buffer): void {
    this.#send({ topic, payload, retain: true }, (error) => {
      if (error) this.#log.warn('the broker refuses a retained message', { topic, reason: error.message });
    });
  }

  get #onlineClient(): MqttClient | undefined {
    return this.#online ? this.#client : undefined;
  }

  #fingerprint(): string {
    return JSON.stringify(readCredentials(this.#options.config));
  }
}
