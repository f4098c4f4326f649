import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SealedModel } from '../../clients/publisher/index.js';
import type { RulesClient, TelemetryEvent } from '../../clients/rules/index.js';
import type { SensorClient } from '../../clients/sensor/index.js';
import { AgentProcess } from '../../demo/agent-process.js';
import { Household } from '../../demo/household.js';
import { inputBytes, toHex } from '../../protocol/index.js';
import { startMosquitto, type Mosquitto } from './mosquitto.js';
import { Answers, type System } from './system.js';

const PREFIX = 'smartzone/bench';

/** `ta …`: inside the TA; `agent …`: waiting for the TEE, the call to it around the TA's work, publishing until the broker has it. */
type Stage = 'agent queue' | 'ta open' | 'ta infer' | 'ta seal' | 'agent call' | 'agent publish';

/** Sensor → broker → agent → TA → broker → rules host, with software TEE, agent and broker in processes of their own. */
export class SealedSystem implements System {
  readonly name = 'smart-zone';
  readonly prefix = PREFIX;
  readonly #answers = new Answers();
  #labels = 0;

  private constructor(
    readonly broker: Mosquitto,
    readonly agent: AgentProcess,
    readonly sensor: SensorClient,
    readonly rules: RulesClient,
    readonly frameBytes: number,
    readonly home: Household,
    readonly close: readonly (() => unknown)[],
  ) {
    rules.on('label', ({ frameId }) => this.#answers.arrived(toHex(frameId)));
  }

  static async start(model: SealedModel): Promise<SealedSystem> {
    const folder = mkdtempSync(join(tmpdir(), 'sz-bench-'));
    const close: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
    try {
      const broker = await startMosquitto();
      close.push(() => broker.stop());
      const set = { 'telemetry.intervalMs': 200, 'log.level': 'info' };
      const agent = AgentProcess.start({ folder, brokerUrl: broker.url, prefix: PREFIX, set });
      close.push(() => agent.stop());
      const keys = join(folder, 'keys');
      const home = Household.create({ folder: keys, prefix: PREFIX, brokerUrl: broker.url, protocol: 4 });
      close.push(() => home.close());
      await agent.logged('ready');
      await home.claimAndEnrol(await home.link('owner'));
      const rules = await home.rules();
      close.push(() => rules.close());
      const sensor = await home.sensor();
      close.push(() => sensor.close());
      await home.install(model, 1, agent.modelFolder);
      await Promise.all([sensor.ready(), rules.ready()]);
      return new SealedSystem(broker, agent, sensor, rules, inputBytes(model.header.input), home, close);
    } catch (error) {
      for (const step of close.reverse()) await step();
      throw error;
    }
  }

  processes(): ReadonlyMap<string, number> {
    const { pid, teePids } = this.agent;
    return new Map([
      ['broker', this.broker.pid],
      ['agent', pid],
      ...(teePids.client === undefined ? [] : [['TEE client', teePids.client] as const]),
      ...(teePids.ta === undefined ? [] : [['TA', teePids.ta] as const]),
    ]);
  }

  async label(): Promise<void> {
    await this.#answers.after(toHex(this.sensor.sendFrame(new Uint8Array(randomBytes(this.frameBytes)))));
    this.#labels += 1;
  }

  /** Mean milliseconds of each frame's stages so far. */
  async stages(): Promise<Record<Stage, number>> {
    return stagesOf(await nextTelemetry(this.rules, this.#labels));
  }

  async stop(): Promise<void> {
    for (const step of [...this.close].reverse()) await step();
  }
}

/** The first telemetry that has counted these labels. */
const nextTelemetry = (rules: RulesClient, labels: number): Promise<TelemetryEvent> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no telemetry within 30 s')), 30_000);
    rules.on('telemetry', (telemetry) => {
      if ((telemetry.counters.get('labels') ?? 0) < labels) return;
      clearTimeout(timer);
      resolve(telemetry);
    });
  });

const stagesOf = ({ stages, agent }: TelemetryEvent): Record<Stage, number> => {
  const ta = (name: string): number => {
    const stage = stages.get(name);
    return stage && stage.count > 0 ? stage.totalMillis / stage.count : 0;
  };
  const mean = (name: string): number =>
    (agent.get(`${name}_us_total`) ?? 0) / 1000 / Math.max(1, agent.get(`${name}_count`) ?? 0);
  const [open, infer, seal] = [ta('open'), ta('infer'), ta('seal')];
  return {
    'agent queue': mean('queue'),
    'ta open': open,
    'ta infer': infer,
    'ta seal': seal,
    'agent call': Math.max(0, mean('tee') - open - infer - seal),
    'agent publish': mean('publish'),
  };
};
