import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Agent } from '../../agent/agent.js';
import { loadConfig, type Config } from '../../agent/config.js';
import { Log } from '../../agent/log.js';
import { generateKeys, publicOf } from '../../clients/keys/index.js';
import { BrokerLink } from '../../clients/link/index.js';
import { Owner } from '../../clients/owner/index.js';
import {
  importTflite,
  pack,
  signPackage,
  wrapFor,
  type GoldenRunner,
  type SealedModel,
} from '../../clients/publisher/index.js';
import { RulesClient, type LabelEvent } from '../../clients/rules/index.js';
import { SensorClient } from '../../clients/sensor/index.js';
import type { RunningBroker } from './brokers.js';
import { buildTflite, floats } from '../models/tflite-builder.js';

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

  #sensorClient: SensorClient | undefined;

  private constructor(
    readonly folder: string,
    public broker: RunningBroker,
  ) {}

  static create(broker: RunningBroker): DeviceFixture {
    return new DeviceFixture(mkdtempSync(join(tmpdir(), 'smart-zone-agent-')), broker);
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
        'queue.depth=64',
        ...set,
      ],
    });
  }

  async agent(...set: string[]): Promise<Agent> {
    const log = new Log({ level: 'debug', write: (line) => this.logLines.push(line) });
    const agent = await Agent.create(this.config(...set), { log });
    this.#agents.push(agent);
    return agent;
  }

  async link(clientId: string): Promise<BrokerLink> {
    const link = await BrokerLink.connect({ url: this.broker.url, clientId });
    this.#links.push(link);
    return link;
  }

  get allConnected(): boolean {
    return this.#links.every(({ connected }) => connected);
  }

  /** Claims the device and enrols all parties. */
  async claim(): Promise<Owner> {
    const link = await this.link('owner');
    const owner = Owner.open({ keys: this.owner, bookPath: join(this.folder, 'book.json') });
    await owner.claim({ link, prefix: PREFIX, name: 'test', accept: 0 });
    for (const keys of [this.sensor, this.rules, this.publisher]) await owner.enrol(link, publicOf(keys));
    return owner;
  }

  /** Leaves a model for the agent to install: a network that gives back its four inputs. */
  async stageModel(owner: Owner, sequence = 1): Promise<void> {
    this.stage(owner, await this.packModel(sequence), sequence);
  }

  /** A network that gives back its four inputs. */
  async packModel(sequence: number): Promise<SealedModel> {
    const network = importTflite(
      buildTflite({
        tensors: [
          { shape: [1, INPUTS] },
          { shape: [INPUTS, INPUTS], data: floats(IDENTITY) },
          { shape: [INPUTS], data: floats(new Array<number>(INPUTS).fill(0)) },
          { shape: [1, INPUTS] },
        ],
        operators: [{ name: 'FULLY_CONNECTED', inputs: [0, 1, 2], outputs: [3], options: [] }],
        inputs: [0],
        outputs: [3],
      }),
    );
    return pack(network, {
      name: `identity ${sequence}`,
      golden: identity,
      results: { kind: 'vector' },
    });
  }

  /** Leaves this model for the agent to install. */
  stage(owner: Owner, sealed: SealedModel, sequence: number): void {
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
    if (this.#sensorClient) return this.#sensorClient;
    const options = { keys: this.sensor, owner: publicOf(this.owner), prefix: PREFIX };
    const sensor = await SensorClient.open({ ...options, link: await this.link('sensor') });
    this.#closers.push(() => sensor.close());
    this.#sensorClient = sensor;
    return sensor;
  }

  async openRules(labels: LabelEvent[]): Promise<RulesClient> {
    const options = { keys: this.rules, owner: publicOf(this.owner), prefix: PREFIX };
    const rules = await RulesClient.open({ ...options, link: await this.link('rules') });
    rules.on('label', (label) => labels.push(label));
    this.#closers.push(() => rules.close());
    return rules;
  }

  /** The process that lives in the software TEE's folder and keeps its storage. */
  teeSupervisor(): number {
    const home = join(this.folder, 'tee');
    const found = processes().find(({ pid }) => linkTarget(`/proc/${pid}/cwd`) === home);
    if (!found) throw new Error('the software TEE does not run');
    return found.pid;
  }

  /** The process that the TA runs in. */
  taProcess(): number {
    const supervisor = this.teeSupervisor();
    const ta = processes().find(({ parent }) => parent === supervisor);
    if (!ta) throw new Error('the TA does not run');
    return ta.pid;
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

const processes = (): { pid: number; parent: number }[] =>
  readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .flatMap((name) => {
      try {
        // pid (command) state parent … ; the command may contain anything.
        const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
        return [{ pid: Number(name), parent: Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]) }];
      } catch {
        return [];
      }
    });

const linkTarget = (path: string): string | undefined => {
  try {
    return readlinkSync(path);
  } catch {
    return undefined;
  }
};

const IDENTITY = Array.from({ length: INPUTS * INPUTS }, (_, i) => (i % (INPUTS + 1) === 0 ? 1 : 0));
const identity: GoldenRunner = { run: (_graph, _format, frame) => Promise.resolve([Uint8Array.from(frame)]) };
