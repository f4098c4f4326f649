import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { startBroker } from '../broker-dev/broker.js';
import type { SealedModel } from '../clients/publisher/index.js';
import type { RulesClient, TelemetryEvent } from '../clients/rules/index.js';
import type { SensorClient } from '../clients/sensor/index.js';
import { AgentProcess } from '../demo/agent-process.js';
import { Household } from '../demo/household.js';
import { inputBytes, toHex } from '../protocol/index.js';

export interface EndToEnd {
  readonly frames: number;
  /** Frame handed to the sensor's library → label opened and verified at the rules host, one at a time; milliseconds. */
  readonly latencyMs: { readonly median: number; readonly min: number; readonly p99: number };
  /** With eight frames under way. */
  readonly labelsPerSecond: number;
  /** Mean milliseconds of each frame's stages, over both runs. */
  readonly stagesMs: Readonly<Record<Stage, number>>;
  /** Share of the median latency that is not the network's own run, 0..1. */
  readonly notInference: number;
  /** Bytes of secure memory, as the TA reports them. */
  readonly memory: ReadonlyMap<string, number>;
}

/** `ta …`: inside the TA; `agent …`: waiting for the TEE, the call to it around the TA's work, publishing until the broker has it. */
type Stage = 'agent queue' | 'ta open' | 'ta infer' | 'ta seal' | 'agent call' | 'agent publish';

const PREFIX = 'smartzone/bench';
const WINDOW = 8;

/** The whole path on this machine: broker-dev, agent and software TEE in processes of their own, as the demo has them. */
export const measureEndToEnd = async (model: SealedModel, frames: number): Promise<EndToEnd> => {
  const folder = mkdtempSync(join(tmpdir(), 'sz-bench-'));
  const close: (() => unknown)[] = [() => rmSync(folder, { recursive: true, force: true })];
  try {
    const broker = await startBroker({ port: 0 });
    close.push(() => broker.stop());
    const set = { 'telemetry.intervalMs': 200, 'log.level': 'info' };
    const agent = AgentProcess.start({ folder, brokerUrl: broker.url, prefix: PREFIX, set });
    close.push(() => agent.stop());
    const home = Household.create({
      folder: join(folder, 'keys'),
      prefix: PREFIX,
      brokerUrl: broker.url,
      protocol: 4,
    });
    close.push(() => home.close());
    await agent.logged('ready');
    await home.claimAndEnrol(await home.link('owner'));
    const rules = await home.rules();
    close.push(() => rules.close());
    const sensor = await home.sensor();
    close.push(() => sensor.close());
    await home.install(model, 1, agent.modelFolder);
    await Promise.all([sensor.ready(), rules.ready()]);
    return await run(sensor, rules, inputBytes(model.header.input), frames);
  } finally {
    for (const step of close.reverse()) await step();
  }
};

const run = async (
  sensor: SensorClient,
  rules: RulesClient,
  bytes: number,
  frames: number,
): Promise<EndToEnd> => {
  const labels = new Labels(rules);
  const picture = (): Uint8Array => new Uint8Array(randomBytes(bytes));
  for (let i = 0; i < 5; i += 1) await labels.after(sensor.sendFrame(picture())); // warm-up

  const latencies: number[] = [];
  for (let i = 0; i < frames; i += 1) {
    const frame = picture();
    const began = performance.now();
    await labels.after(sensor.sendFrame(frame));
    latencies.push(performance.now() - began);
  }
  const began = performance.now();
  const underWay = new Set<Promise<void>>();
  for (let i = 0; i < frames; i += 1) {
    const done: Promise<void> = labels
      .after(sensor.sendFrame(picture()))
      .finally(() => underWay.delete(done));
    underWay.add(done);
    if (underWay.size >= WINDOW) await Promise.race(underWay);
  }
  await Promise.all(underWay);
  const labelsPerSecond = (1000 * frames) / (performance.now() - began);

  const telemetry = await nextTelemetry(rules, 2 * frames);
  const stagesMs = stagesOf(telemetry);
  latencies.sort((a, b) => a - b);
  const at = (share: number): number =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  const median = at(0.5);
  return {
    frames,
    latencyMs: { median, min: at(0), p99: at(0.99) },
    labelsPerSecond,
    stagesMs,
    notInference: Math.max(0, 1 - stagesMs['ta infer'] / median),
    memory: telemetry.memory,
  };
};

/** Labels by the frames that they answer. */
class Labels {
  readonly #waiting = new Map<string, () => void>();

  constructor(rules: RulesClient) {
    rules.on('label', ({ frameId }) => {
      const id = toHex(frameId);
      this.#waiting.get(id)?.();
      this.#waiting.delete(id);
    });
  }

  after(frameId: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no label within 60 s')), 60_000);
      this.#waiting.set(toHex(frameId), () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

/** The first telemetry that has counted all frames. */
const nextTelemetry = (rules: RulesClient, frames: number): Promise<TelemetryEvent> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('no telemetry within 30 s')), 30_000);
    rules.on('telemetry', (telemetry) => {
      if ((telemetry.counters.get('labels') ?? 0) < frames) return;
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
