import { Aedes, type Client } from 'aedes';
import { readFileSync } from 'node:fs';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, TLSSocket } from 'node:tls';
import { type AccessList, type Party } from './access.js';

/** One message as the broker sees it: this is all that it ever learns. */
export interface Observed {
  readonly clientId: string;
  readonly topic: string;
  readonly payload: Buffer;
  readonly retain: boolean;
  readonly qos: number;
}

export interface BrokerOptions {
  /** 0 = any free port. Default 1883. */
  readonly port?: number;
  /** Default 127.0.0.1. */
  readonly host?: string;
  readonly tls?: { readonly cert: string; readonly key: string; readonly ca?: string };
  readonly access?: AccessList;
  readonly observe?: (message: Observed) => void;
  /** How long one client may refuse to read before it is cut off; aedes would let it hold up all others. */
  readonly drainTimeoutMs?: number;
}

/** The development broker: MQTT 3.1.1, everything in memory. */
export class DevBroker {
  readonly #aedes: Aedes;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #scheme: string;

  private constructor(aedes: Aedes, { tls }: BrokerOptions) {
    this.#aedes = aedes;
    this.#scheme = tls ? 'mqtts' : 'mqtt';
    const accept = (socket: Socket): void => {
      this.#sockets.add(socket);
      socket.setNoDelay(true);
      socket.once('close', () => this.#sockets.delete(socket));
      aedes.handle(socket);
    };
    this.#server = tls
      ? createTlsServer(
          {
            cert: readFileSync(tls.cert),
            key: readFileSync(tls.key),
            minVersion: 'TLSv1.2',
            ...(tls.ca && { ca: readFileSync(tls.ca), requestCert: true, rejectUnauthorized: true }),
          },
          accept,
        )
      : createServer(accept);
  }

  static async create(options: BrokerOptions = {}): Promise<DevBroker> {
    const { port = 1883, host = '127.0.0.1', access, observe, drainTimeoutMs = 10_000 } = options;
    const aedes = await Aedes.createBroker({ drainTimeout: drainTimeoutMs });
    if (access) enforce(aedes, access);
    if (observe)
      aedes.on('publish', ({ topic, payload, retain, qos }, client) => {
        if (client) observe({ clientId: client.id, topic, payload: Buffer.from(payload), retain, qos });
      });
    const broker = new DevBroker(aedes, options);
    await new Promise<void>((resolve, reject) => {
      broker.#server.once('error', reject);
      broker.#server.listen(port, host, resolve);
    });
    return broker;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get url(): string {
    return `${this.#scheme}://${(this.#server.address() as AddressInfo).address}:${this.port}`;
  }

  async stop(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    await new Promise<void>((resolve) => this.#aedes.close(resolve));
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }
}

/** Starts a broker; see BrokerOptions. */
export const startBroker = (options: BrokerOptions = {}): Promise<DevBroker> => DevBroker.create(options);

const enforce = (aedes: Aedes, access: AccessList): void => {
  const parties = new WeakMap<Client, Party>();
  aedes.authenticate = (client, username, password, done) => {
    const party = access.authenticate(username, password?.toString(), certificateName(client));
    if (party) parties.set(client, party);
    done(null, party !== undefined);
  };
  aedes.authorizePublish = (client, { topic }, done) => {
    const party = client && parties.get(client);
    const allowed = !client || (party && access.mayPublish(party, topic));
    done(allowed ? null : new Error(`${party?.role ?? 'unknown'} may not publish to ${topic}`));
  };
  aedes.authorizeSubscribe = (client, subscription, done) => {
    const party = parties.get(client);
    done(null, party && access.maySubscribe(party, subscription.topic) ? subscription : null);
  };
};

const certificateName = ({ conn }: Client): string | undefined => {
  if (!(conn instanceof TLSSocket) || !conn.authorized) return undefined;
  const { CN } = conn.getPeerCertificate().subject ?? {};
  return Array.isArray(CN) ? undefined : CN;
};
