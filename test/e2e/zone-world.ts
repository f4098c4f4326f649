import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AgentProcess } from '../../demo/agent-process.js';
import { Household, packFaceModel } from '../../demo/household.js';
import { publicOf } from '../../clients/keys/index.js';
import type { BookDevice } from '../../clients/owner/index.js';
import type { SealedModel } from '../../clients/publisher/index.js';
import { connectRules, type LabelEvent, type Rules } from '../../clients/rules/index.js';
import { SensorClient, type SensorOptions } from '../../clients/sensor/index.js';
import { toHex } from '../../protocol/bytes.js';
import { startTestBroker, type BrokerKind, type TestBroker } from './brokers.js';

export const ZONE = 'front';

/** One device of the zone: an agent process with its software TEE. */
interface ZoneMember {
  readonly name: string;
  readonly agent: AgentProcess;
  readonly device: BookDevice;
}

/** A zone, really running: broker, several agents with a software TEE each, one camera, one rules host. */
export class ZoneWorld {
  readonly members: ZoneMember[] = [];
  readonly labels: LabelEvent[] = [];
  readonly gaps: number[] = [];
  readonly dropped: string[] = [];
  readonly #closers: (() => unknown)[] = [];
  #sensor: SensorClient | undefined;
  #rules: Rules | undefined;

  private constructor(
    readonly folder: string,
    readonly broker: TestBroker,
    readonly home: Household,
    readonly model: SealedModel,
  ) {}

  static async create(kind: BrokerKind = 'mosquitto'): Promise<ZoneWorld> {
    const folder = mkdtempSync(join(tmpdir(), 'sz-zone-'));
    const broker = await startTestBroker(kind, join(folder, 'broker'));
    const home = Household.create({
      folder: join(folder, 'keys'),
      prefix: 'smartzone/unused',
      brokerUrl: broker.url,
      protocol: broker.protocol,
    });
    const world = new ZoneWorld(folder, broker, home, await packFaceModel());
    world.#closers.push(
      () => rmSync(folder, { recursive: true, force: true }),
      () => broker.stop(),
      () => home.close(),
    );
    const link = await home.link('owner');
    world.owner = { link };
    return world;
  }

  owner!: { link: Awaited<ReturnType<Household['link']>> };

  get sensor(): SensorClient {
    if (this.#sensor === undefined) throw new Error('no sensor yet');
    return this.#sensor;
  }

  get rules(): Rules {
    if (this.#rules === undefined) throw new Error('no rules host yet');
    return this.#rules;
  }

  /** Starts an agent, claims its device and installs the model; it is in no zone yet. */
  async addDevice(name: string, set: Readonly<Record<string, string | number>> = {}): Promise<ZoneMember> {
    const { folder, broker, home } = this;
    const prefix = `smartzone/${name}`;
    const agent = AgentProcess.start({
      folder: join(folder, name),
      brokerUrl: broker.url,
      prefix,
      set: {
        'device.name': name,
        'receipts.frames': 4,
        'receipts.intervalMs': 100,
        'telemetry.intervalMs': 0,
        ...set,
      },
    });
    this.#closers.push(() => agent.stop());
    await agent.logged('ready', { timeout: 60_000 });
    const { link } = this.owner;
    const device = await home.owner.claim({ link, prefix, name, accept: 0, timeout: 30_000 });
    if (this.members.length === 0)
      for (const keys of [home.sensorKeys, home.rulesKeys, home.publisherKeys])
        await home.owner.enrol(link, publicOf(keys));
    await home.installOn(device, this.model, 1, agent.modelFolder);
    const member = { name, agent, device };
    this.members.push(member);
    return member;
  }

  async startRules(): Promise<void> {
    const { home } = this;
    const rules = await connectRules({
      broker: await home.link('home-server'),
      zones: [ZONE],
      key: home.rulesKeys,
      owner: publicOf(home.ownerKeys),
    });
    this.#closers.push(() => rules.close());
    rules.on('label', ({ label }) => void this.labels.push(label));
    rules.on('gap', ({ missed }) => void this.gaps.push(missed));
    this.#rules = rules;
  }

  async startSensor(options: Partial<SensorOptions> = {}): Promise<void> {
    const { home } = this;
    const sensor = await SensorClient.open({
      link: await home.link('porch-camera'),
      keys: home.sensorKeys,
      owner: publicOf(home.ownerKeys),
      zone: ZONE,
      queueCapacity: 512,
      ...options,
    });
    this.#closers.push(() => sensor.close());
    sensor.on('dropped', ({ reason }) => void this.dropped.push(reason));
    this.#sensor = sensor;
  }

  /** How many labels each device's name stands under. */
  labelsBy(): Record<string, number> {
    const counts: Record<string, number> = {};
    for (const { device } of this.labels) counts[device.name] = (counts[device.name] ?? 0) + 1;
    return counts;
  }

  /** How often each of these frames was acted on. */
  actedOn(frames: readonly Uint8Array[]): number[] {
    const counts = new Map<string, number>();
    for (const { frameId } of this.labels) counts.set(toHex(frameId), (counts.get(toHex(frameId)) ?? 0) + 1);
    return frames.map((id) => counts.get(toHex(id)) ?? 0);
  }

  report(): string {
    const lines = this.members.flatMap(({ name, agent }) =>
      agent.log.slice(-6).map((line) => `${name} ${JSON.stringify(line)}`),
    );
    return [
      `sensor ${JSON.stringify(this.#sensor?.stats)} dropped ${this.dropped.join(' ')}`,
      `labels ${JSON.stringify(this.labelsBy())}`,
      ...lines,
    ].join('\n');
  }

  async close(): Promise<void> {
    for (const last of this.#closers.splice(0).reverse()) await last();
  }
}
