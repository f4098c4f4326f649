import mqtt, { type MqttClient } from 'mqtt';
import { spawn, type ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:net';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { BENCH_PACKAGE } from '../paths.js';
import { startMosquitto, type Mosquitto } from './mosquitto.js';
import { Answers, type System } from './system.js';

const ID_BYTES = 8;

/** What a user would otherwise build: the same broker, raw frames, onnxruntime-node in an ordinary client, nothing sealed. */
export class PlainSystem implements System {
  readonly name = 'plain (onnxruntime-node)';
  readonly #answers = new Answers();

  private constructor(
    readonly broker: Mosquitto,
    readonly client: ChildProcess,
    readonly sensor: MqttClient,
    readonly consumer: MqttClient,
    readonly frameBytes: number,
  ) {
    consumer.on('message', (_topic, payload) => {
      const { id } = JSON.parse(payload.toString()) as { id: string };
      this.#answers.arrived(id);
    });
  }

  /** @param model ONNX with raw pictures as its input */
  static async start(model: string, frameBytes: number): Promise<PlainSystem> {
    const broker = await startMosquitto();
    const program = fileURLToPath(new URL('plain-client.js', import.meta.url));
    const client = spawn(process.execPath, [program, BENCH_PACKAGE, model, broker.url], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    await new Promise<void>((resolve, reject) => {
      createInterface(client.stdout).once('line', () => resolve());
      client.once('exit', () => reject(new Error('the plain client ended')));
    });
    const connect = async (): Promise<MqttClient> => {
      const link = await mqtt.connectAsync(broker.url, { protocolVersion: 4, clean: true });
      (link.stream as Socket).setNoDelay(true);
      return link;
    };
    const [sensor, consumer] = [await connect(), await connect()];
    await consumer.subscribeAsync('plain/label', { qos: 1 });
    return new PlainSystem(broker, client, sensor, consumer, frameBytes);
  }

  processes(): ReadonlyMap<string, number> {
    return new Map([
      ['broker', this.broker.pid],
      ['agent', this.client.pid ?? 0],
    ]);
  }

  async label(): Promise<void> {
    const id = randomBytes(ID_BYTES);
    const answer = this.#answers.after(id.toString('hex'));
    this.sensor.publish('plain/frame', Buffer.concat([id, randomBytes(this.frameBytes)]), { qos: 1 });
    await answer;
  }

  async stop(): Promise<void> {
    await Promise.all([this.sensor.endAsync(true), this.consumer.endAsync(true)]);
    const exited = new Promise((resolve) => this.client.once('exit', resolve));
    this.client.kill('SIGTERM');
    await exited;
    await this.broker.stop();
  }
}
