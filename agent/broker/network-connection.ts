import { Socket } from 'node:net';
import mqtt from 'mqtt';
import type { ErrorWithReasonCode, MqttClient } from 'mqtt';
import type { BrokerConfig } from '../config.js';
import { connectOptions, type ConnectParameters } from './connect-options.js';
import { takeover, type Refusal } from './takeover.js';

export interface Accepted {
  readonly sessionPresent: boolean;
  readonly sharedSubscriptions: boolean;
}

export interface Ended {
  /** The broker answered, if only to TCP's or TLS's handshake. */
  readonly reached: boolean;
  /** Undefined: nobody said why. */
  readonly refusal: Refusal | undefined;
}

export interface ConnectionEvents {
  readonly accepted: (client: MqttClient, how: Accepted) => void;
  readonly closed: (client: MqttClient, how: Ended) => void;
}

/** Makes one network connection. Throws when its certificates or password cannot be read. */
export const openConnection = (
  config: BrokerConfig,
  parameters: ConnectParameters,
  events: ConnectionEvents,
): MqttClient => {
  const client = mqtt.connect(config.url, connectOptions(config, parameters));
  // Labels and acknowledgements are small and must not wait for each other (Nagle's algorithm against delayed ACK: 40 ms).
  if (client.stream instanceof Socket) client.stream.setNoDelay(true);
  let reached = false;
  let refusal: Refusal | undefined;
  client.stream.once(config.url.startsWith('mqtts:') ? 'secureConnect' : 'connect', () => (reached = true));
  client.on('error', (error: Error | ErrorWithReasonCode) => {
    const code = 'code' in error && typeof error.code === 'number' ? error.code : undefined;
    refusal ??= { reason: error.message, code };
    if (!client.connected) client.end(true);
  });
  client.on('connect', ({ sessionPresent, properties }) => {
    const shared = parameters.version === 5 && properties?.sharedSubscriptionAvailable !== false;
    events.accepted(client, { sessionPresent, sharedSubscriptions: shared });
  });
  client.on('disconnect', ({ reasonCode }) => (refusal = takeover(reasonCode) ?? refusal));
  client.once('close', () => events.closed(client, { reached, refusal }));
  return client;
};
