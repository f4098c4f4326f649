import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeys, publicOf } from '../../clients/keys/index.js';
import type { BrokerLink } from '../../clients/link/index.js';
import type { SealedModel } from '../../clients/publisher/index.js';
import { connectRules, type Rules } from '../../clients/rules/index.js';
import { SensorClient } from '../../clients/sensor/index.js';
import { AgentProcess } from '../../demo/agent-process.js';
import { Household } from '../../demo/household.js';
import { inputBytes, toHex } from '../../protocol/index.js';
import { startMosquitto, type Mosquitto } from './mosquitto.js';
import { processorSeconds } from './system.js';

const ZONE = 'bench';
export const DEVICES = ['first', 'second'] as const;
export type DeviceName = (typeof DEVICES)[number];
/** Frames that each sensor has under way. */
const UNDER_WAY = 4;

export interface ZoneRound {
  readonly labelsPerSecond: number;
  /** Labels by the device that made them. */
  readonly shares: ReadonlyMap<string, number>;
  /** Processors that were busy in the mean, by process. */
  readonly processors: ReadonlyMap<string, number>;
}

/** Sensors → zone → one or two agents → rules host. The sensors stay the same while the second device joins and leaves. */
export class ZoneSystem {
  readonly #waiting = new Map<string, (device: string) => void>();
  #present: readonly DeviceName[] = [];

  private constructor(
    private readonly broker: Mosquitto,
    private readonly agents: ReadonlyMap<DeviceName, AgentProcess>,
    private readonly home: Household,
    private readonly link: BrokerLink,
    private readonly sensors: readonly SensorClient[],
    private readonly frameBytes: number,
    rules: Rules,
    private readonly close: (() => unknown)[],
  ) {
    rules.on('label', ({ label }) => {
      const id = toHex(label.frameId);
      this.#waiting.get(id)?.(label.device.name);
      this.#waiting.delete(id);
    });
    this.#present = [DEVICES[0]];
  }

  static async start(model: SealedModel, sensorCount: number): Promise<ZoneSystem> {
    const folder = mkdtempSync(join(tmpdir(), 'sz-zone-bench-'));
    const close: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
    try {
      const broker = await startMosquitto();
      close.push(() => broker.stop());
      const keys = join(folder, 'keys');
      const home = Household.create({ folder: keys, prefix: 'smartzone/unused', brokerUrl: broker.url });
      close.push(() => home.close());
      const link = await home.link('owner');
      const agents = new Map<DeviceName, AgentProcess>();
      for (const name of DEVICES) {
        const prefix = `smartzone/${name}`;
        const set = { 'device.name': name, 'telemetry.intervalMs': 0, 'log.level': 'info' };
        const agent = AgentProcess.start({ folder: join(folder, name), brokerUrl: broker.url, prefix, set });
        agents.set(name, agent);
        close.push(() => agent.stop());
        await agent.logged('ready', { timeout: 60_000 });
        const device = await home.owner.claim({ link, prefix, name, accept: 0 });
        if (name === DEVICES[0])
          for (const party of [home.rulesKeys, home.publisherKeys])
            await home.owner.enrol(undefined, publicOf(party));
        await home.owner.publishRoster(link);
        await home.installOn(device, model, 1, agent.modelFolder);
      }
      const parties = Array.from({ length: sensorCount }, (_, i) => generateKeys('sensor', `sensor ${i}`));
      for (const party of parties) await home.owner.enrol(undefined, publicOf(party));
      await home.owner.addToZone(link, ZONE, [DEVICES[0]]);
      const owner = publicOf(home.ownerKeys);
      const rules = await connectRules({
        broker: await home.link('home-server'),
        zones: [ZONE],
        key: home.rulesKeys,
        owner,
      });
      close.push(() => rules.close());
      const sensors: SensorClient[] = [];
      for (const party of parties) {
        const own = await home.link(party.name);
        const sensor = await SensorClient.open({ link: own, keys: party, owner, zone: ZONE });
        close.push(() => sensor.close());
        sensors.push(sensor);
      }
      await Promise.all([...sensors.map((sensor) => sensor.ready(60_000)), rules.ready(60_000)]);
      const bytes = inputBytes(model.header.input);
      return new ZoneSystem(broker, agents, home, link, sensors, bytes, rules, close);
    } catch (error) {
      for (const step of close.reverse()) await step();
      throw error;
    }
  }

  /** These devices are the zone from now on; returns when each of them has labelled a frame. */
  async devices(names: readonly DeviceName[]): Promise<void> {
    const { owner } = this.home;
    const joining = names.filter((name) => !this.#present.includes(name));
    const leaving = this.#present.filter((name) => !names.includes(name));
    if (joining.length > 0) await owner.addToZone(this.link, ZONE, joining);
    if (leaving.length > 0) await owner.removeFromZone(this.link, ZONE, leaving);
    this.#present = names;
    const end = Date.now() + 60_000;
    for (let seen = new Set<string>(); ;) {
      const { shares } = await this.#run(this.sensors.length * UNDER_WAY);
      seen = new Set(shares.keys());
      if (names.every((name) => seen.has(name)) && [...seen].every((name) => names.some((n) => n === name)))
        return;
      if (Date.now() > end)
        throw new Error(`the zone is not ${names.join(' and ')}: ${[...seen].join(' and ')}`);
    }
  }

  /** So many frames, as fast as they are answered. */
  async round(frames: number): Promise<ZoneRound> {
    const pids = this.#processes();
    const before = new Map([...pids].map(([name, pid]) => [name, processorSeconds(pid)]));
    const { shares, seconds } = await this.#run(frames);
    const busy = [...pids].map(
      ([name, pid]) => [name, (processorSeconds(pid) - (before.get(name) ?? 0)) / seconds] as const,
    );
    return { labelsPerSecond: frames / seconds, shares, processors: new Map(busy) };
  }

  async stop(): Promise<void> {
    for (const step of [...this.close].reverse()) await step();
  }

  async #run(frames: number): Promise<{ shares: Map<string, number>; seconds: number }> {
    const shares = new Map<string, number>();
    let left = frames;
    const began = performance.now();
    const lane = async (sensor: SensorClient): Promise<void> => {
      while (left > 0) {
        left -= 1;
        const device = await this.#label(sensor);
        shares.set(device, (shares.get(device) ?? 0) + 1);
      }
    };
    const lanes = this.sensors.flatMap((sensor) => Array.from({ length: UNDER_WAY }, () => lane(sensor)));
    await Promise.all(lanes);
    return { shares, seconds: (performance.now() - began) / 1000 };
  }

  #label(sensor: SensorClient): Promise<string> {
    const id = toHex(sensor.sendFrame(new Uint8Array(randomBytes(this.frameBytes))));
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no label within 60 s')), 60_000);
      this.#waiting.set(id, (device) => {
        clearTimeout(timer);
        resolve(device);
      });
    });
  }

  #processes(): Map<string, number> {
    const pids = new Map([
      ['broker', this.broker.pid],
      ['sensors and rules host', process.pid],
    ]);
    for (const [name, agent] of this.agents) {
      pids.set(`${name}: agent`, agent.pid);
      const { client, ta } = agent.teePids;
      if (client !== undefined) pids.set(`${name}: TEE client`, client);
      if (ta !== undefined) pids.set(`${name}: TA`, ta);
    }
    return pids;
  }
}
