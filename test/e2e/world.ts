import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { AgentProcess } from '../../demo/agent-process.js';
import { Household, packFaceModel } from '../../demo/household.js';
import { loadScenes, type Scene } from '../../demo/scenes.js';
import { resizePicture } from '../../clients/picture/index.js';
import type { PackOptions, SealedModel, SignedPackage } from '../../clients/publisher/index.js';
import type { LabelEvent, RulesClient, RulesOptions } from '../../clients/rules/index.js';
import type { SensorClient, SensorOptions } from '../../clients/sensor/index.js';
import { toHex } from '../../protocol/bytes.js';
import { Topics } from '../../protocol/topics.js';
import { startTestBroker, type BrokerKind, type TestBroker } from './brokers.js';
import { Recorder } from './recorder.js';

export const PREFIX = 'smartzone/e2e';

export interface WorldOptions {
  readonly broker?: BrokerKind;
  /** Default: the one that finds faces. */
  readonly model?: SealedModel;
  /** How the default model is packed. */
  readonly pack?: Partial<PackOptions>;
  readonly sensor?: Partial<SensorOptions>;
  readonly rules?: Partial<RulesOptions>;
  /** Where the agent finds the broker, if there is something between. */
  readonly between?: (brokerUrl: string) => Promise<string>;
  /** The agent's configuration, by dotted key. */
  readonly agent?: Readonly<Record<string, string | number | boolean>>;
  /** Bytes of a file system of its own for the model directory. */
  readonly modelDisk?: number;
  /** A folder with another supervisor and TA than those in build/. */
  readonly tee?: string;
}

/** Everything of one home, really running: broker, agent, software TEE, owner, camera, home server, and a listener to it all. */
export class World {
  readonly topics = new Topics(PREFIX);
  /** Every label that the rules host acted on, in order. */
  readonly labels: LabelEvent[] = [];
  /** What went wrong at the clients: refused messages, dropped frames. */
  readonly trouble: string[] = [];

  private constructor(
    readonly folder: string,
    readonly broker: TestBroker,
    readonly recorder: Recorder,
    readonly agent: AgentProcess,
    readonly home: Household,
    readonly model: SealedModel,
    readonly signed: SignedPackage,
    readonly sensor: SensorClient,
    readonly rules: RulesClient,
  ) {}

  /** Starts everything, claims the device, enrols everybody, installs the model; resolves when frames can be sent. */
  static async create(options: WorldOptions = {}): Promise<World> {
    const folder = mkdtempSync(join(tmpdir(), 'sz-e2e-'));
    const close: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
    try {
      const broker = await startTestBroker(options.broker ?? 'aedes', join(folder, 'broker'));
      close.push(() => broker.stop());
      const recorder = await Recorder.start(broker.url, broker.protocol);
      close.push(() => recorder.close());
      const agent = AgentProcess.start({
        folder: join(folder, 'agent'),
        brokerUrl: (await options.between?.(broker.url)) ?? broker.url,
        prefix: PREFIX,
        ...(options.modelDisk !== undefined && { modelDisk: options.modelDisk }),
        ...(options.tee !== undefined && { env: teeFrom(options.tee, join(folder, 'agent', 'tee')) }),
        set: {
          ...(options.tee !== undefined && { 'tee.library': resolve('build/libteec-soft.so') }),
          'receipts.frames': 4,
          'receipts.intervalMs': 100,
          'telemetry.intervalMs': 0,
          ...options.agent,
        },
      });
      close.push(() => agent.stop());
      const home = Household.create({
        folder: join(folder, 'keys'),
        prefix: PREFIX,
        brokerUrl: broker.url,
        protocol: broker.protocol,
      });
      close.push(() => home.close());
      const model = options.model ?? (await packFaceModel(options.pack));
      await agent.logged('ready');
      await home.claimAndEnrol(await home.link('owner'));
      const rules = await home.rules({ seenPath: join(folder, 'keys', 'rules.seen.json'), ...options.rules });
      close.push(() => rules.close());
      const sensor = await home.sensor({
        seenPath: join(folder, 'keys', 'sensor.seen.json'),
        ...options.sensor,
      });
      close.push(() => sensor.close());
      const signed = await home.install(model, 1, agent.modelFolder);
      const world = new World(folder, broker, recorder, agent, home, model, signed, sensor, rules);
      world.#closers.push(...close);
      world.#listen();
      await Promise.all([sensor.ready(), rules.ready()]);
      return world;
    } catch (error) {
      for (const last of close.reverse()) await last();
      throw error;
    }
  }

  readonly #closers: (() => unknown)[] = [];

  #listen(): void {
    this.rules.on('label', (label) => this.labels.push(label));
    this.rules.on('refused', ({ what, error }) => this.trouble.push(`rules: ${what} ${error.code}`));
    this.sensor.on('refused', ({ what, error }) => this.trouble.push(`sensor: ${what} ${error.code}`));
    this.sensor.on('dropped', ({ reason }) => this.trouble.push(`sensor: dropped ${reason}`));
  }

  /** A scene as the camera sends it. */
  frameOf(scene: Scene): Uint8Array {
    const [height = 0, width = 0] = this.model.header.input.dims;
    return resizePicture(scene.picture, { width, height, channels: 3 }, 'crop').data;
  }

  /** The label of a frame. @throws after `timeout` milliseconds */
  async labelOf(frameId: Uint8Array, timeout = 10_000): Promise<LabelEvent> {
    const id = toHex(frameId);
    let found: LabelEvent | undefined;
    await until(
      () => (found = this.labels.find((label) => toHex(label.frameId) === id)) !== undefined,
      () => `no label for ${id}; ${this.report()}`,
      timeout,
    );
    return found as LabelEvent;
  }

  /** Waits until the rules host has acted on so many labels in all. */
  async labelled(count: number, timeout = 20_000): Promise<void> {
    await until(
      () => this.labels.length >= count,
      () => `${this.labels.length} of ${count} labels; ${this.report()}`,
      timeout,
    );
  }

  /** How things stand, for messages of failed tests. */
  report(): string {
    const log = this.agent.log.slice(-12).map((line) => JSON.stringify(line));
    return [
      `sensor ${JSON.stringify(this.sensor.stats)}`,
      `rules ${JSON.stringify(this.rules.stats)}`,
      `trouble ${JSON.stringify(this.trouble.slice(-8))}`,
      ...log,
    ].join('\n');
  }

  async close(): Promise<void> {
    for (const last of this.#closers.splice(0).reverse()) await last();
  }
}

/** What the software TEE's client library takes from its environment. */
const teeFrom = (programs: string, storage: string): Record<string, string> => {
  mkdirSync(storage, { recursive: true, mode: 0o700 });
  return { SMART_ZONE_TEE_DIR: storage, SMART_ZONE_TEE_SPAWN: resolve(programs, 'smart-zone-tee') };
};

/** Polls until the condition holds. */
export const until = async (
  condition: () => boolean,
  what: () => string,
  timeout = 10_000,
): Promise<void> => {
  const end = Date.now() + timeout;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`not within ${timeout} ms: ${what()}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
};

let scenes: Promise<Scene[]> | undefined;
export const theScenes = (): Promise<Scene[]> => (scenes ??= loadScenes());
