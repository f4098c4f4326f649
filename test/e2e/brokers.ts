import { spawn, type ChildProcess } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { userInfo } from 'node:os';
import { join } from 'node:path';
import { startBroker, type DevBroker } from '../../broker-dev/broker.js';
import { findMosquitto, freePort } from '../agent/mosquitto.js';

export { findMosquitto };
export type BrokerKind = 'aedes' | 'mosquitto';

/** A real broker on a port of its own, which stays the same over a restart. */
export interface TestBroker {
  readonly url: string;
  /** What the clients begin with: aedes has no MQTT 5. */
  readonly protocol: 4 | 5;
  /** Of a broker with a process of its own: mosquitto, while it runs. */
  readonly pid?: number | undefined;
  stop(): Promise<void>;
  /** Ends it as a power cut would and starts it again. */
  crash(): Promise<void>;
}

export const startTestBroker = (kind: BrokerKind, folder: string): Promise<TestBroker> =>
  kind === 'aedes' ? Aedes.start() : Mosquitto.start(folder);

class Aedes implements TestBroker {
  readonly protocol = 4;

  private constructor(
    private broker: DevBroker,
    private readonly port: number,
  ) {}

  static async start(): Promise<Aedes> {
    const port = await freePort();
    return new Aedes(await startBroker({ port }), port);
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  stop(): Promise<void> {
    return this.broker.stop();
  }

  async crash(): Promise<void> {
    await this.broker.stop();
    this.broker = await startBroker({ port: this.port });
  }
}

/** mosquitto that writes its sessions and retained messages to the disk with every change. */
class Mosquitto implements TestBroker {
  readonly protocol = 5;
  #child: ChildProcess | undefined;
  #exited: Promise<void> = Promise.resolve();

  private constructor(
    private readonly program: string,
    private readonly folder: string,
    private readonly port: number,
  ) {}

  static async start(folder: string): Promise<Mosquitto> {
    const program = findMosquitto();
    if (program === undefined) throw new Error('mosquitto is not installed');
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    const port = await freePort();
    const lines = [
      `listener ${port} 127.0.0.1`,
      'allow_anonymous true',
      `user ${userInfo().username}`,
      'persistence true',
      `persistence_location ${folder}/`,
      'autosave_on_changes true',
      'autosave_interval 1',
      'max_queued_messages 0',
    ];
    writeFileSync(join(folder, 'mosquitto.conf'), `${lines.join('\n')}\n`);
    const broker = new Mosquitto(program, folder, port);
    await broker.#spawn();
    return broker;
  }

  get url(): string {
    return `mqtt://127.0.0.1:${this.port}`;
  }

  get pid(): number | undefined {
    return this.#child?.pid;
  }

  async stop(): Promise<void> {
    this.#child?.kill('SIGTERM');
    await this.#exited;
  }

  async crash(): Promise<void> {
    this.#child?.kill('SIGKILL');
    await this.#exited;
    await this.#spawn();
  }

  async #spawn(): Promise<void> {
    const child = spawn(this.program, ['-c', join(this.folder, 'mosquitto.conf')], { stdio: 'ignore' });
    this.#child = child;
    this.#exited = new Promise((resolve) => child.once('exit', () => resolve()));
    for (let attempt = 0; attempt < 200; attempt += 1) {
      if (await answers(this.port)) return;
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    throw new Error(`mosquitto does not listen on port ${this.port}`);
  }
}

const answers = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy();
      resolve(true);
    });
    socket.once('error', () => resolve(false));
  });

/** Runs the tests against both brokers; says so where mosquitto is missing, and then tests with aedes alone. */
export const availableBrokers = (): BrokerKind[] => {
  if (findMosquitto() !== undefined) return ['aedes', 'mosquitto'];
  console.warn('mosquitto is not installed: only tested with aedes');
  return ['aedes'];
};
