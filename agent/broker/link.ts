import { EventEmitter } from 'node:events';
import { Socket } from 'node:net';
import mqtt from 'mqtt';
import type { ErrorWithReasonCode, IPublishPacket, MqttClient } from 'mqtt';
import { Backoff } from '../backoff.js';
import type { BrokerConfig } from '../config.js';
import type { Log } from '../log.js';
import { connectOptions, readCredentials, type MqttVersion } from './connect-options.js';
import { OrderedAcks } from './ordered-acks.js';
import { Outbox } from './outbox.js';

/** MQTT 5, section 3.14.2.1. Few brokers say it: most just close the connection, as before MQTT 5. */
const SESSION_TAKEN_OVER = 0x8e;
/** Closed so soon after connecting, so often in a row, without a word: most likely the same. */
const SHORT_MS = 10_000;
const SUSPICIOUS = 3;
const TAKEN_OVER =
  'most likely another client uses the same identifier: give each agent a device.name (or broker.clientId) of its own';

/** A message from the broker. It stays with the broker until acknowledge() is called. */
export interface Incoming {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retain: boolean;
  /** The broker sent it before (DUP). */
  readonly duplicate: boolean;
  /** Seconds after which it is worth nothing (MQTT 5). */
  readonly expirySeconds: number | undefined;
  /** MQTT 5 user properties; of several with one name the last. */
  readonly properties: Readonly<Record<string, string>>;
  /** The connection it came on: acknowledging it on a later one does nothing, the broker sends it again. */
  readonly connection: number;
  acknowledge(): void;
}

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
  readonly state?: {
    readonly topic: string;
    /** Its content; called for every connection and every change. */
    readonly payload: (state: string, session: number) => Buffer;
  };
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
  readonly #retained = new Map<string, Buffer>();
  /** Beside the fixed ones, with their QoS. */
  readonly #subscribed = new Map<string, 0 | 1>();
  readonly #outbox: Outbox;
  #client: MqttClient | undefined;
  #timer: NodeJS.Timeout | undefined;
  #online = false;
  #stopped = false;
  /** Numbers attempts to connect: tells the messages of one network connection from those of another. */
  #connection = 0;
  #connections = 0;
  /** When the present connection was made, and how many ended soon, one after the other. */
  #onlineSince = 0;
  #short = 0;
  #session = 0;
  #state = 'init';
  /** The version to try next, and whether a broker has accepted it. */
  #version: MqttVersion;
  #agreed: boolean;
  #credentials = '';

  private constructor(options: LinkOptions) {
    super();
    const { config, random, now = Date.now } = options;
    this.#options = options;
    this.#log = options.log;
    this.#now = now;
    this.#backoff = new Backoff(config.reconnectMinMs, config.reconnectMaxMs, random);
    this.#version = config.protocol === '3.1.1' ? 4 : 5;
    this.#agreed = config.protocol !== 'auto';
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
    this.#state = state;
    if (this.#online) this.#publishState();
  }

  /** Keeps a message retained on a topic, over reconnections too. */
  retain(topic: string, payload: Buffer): void {
    this.#retained.set(topic, payload);
    if (this.#online) this.#sendRetained(topic, payload);
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
    for (const topic of topics) this.#subscribed.set(topic, qos);
    if (this.#online) this.#attempt(this.#client?.subscribeAsync([...topics], { qos }));
  }

  unsubscribe(topics: readonly string[]): void {
    for (const topic of topics) this.#subscribed.delete(topic);
    if (this.#online) this.#attempt(this.#client?.unsubscribeAsync([...topics]));
  }

  /** The next connection does it again. */
  #attempt(change: Promise<unknown> | undefined): void {
    change?.catch((error: unknown) =>
      this.#log.warn('changing subscriptions failed', { reason: (error as Error).message }),
    );
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
      const offline = this.#stateMessage('offline');
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
    // The session counter tells two lives apart; wall-clock milliseconds increase over restarts without being stored.
    this.#session = Math.max(this.#session + 1, this.#now());
    let client: MqttClient;
    try {
      this.#credentials = this.#fingerprint();
      const will = this.#stateMessage('offline');
      const version = this.#version;
      client = mqtt.connect(
        config.url,
        connectOptions(config, { version, will, receiveMaximum, maximumPacketSize }),
      );
    } catch (error) {
      this.#log.error('cannot connect to the broker', { reason: (error as Error).message });
      this.#later();
      return;
    }
    this.#client = client;
    // Labels and acknowledgements are small and must not wait for each other (Nagle's algorithm against delayed ACK: 40 ms).
    if (client.stream instanceof Socket) client.stream.setNoDelay(true);
    const connection = ++this.#connection;
    const acks = new OrderedAcks();
    let reached = false;
    let refusal: { reason: string; code: number | undefined } | undefined;
    client.stream.once(config.url.startsWith('mqtts:') ? 'secureConnect' : 'connect', () => (reached = true));
    client.handleMessage = (packet, done) => this.#receive({ client, acks, connection }, packet, done);
    client.on('error', (error: Error | ErrorWithReasonCode) => {
      const code = 'code' in error && typeof error.code === 'number' ? error.code : undefined;
      refusal ??= { reason: error.message, code };
      if (!client.connected) client.end(true);
    });
    client.on('connect', ({ sessionPresent, properties }) => {
      const shared = this.#version === 5 && properties?.sharedSubscriptionAvailable !== false;
      void this.#connected(client, sessionPresent, shared);
    });
    client.on('disconnect', ({ reasonCode }) => {
      if (reasonCode === SESSION_TAKEN_OVER) refusal = { reason: TAKEN_OVER, code: reasonCode };
    });
    client.once('close', () => this.#closed(client, reached, refusal));
  }

  async #connected(client: MqttClient, sessionPresent: boolean, sharedSubscriptions: boolean): Promise<void> {
    this.#agreed = true;
    this.#connections += 1;
    try {
      // Before the session's waiting frames are worked on: a broker without our subscriptions sends nothing.
      const fixed = this.#options.subscriptions.map((topic) => [topic, 1] as const);
      const topics = [...fixed, ...this.#subscribed].map(([topic, qos]) => [topic, { qos }] as const);
      const granted = topics.length === 0 ? [] : await client.subscribeAsync(Object.fromEntries(topics));
      const refused = granted.filter(({ qos }) => qos > 2).map(({ topic }) => topic);
      if (refused.length > 0)
        this.#log.error('the broker refuses subscriptions', { topics: refused.join(' ') });
    } catch (error) {
      this.#log.warn('subscribing failed', { reason: (error as Error).message });
      client.end(true);
      return;
    }
    if (client !== this.#client || this.#stopped) return;
    this.#online = true;
    this.#onlineSince = performance.now();
    this.#backoff.reset();
    const version = this.#version;
    this.#log.info('connected to the broker', {
      url: this.#options.config.url,
      mqtt: version === 5 ? '5' : '3.1.1',
      sessionPresent,
    });
    this.#publishState();
    // Retained messages first: label offers must not come after the labels that they open.
    for (const [topic, payload] of this.#retained) this.#sendRetained(topic, payload);
    this.#outbox.resume();
    this.emit('online', { connection: this.#connection, sessionPresent, version, sharedSubscriptions });
  }

  #closed(
    client: MqttClient,
    reached: boolean,
    refusal?: { reason: string; code: number | undefined },
  ): void {
    if (client !== this.#client) return;
    client.removeAllListeners('connect');
    this.#client = undefined;
    const wasOnline = this.#online;
    this.#online = false;
    this.#outbox.pause();
    if (this.#stopped) return;
    this.#log.warn(wasOnline ? 'lost the broker' : 'cannot connect to the broker', {
      url: this.#options.config.url,
      reason: refusal?.reason ?? this.#closedReason(wasOnline),
      code: refusal?.code,
    });
    if (wasOnline) this.emit('offline');
    if (!this.#agreed && reached && mayBeVersion(refusal?.code)) {
      // An MQTT 3.1.1 broker answers 1 (unacceptable protocol version), 132, or just closes.
      this.#version = this.#version === 5 ? 4 : 5;
      if (this.#version === 4) return void setImmediate(() => !this.#stopped && this.#connect());
    }
    this.#later();
  }

  #closedReason(wasOnline: boolean): string {
    const short = wasOnline && performance.now() - this.#onlineSince < SHORT_MS;
    this.#short = short ? this.#short + 1 : 0;
    return this.#short < SUSPICIOUS ? 'connection closed' : `closed ${this.#short} times: ${TAKEN_OVER}`;
  }

  #later(): void {
    if (this.#stopped) return;
    this.#timer = setTimeout(() => this.#connect(), this.#backoff.next());
  }

  #receive(
    { client, acks, connection }: { client: MqttClient; acks: OrderedAcks; connection: number },
    packet: IPublishPacket,
    done: (error?: Error) => void,
  ): void {
    const { topic, retain, dup, qos, messageId } = packet;
    const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload;
    let acknowledge = (): void => undefined;
    if (qos === 1 && messageId !== undefined) {
      acknowledge = acks.receive(() => {
        if (client === this.#client && client.connected) sendPuback(client, messageId);
      });
    }
    try {
      this.emit('message', {
        topic,
        payload,
        retain,
        duplicate: dup,
        expirySeconds: packet.properties?.messageExpiryInterval,
        properties: userProperties(packet),
        connection,
        acknowledge,
      });
    } catch (error) {
      this.#log.error('handling a message failed', { topic, reason: (error as Error).message });
      acknowledge();
    }
    // An error here means exactly: go on with the next packet, and send no PUBACK for this one.
    done(qos === 1 ? new Error('acknowledged later') : undefined);
  }

  #send(publication: Publication, done: (error?: Error) => void): void {
    const client = this.#client;
    if (!client || !this.#online) return;
    const { topic, payload, retain, expirySeconds, properties } = publication;
    client.publish(
      topic,
      payload,
      {
        qos: 1,
        retain,
        ...(this.#version === 5 && {
          properties: {
            ...(expirySeconds !== undefined && { messageExpiryInterval: expirySeconds }),
            ...(properties && { userProperties: { ...properties } }),
          },
        }),
      },
      (error) => {
        if (client !== this.#client) return;
        if (!error) done();
        else if ('code' in error && typeof error.code === 'number' && error.code >= 0x80) done(error);
        // Anything else is the connection: the outbox sends again on the next one.
      },
    );
  }

  #sendRetained(topic: string, payload: Buffer): void {
    this.#send({ topic, payload, retain: true }, (error) => {
      if (error) this.#log.warn('the broker refuses a retained message', { topic, reason: error.message });
    });
  }

  #publishState(): void {
    const message = this.#stateMessage(this.#state);
    if (message) this.#sendRetained(message.topic, message.payload);
  }

  #stateMessage(word: string): { topic: string; payload: Buffer } | undefined {
    const { state } = this.#options;
    return state && { topic: state.topic, payload: state.payload(word, this.#session) };
  }

  #fingerprint(): string {
    return JSON.stringify(readCredentials(this.#options.config));
  }
}

export interface Publication {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retain: boolean;
  readonly expirySeconds?: number | undefined;
  readonly properties?: Readonly<Record<string, string>> | undefined;
}

const userProperties = ({ properties }: IPublishPacket): Record<string, string> =>
  Object.fromEntries(
    Object.entries(properties?.userProperties ?? {}).map(([name, value]) => [
      name,
      typeof value === 'string' ? value : (value.at(-1) ?? ''),
    ]),
  );

/**
 * `mqtt` has no public way to acknowledge later than handleMessage's callback, and holding that callback back stops the
 * whole stream, keepalive answers included (mqttjs/MQTT.js#1935). test/agent/broker-link.test.ts watches this one.
 */
const sendPuback = (client: MqttClient, messageId: number): void =>
  (client as unknown as { _sendPacket(packet: object): void })._sendPacket({
    cmd: 'puback',
    messageId,
    reasonCode: 0,
  });

/** 1: 3.1.1's "unacceptable protocol version"; 129, 130, 132: 5's malformed, protocol error, unsupported version. */
const mayBeVersion = (code: number | undefined): boolean =>
  code === undefined || [1, 129, 130, 132].includes(code);
