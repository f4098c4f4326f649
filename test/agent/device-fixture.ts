import { mkdirSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent } from '../../agent/agent.js';
import { loadConfig, type Config } from '../../agent/config.js';
import { Log } from '../../agent/log.js';
import { startBroker, type DevBroker } from '../../broker-dev/broker.js';
import { generateKeys, publicOf } from '../../clients/keys/index.js';
import { BrokerLink } from '../../clients/link/index.js';
import { Owner } from '../../clients/owner/index.js';
import {
  importTflite,
  pack,
  signPackage,
  wrapFor,
  type GoldenRunner,
} from '../../clients/publisher/index.js';
import { RulesClient, type LabelEvent } from '../../clients/rules/index.js';
import { SensorClient } from '../../clients/sensor/index.js';
import { buildTflite } from '../models/tflite-builder.js';

export const PREFIX = 'smartzone/test';
export const INPUTS = 4;

/** A real agent with the real software TEE and a broker, in folders of its own. */
export class DeviceFixture {
  readonly owner = generateKeys('owner', 'me');
  readonly sensor = generateKeys('sensor', 'porch');
  readonly rules = generateKeys('rules', 'home');
  readonly publisher = generateKeys('publisher', 'maker');
  readonly logLines: string[] = [];
  readonly #links: BrokerLink[] = [];
  readonly #closers: (() => Promise<void>)[] = [];
  readonly #agents: Agent[] = [];

  private constructor(
    readonly folder: string,
    readonly broker: DevBroker,
  ) {}

  static async create(): Promise<DeviceFixture> {
    const folder = mkdtempSync(join(tmpdir(), 'smart-zone-agent-'));
    return new DeviceFixture(folder, await startBroker({ port: 0 }));
  }

  config(...set: string[]): Config {
    return loadConfig({
      env: process.env,
      set: [
        `broker.url=${this.broker.url}`,
        `topics.prefix=${PREFIX}`,
        'device.name=test',
        'broker.reconnectMinMs=20',
        'broker.reconnectMaxMs=200',
        `tee.storageDir=${join(this.folder, 'tee')}`,
        `models.directory=${join(this.folder, 'models')}`,
        'receipts.intervalMs=50',
        'telemetry.intervalMs=0',
        ...set,
      ],
    });
  }

  async agent(...set: string[]): Promise<Agent> {
    const log = new Log({
      level: 'debug',
      write: (line) => {
        this.logLines.push(line);
        if (process.env['AGENT_LOG']) process.stderr.write(line);
      },
    });
    const agent = await Agent.create(this.config(...set), { log });
    this.#agents.push(agent);
    return agent;
  }

  async link(clientId: string): Promise<BrokerLink> {
    const link = await BrokerLink.connect({ url: this.broker.url, clientId, protocol: 4 });
    this.#links.push(link);
    return link;
  }

  /** Claims the device and enrols all parties. */
  async claim(): Promise<Owner> {
    const link = await this.link('owner');
    const owner = Owner.open({ keys: this.owner, bookPath: join(this.folder, 'book.json') });
    await owner.claim({ link, prefix: PREFIX, name: 'test', accept: 0 });
    for (const keys of [this.sensor, this.rules, this.publisher]) await owner.enrol(link, publicOf(keys));
    return owner;
  }

  /** Leaves a model for the agent to install: a network of four hyperbolic tangents. */
  async stageModel(owner: Owner, sequence = 1): Promise<void> {
    const network = importTflite(
      buildTflite({
        tensors: [{ shape: [1, INPUTS] }, { shape: [1, INPUTS] }],
        operators: [{ name: 'TANH', inputs: [0], outputs: [1], options: [] }],
        inputs: [0],
        outputs: [1],
      }),
    );
    const sealed = await pack(network, { name: `tanh ${sequence}`, golden: tanh });
    const signed = signPackage(sealed, this.publisher.signing, sequence);
    const [device] = owner.devices;
    if (!device) throw new Error('no device');
    const offer = wrapFor(
      { kid: device.kid, agreementKey: device.agreement },
      signed,
      sealed.contentKey,
      this.publisher.signing,
    );
    this.#place('offer', offer);
    this.#place('package.new', signed.bytes);
  }

  async openSensor(): Promise<SensorClient> {
    const options = { keys: this.sensor, owner: publicOf(this.owner), prefix: PREFIX };
    const sensor = await SensorClient.open({ ...options, link: await this.link('sensor') });
    this.#closers.push(() => sensor.close());
    return sensor;
  }

  async openRules(labels: LabelEvent[]): Promise<RulesClient> {
    const options = { keys: this.rules, owner: publicOf(this.owner), prefix: PREFIX };
    const rules = await RulesClient.open({ ...options, link: await this.link('rules') });
    rules.on('label', (label) => labels.push(label));
    this.#closers.push(() => rules.close());
    return rules;
  }

  async close(): Promise<void> {
    await Promise.all(this.#closers.map((close) => close()));
    await Promise.all(this.#agents.map((agent) => agent.stop()));
    await Promise.all(this.#links.map((link) => link.close()));
    await this.broker.stop();
    // The software TEE ends by itself when its folder is gone.
    rmSync(this.folder, { recursive: true, force: true });
  }

  #place(name: string, bytes: Uint8Array): void {
    const models = join(this.folder, 'models');
    mkdirSync(models, { recursive: true });
    writeFileSync(join(models, `${name}.tmp`), bytes);
    renameSync(join(models, `${name}.tmp`), join(models, name));
  }
}

/** Four float32 numbers as a frame. */
export const frameOf = (...values: number[]): Uint8Array => new Uint8Array(Float32Array.from(values).buffer);

const tanh: GoldenRunner = {
  run: (_graph, _format, frame) => {
    const input = new Float32Array(Uint8Array.from(frame).buffer);
    return Promise.resolve([new Uint8Array(input.map(Math.tanh).buffer)]);
  },
};
