import { EventEmitter } from 'node:events';
import { Socket } from 'node:net';
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt';
import { SmartZoneError } from '../../protocol/errors.js';
import { Backoff } from './backoff.js';
import { connectOptions, type LinkOptions } from './connect-options.js';
import { Handlers, type MessageHandler } from './handlers.js';

export interface PublishOptions {
  readonly qos?: 0 | 1;
  readonly retain?: boolean;
  /** Seconds after which the broker drops the message undelivered. MQTT 5 only; 3.1.1 keeps it. */
  readonly expiry?: number;
}

/** Where a link is, for `connected`: with `sessionPresent` the broker had kept our subscriptions and messages. */
export interface LinkEvents {
  connected: [{ readonly protocol: 4 | 5; readonly sessionPresent: boolean }];
  disconnected: [];
  /** The last attempt failed; the next one is made in `delay` milliseconds. */
  retrying: [{ readonly delay: number; readonly reason: string }];
}

/** CONNACK codes that mean "not this protocol version": 1 in MQTT 3.1.1, 0x84 in MQTT 5. */
const VERSION_REFUSED: ReadonlySet<number> = new Set([1, 0x84]);
/** CONNACK codes that another attempt will not change: identifier, credentials, not authorized, banned. */
const REFUSED_FOR_GOOD: ReadonlySet<number> = new Set([2, 4, 5, 0x85, 0x86, 0x87, 0x8a, 0x8c]);

/** MQTT 5: another client came with our identifier. */
const SESSION_TAKEN_OVER = 0x8e;
const CLOSED = 'the connection was closed';
/** Mosquitto does not say it to whom it throws out. */
const THROWN_OUT =
  'the connection was closed soon after it was made, and again: another client may have the same identifier (one key is for one process)';
/** Milliseconds after which a connection counts as good. */
const LASTING = 5000;
const DEFAULT_CONNECT_TIMEOUT = 15_000;
/** Milliseconds that what the broker kept waits for a handler after the first connection. */
const EARLY_FOR = 10_000;

/**
 * One party's connection to the broker. Reconnects for as long as it is open, and renews every subscription when it
 * does (retained messages come again: handlers take them as repeats). QoS 1 messages that are published while the broker
 * is away are sent when it is back. The broker is not trusted: nothing that arrives here is believed before it is verified.
 */
export class BrokerLink extends EventEmitter<LinkEvents> {
  private readonly client: MqttClient;
  private readonly clientOptions: IClientOptions;
  private readonly backoff: Backoff;
  private readonly handlers = new Handlers();
  private silentCloses = 0;
  /** Runs while it is not known whether the connection lasts. */
  private lasting: NodeJS.Timeout | undefined;
  private everConnected = false;
  private closing = false;
  private lastReason = CLOSED;
  /** Connections in a row that did not last, for no reason that was given. */
  private thrownOut = 0;
  /** Why the last attempt that is over failed. */
  private lastFailure = 'no answer';

  private constructor(private readonly options: LinkOptions) {
    super();
    this.backoff = new Backoff(options.backoff);
    this.clientOptions = connectOptions(options, this.backoff.next());
    // mqtt copies its options: the object it works with (reconnectPeriod and protocolVersion are read at each attempt) is client.options.
    this.client = mqtt.connect(options.url, this.clientOptions);
    this.clientOptions = this.client.options;
    this.client.on('connect', (packet) => this.onConnect(packet.sessionPresent));
    this.client.on('close', () => this.onClose());
    this.client.on('error', (error) => this.onError(error));
    this.client.on('disconnect', ({ reasonCode }) => {
      this.lastReason =
        reasonCode === SESSION_TAKEN_OVER
          ? 'another client connected with the same identifier'
          : `the broker ended the connection (${reasonCode ?? 0})`;
    });
    this.client.on('reconnect', () => {
      if (!this.closing) this.clientOptions.reconnectPeriod = this.backoff.next();
    });
    this.client.on('message', (topic, payload, { retain }) =>
      this.handlers.deliver({ topic, payload: new Uint8Array(payload), retained: retain }),
    );
  }

  /**
   * Connects, and resolves with the open link.
   * @throws BROKER_UNREACHABLE when the broker refuses this party, or does not answer within `connectTimeout`.
   */
  static async connect(options: LinkOptions): Promise<BrokerLink> {
    if (!/^(mqtts?|wss?):\/\/[^/]/.test(options.url) || !URL.canParse(options.url))
      throw new SmartZoneError('BROKER_UNREACHABLE', `not a broker address: ${withoutPassword(options.url)}`);
    const link = new BrokerLink(options);
    try {
      await link.firstConnection(options.connectTimeout ?? DEFAULT_CONNECT_TIMEOUT);
    } catch (error) {
      link.giveUp();
      link.client.end(true);
      throw error;
    }
    return link;
  }

  get connected(): boolean {
    return this.client.connected;
  }

  /** 5, or 4 (which is MQTT 3.1.1) where the broker has no more. */
  get protocol(): 4 | 5 {
    return this.clientOptions.protocolVersion === 4 ? 4 : 5;
  }

  /**
   * Resolves when the broker has the message (QoS 1, the default) or it is written to the connection (QoS 0).
   * @throws BROKER_UNREACHABLE when the link is closed before that, or the broker refuses the message.
   */
  async publish(topic: string, payload: Uint8Array | string, options: PublishOptions = {}): Promise<void> {
    const { qos = 1, retain = false, expiry } = options;
    const body =
      typeof payload === 'string' ? payload : Buffer.from(payload.buffer, payload.byteOffset, payload.length);
    try {
      await this.client.publishAsync(topic, body, {
        qos,
        retain,
        ...(expiry === undefined ? {} : { properties: { messageExpiryInterval: expiry } }),
      });
    } catch (error) {
      throw new SmartZoneError('BROKER_UNREACHABLE', `publishing to ${topic}: ${(error as Error).message}`, {
        cause: error,
      });
    }
  }

  /**
   * Calls `handler` for each message whose topic matches, in order, until the returned function is called.
   * Resolves when the broker granted the subscription; while it is away, when it is back.
   * @throws BROKER_UNREACHABLE when the broker refuses the subscription.
   */
  async subscribe(filter: string, handler: MessageHandler): Promise<() => Promise<void>> {
    const remove = this.handlers.add(filter, handler);
    // A second handler of the same filter still subscribes, so that it gets the retained messages.
    try {
      await this.request(filter);
    } catch (error) {
      remove();
      throw new SmartZoneError(
        'BROKER_UNREACHABLE',
        `subscribing to ${filter}: ${(error as Error).message}`,
        {
          cause: error,
        },
      );
    }
    return async () => {
      if (remove() && this.client.connected && !this.closing)
        await this.client.unsubscribeAsync(filter).catch(() => undefined);
    };
  }

  /** Sends what is queued if the broker is there (for at most `grace` milliseconds), and disconnects. */
  async close(grace = 2000): Promise<void> {
    if (this.closing) return;
    this.giveUp();
    this.handlers.clear();
    if (!this.client.connected) {
      await this.client.endAsync(true);
      return;
    }
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<true>((resolve) => (timer = setTimeout(() => resolve(true), grace)));
    if ((await Promise.race([this.client.endAsync(false), late])) === true) {
      // `mqtt` that waits for acknowledgements ignores that it is told to end at once, unless it forgets that it is ending.
      this.client.disconnecting = false;
      await this.client.endAsync(true);
    }
    clearTimeout(timer);
  }

  /** From here on no connection attempt is made: one that fails, or whose stream closes late, is followed by no other. */
  private giveUp(): void {
    this.closing = true;
    clearTimeout(this.lasting);
    this.clientOptions.reconnectPeriod = 0;
  }

  private async request(filter: string): Promise<void> {
    const [grant] = await this.client.subscribeAsync(filter, { qos: 1 });
    if (grant !== undefined && grant.qos >= 128) throw new Error('the broker refused it');
  }

  private firstConnection(timeout: number): Promise<void> {
    return new Promise((resolve, reject) => {
      const failed = (error: Error | string): void => {
        const detail = `${withoutPassword(this.options.url)}: ${typeof error === 'string' ? error : error.message}`;
        finish(() => reject(new SmartZoneError('BROKER_UNREACHABLE', detail)));
      };
      const timer = setTimeout(() => failed(this.lastFailure), timeout);
      const onError = (error: Error): void => {
        const code = reasonCode(error);
        if (code !== undefined && REFUSED_FOR_GOOD.has(code)) failed(error);
      };
      const onConnect = (): void => finish(resolve);
      const finish = (then: () => void): void => {
        clearTimeout(timer);
        this.client.off('connect', onConnect);
        this.client.off('error', onError);
        then();
      };
      this.client.on('connect', onConnect);
      this.client.on('error', onError);
      this.client.connect();
    });
  }

  private onConnect(sessionPresent: boolean): void {
    if (!this.everConnected && sessionPresent) setTimeout(() => this.handlers.endEarly(), EARLY_FOR).unref();
    else this.handlers.endEarly();
    this.everConnected = true;
    this.silentCloses = 0;
    // Messages are small and somebody waits for them: Nagle's algorithm would hold them back for up to 40 ms.
    if (this.client.stream instanceof Socket) this.client.stream.setNoDelay(true);
    // A connection that does not last counts as a failed attempt: two clients with one identifier would else throw each
    // other out as fast as they can. `mqtt` reads reconnectPeriod when the connection closes, so it is set before that.
    this.lasting = setTimeout(() => {
      this.lasting = undefined;
      this.thrownOut = 0;
      this.backoff.reset();
      this.clientOptions.reconnectPeriod = this.backoff.next();
    }, LASTING);
    this.lasting.unref();
    for (const filter of this.handlers.filters) this.request(filter).catch(() => undefined);
    this.emit('connected', { protocol: this.protocol, sessionPresent });
  }

  private onClose(): void {
    if (this.closing) return;
    const brief = this.lasting !== undefined;
    clearTimeout(this.lasting);
    this.lasting = undefined;
    if (brief && this.lastReason === CLOSED && ++this.thrownOut >= 2) this.lastReason = THROWN_OUT;
    // Some brokers close the connection instead of refusing MQTT 5 by name.
    if (!this.everConnected && ++this.silentCloses >= 2 && this.lastReason === CLOSED) this.fallBack();
    this.lastFailure = this.lastReason;
    this.emit('disconnected');
    this.emit('retrying', { delay: this.clientOptions.reconnectPeriod ?? 0, reason: this.lastReason });
    this.lastReason = CLOSED;
  }

  private onError(error: Error): void {
    this.lastReason = error.message === '' ? error.name : error.message;
    const code = reasonCode(error);
    if (code !== undefined && VERSION_REFUSED.has(code)) this.fallBack();
  }

  private fallBack(): void {
    this.clientOptions.protocolVersion = 4;
    // The broker is there: no reason to wait.
    this.clientOptions.reconnectPeriod = 1;
  }
}

function reasonCode(error: Error): number | undefined {
  const { code } = error as { code?: unknown };
  return typeof code === 'number' ? code : undefined;
}

function withoutPassword(url: string): string {
  return url.replace(/\/\/[^@/]*@/, '//');
}
