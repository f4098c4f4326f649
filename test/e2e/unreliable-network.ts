import { connect, createServer, type Server, type Socket } from 'node:net';
import { Random } from '../../bench/nets/random.js';

/** Shares of all messages. */
export interface Faults {
  readonly lost: number;
  readonly duplicated: number;
  readonly delayed: number;
  /** A delayed message comes at most so many milliseconds late; others pass it. */
  readonly mostDelay: number;
}

const NONE: Faults = { lost: 0, duplicated: 0, delayed: 0, mostDelay: 0 };
const PUBLISH = 3;
const PUBACK = 4;

/**
 * A TCP proxy in front of a broker that understands as much of MQTT as it needs to lose, double and delay PUBLISH packets of both
 * directions. TCP itself loses nothing; what loses messages is a broker, a bridge, a full queue, after it has acknowledged them. So
 * does this: a lost QoS 1 message is acknowledged here in the receiver's name, and nobody sends it again by itself.
 */
export class UnreliableNetwork {
  faults = NONE;
  readonly counts = { messages: 0, lost: 0, duplicated: 0, delayed: 0 };
  /** What becomes of a PUBLISH, where that is not left to chance. */
  fate: (topic: string) => 'lost' | 'held' | undefined = () => undefined;
  /** Delivers what was held, behind whatever has passed meanwhile. */
  readonly release: (() => void)[] = [];
  /** Called for every PUBLISH that the client behind this proxy receives, doubles included. */
  onDelivered: (topic: string, bytes: number) => void = () => undefined;
  /** Called for every PUBLISH that the client sends and that passes. */
  onSent: (topic: string, bytes: number) => void = () => undefined;
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly random: Random,
    readonly url: string,
  ) {}

  static async start(brokerUrl: string, seed: number): Promise<UnreliableNetwork> {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no address');
    const url = `mqtt://127.0.0.1:${address.port}`;
    const network = new UnreliableNetwork(server, new Random(seed), url);
    const broker = new URL(brokerUrl);
    server.on('connection', (client) => network.#carry(client, connect(Number(broker.port), '127.0.0.1')));
    return network;
  }

  async stop(): Promise<void> {
    for (const socket of this.#sockets) socket.destroy();
    await new Promise((resolve) => this.server.close(resolve));
  }

  #carry(client: Socket, broker: Socket): void {
    const up = new Direction(broker, this, this.random, false);
    const down = new Direction(client, this, this.random, true);
    for (const [socket, direction, other] of [
      [client, up, down],
      [broker, down, up],
    ] as const) {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.on('data', (bytes) => direction.receive(bytes, other));
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.#sockets.delete(socket);
        (socket === client ? broker : client).destroy();
      });
    }
  }
}

/** One direction of a connection. */
class Direction {
  #rest = Buffer.alloc(0);
  /** Acknowledgements of doubles, by packet identifier, which the sender must not see. */
  readonly swallow = new Map<number, number>();

  constructor(
    private readonly to: Socket,
    private readonly network: UnreliableNetwork,
    private readonly random: Random,
    private readonly toClient: boolean,
  ) {}

  receive(bytes: Buffer, back: Direction): void {
    this.#rest = Buffer.concat([this.#rest, bytes]);
    for (;;) {
      const packet = firstPacket(this.#rest);
      if (packet === undefined) return;
      this.#rest = this.#rest.subarray(packet.length);
      const type = (packet[0] ?? 0) >> 4;
      if (type === PUBLISH) this.#publish(packet, back);
      else if (type !== PUBACK || !this.#isOfDouble(packet, back)) this.to.write(packet);
    }
  }

  #isOfDouble(packet: Buffer, back: Direction): boolean {
    const id = packet.readUInt16BE(2);
    const left = back.swallow.get(id) ?? 0;
    if (left === 0) return false;
    back.swallow.set(id, left - 1);
    return true;
  }

  #publish(packet: Buffer, back: Direction): void {
    const { faults, counts } = this.network;
    const { lost, duplicated, delayed, mostDelay } = faults;
    const { topic, id, bytes } = readPublish(packet);
    counts.messages += 1;
    const fate = this.network.fate(topic);
    const chance = fate === undefined ? this.random.uniform() : 1;
    if (fate === 'lost' || chance < lost) {
      counts.lost += 1;
      if (id !== undefined) back.to.write(Buffer.from([PUBACK << 4, 2, id >> 8, id & 0xff]));
      return;
    }
    const deliver = (message: Buffer): void => {
      if (this.to.destroyed) return;
      this.to.write(message);
      if (this.toClient) this.network.onDelivered(topic, bytes);
      else this.network.onSent(topic, bytes);
    };
    if (fate === 'held') {
      this.network.release.push(() => deliver(packet));
    } else if (chance < lost + duplicated) {
      counts.duplicated += 1;
      deliver(packet);
      const again = Buffer.from(packet);
      if (id !== undefined) {
        again[0] = (again[0] ?? 0) | 8; // DUP
        this.swallow.set(id, (this.swallow.get(id) ?? 0) + 1);
      }
      deliver(again);
    } else if (chance < lost + duplicated + delayed) {
      counts.delayed += 1;
      setTimeout(() => deliver(packet), this.random.uniform() * mostDelay);
    } else {
      deliver(packet);
    }
  }
}

/** A whole packet from the start of these bytes, if there is one (MQTT 5, section 2.1). */
const firstPacket = (bytes: Buffer): Buffer | undefined => {
  const length = remaining(bytes);
  if (length === undefined || bytes.length < length.at + length.value) return undefined;
  return bytes.subarray(0, length.at + length.value);
};

const remaining = (bytes: Buffer): { readonly value: number; readonly at: number } | undefined => {
  let value = 0;
  for (let i = 0; i < 4; i += 1) {
    const byte = bytes[1 + i];
    if (byte === undefined) return undefined;
    value |= (byte & 0x7f) << (7 * i);
    if (byte < 0x80) return { value, at: 2 + i };
  }
  throw new Error('not MQTT');
};

/** @returns identifier: undefined with QoS 0; bytes: after topic and identifier (properties, a few bytes, included) */
const readPublish = (packet: Buffer): { topic: string; id: number | undefined; bytes: number } => {
  const start = remaining(packet)?.at ?? 0;
  const end = start + 2 + packet.readUInt16BE(start);
  const qos = ((packet[0] ?? 0) >> 1) & 3;
  const id = qos === 0 ? undefined : packet.readUInt16BE(end);
  return {
    topic: packet.toString('utf8', start + 2, end),
    id,
    bytes: packet.length - end - (qos === 0 ? 0 : 2),
  };
};
