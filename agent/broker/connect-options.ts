import { readFileSync } from 'node:fs';
import type { IClientOptions } from 'mqtt';
import type { BrokerConfig } from '../config.js';

export type MqttVersion = 4 | 5;

/** Certificates and password as they are on disk now: read again for every connection, so that renewed ones are used. */
export const readCredentials = ({ username, password, passwordFile, tls }: BrokerConfig) => ({
  ...(username && { username }),
  ...(passwordFile
    ? { password: readFileSync(passwordFile, 'utf8').split(/\r?\n/, 1)[0] ?? '' }
    : password && { password }),
  ...(tls.ca && { ca: readFileSync(tls.ca) }),
  ...(tls.cert && { cert: readFileSync(tls.cert) }),
  ...(tls.key && { key: readFileSync(tls.key) }),
});

export interface ConnectParameters {
  readonly version: MqttVersion;
  /** Undefined: none. */
  readonly will: { readonly topic: string; readonly payload: Buffer } | undefined;
  /** Unacknowledged messages that the broker may have under way to us (MQTT 5; 3.1.1 knows no such limit). */
  readonly receiveMaximum: number;
  readonly maximumPacketSize: number;
}

/** Options of `mqtt` for one connection. MQTT 5 properties are left out under 3.1.1. */
export const connectOptions = (
  config: BrokerConfig,
  { version, will, receiveMaximum, maximumPacketSize }: ConnectParameters,
): IClientOptions => {
  const { tls } = config;
  const secure = config.url.startsWith('mqtts:');
  return {
    ...readCredentials(config),
    clientId: config.clientId,
    protocolVersion: version,
    clean: false,
    keepalive: config.keepaliveSeconds,
    connectTimeout: config.connectTimeoutMs,
    // The link decides when to connect again: `mqtt` would retry every second for ever.
    reconnectPeriod: 0,
    resubscribe: false,
    queueQoSZero: false,
    ...(will && { will: { ...will, qos: 1, retain: true } }),
    ...(secure && { rejectUnauthorized: tls.verify, minVersion: tls.minVersion }),
    ...(version === 5 && {
      properties: {
        sessionExpiryInterval: config.sessionExpirySeconds,
        receiveMaximum,
        maximumPacketSize,
        topicAliasMaximum: 16,
      },
      autoAssignTopicAlias: true,
    }),
  };
};
