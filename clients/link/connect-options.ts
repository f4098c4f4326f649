import type { IClientOptions } from 'mqtt';
import type { BackoffOptions } from './backoff.js';

export interface LinkOptions {
  /** mqtt://host[:1883], mqtts://host[:8883], ws:// or wss://; user and password may be part of it. */
  readonly url: string;
  /** Stable per party: the broker keeps the session under it. */
  readonly clientId: string;
  readonly username?: string;
  readonly password?: string;
  /** PEM. With mqtts:// the broker's certificate is always verified: against these authorities, or the system's. */
  readonly ca?: string | Buffer;
  /** PEM: client certificate and its key. */
  readonly cert?: string | Buffer;
  readonly key?: string | Buffer;
  /** Start with 3.1.1 instead of 5. With 5, a broker that refuses it is asked again with 3.1.1. */
  readonly protocol?: 4 | 5;
  /** Seconds. */
  readonly keepalive?: number;
  /** Seconds that the broker keeps subscriptions and queued messages while this party is away; 0 keeps nothing. */
  readonly sessionExpiry?: number;
  /** How long `connect` waits for the first connection, in milliseconds. */
  readonly connectTimeout?: number;
  readonly backoff?: Partial<BackoffOptions>;
  /** What the broker publishes, retained and with QoS 1, when this party goes away without saying so. */
  readonly will?: { readonly topic: string; readonly payload: string };
}

const DEFAULT_SESSION_EXPIRY = 3600;

/** Options of `mqtt`. @param reconnectPeriod milliseconds before the next attempt */
export function connectOptions(options: LinkOptions, reconnectPeriod: number): IClientOptions {
  const { protocol = 5, clientId, keepalive = 30, sessionExpiry = DEFAULT_SESSION_EXPIRY, will } = options;
  const { username, password, ca, cert, key } = options;
  return {
    protocolVersion: protocol,
    clientId,
    clean: sessionExpiry === 0,
    keepalive,
    connectTimeout: 10_000,
    reconnectPeriod,
    reconnectOnConnackError: true,
    resubscribe: false,
    queueQoSZero: false,
    manualConnect: true,
    properties: { sessionExpiryInterval: sessionExpiry },
    ...definedOnly({
      username,
      password,
      ca,
      cert,
      key,
      will: will && {
        topic: will.topic,
        payload: Buffer.from(will.payload),
        qos: 1 as const,
        retain: true,
      },
    }),
  };
}

function definedOnly<T extends Record<string, unknown>>(
  object: T,
): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
