import type { IPublishPacket, MqttClient } from 'mqtt';
import type { Log } from '../log.js';
import { OrderedAcks } from './ordered-acks.js';

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

export interface ReceivingParts {
  readonly connection: number;
  readonly log: Log;
  /** Whether the client's connection is the one in use. */
  readonly isCurrent: () => boolean;
  readonly deliver: (message: Incoming) => void;
}

/** Takes the messages of one network connection, each acknowledged when its receiver says so. */
export const receiveMessages = (client: MqttClient, parts: ReceivingParts): void => {
  const acks = new OrderedAcks();
  client.handleMessage = (packet, done) => {
    const { topic, qos, messageId } = packet;
    let acknowledge = (): void => undefined;
    if (qos === 1 && messageId !== undefined) {
      acknowledge = acks.receive(() => {
        if (parts.isCurrent() && client.connected) sendPuback(client, messageId);
      });
    }
    try {
      parts.deliver(incoming(packet, parts.connection, acknowledge));
    } catch (error) {
      parts.log.error('handling a message failed', { topic, reason: (error as Error).message });
      acknowledge();
    }
    // An error here means exactly: go on with the next packet, and send no PUBACK for this one.
    done(qos === 1 ? new Error('acknowledged later') : undefined);
  };
};

const incoming = (packet: IPublishPacket, connection: number, acknowledge: () => void): Incoming => ({
  topic: packet.topic,
  payload: typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload,
  retain: packet.retain,
  duplicate: packet.dup,
  expirySeconds: packet.properties?.messageExpiryInterval,
  properties: userProperties(packet),
  connection,
  acknowledge,
});

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
