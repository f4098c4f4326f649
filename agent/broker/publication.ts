import type { IClientPublishOptions } from 'mqtt';
import type { MqttVersion } from './connect-options.js';

/** A message to the broker, with QoS 1. */
export interface Publication {
  readonly topic: string;
  readonly payload: Buffer;
  readonly retain: boolean;
  readonly expirySeconds?: number | undefined;
  readonly properties?: Readonly<Record<string, string>> | undefined;
}

/** Options of `mqtt` for it. MQTT 5 properties are left out under 3.1.1. */
export const publishOptions = (
  { retain, expirySeconds, properties }: Publication,
  version: MqttVersion,
): IClientPublishOptions => ({
  qos: 1,
  retain,
  ...(version === 5 && {
    properties: {
      ...(expirySeconds !== undefined && { messageExpiryInterval: expirySeconds }),
      ...(properties && { userProperties: { ...properties } }),
    },
  }),
});
