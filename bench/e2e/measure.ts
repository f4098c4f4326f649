import { roundOrder } from '../statistics.js';
import { processorSeconds, residentBytes, type System } from './system.js';

export interface Measured {
  /** Frame handed to the sensor's library → label in the consumer's hands, one at a time; milliseconds, by round. */
  readonly latencies: number[][];
  /** Of each round with several frames under way. */
  readonly labelsPerSecond: number[];
  /** Seconds of all processes, the sensor's and the consumer's included, for each label; by process. */
  readonly processorSeconds: ReadonlyMap<string, number>;
  /** Bytes, by process. */
  readonly resident: ReadonlyMap<string, number>;
}

export interface EndToEndPlan {
  readonly rounds: number;
  readonly oneByOne: number;
  readonly together: number;
  /** Least milliseconds from one frame to the next in the latency run. */
  readonly pacingMs: number;
}

const UNDER_WAY = 8;
/** Until the just-in-time compiler knows what runs often. */
const WARM_UP = 200;
/** The sensor and the consumer are in this process. */
const HERE = 'sensor and consumer';

/** Both systems in turn; the one whose turn it is not has nothing to do. */
export const measureSystems = async (
  systems: readonly System[],
  plan: EndToEndPlan,
): Promise<Map<System, Measured>> => {
  const collected = new Map(
    systems.map((system) => [
      system,
      { latencies: [] as number[][], rates: [] as number[], seconds: new Map<string, number>(), labels: 0 },
    ]),
  );
  for (const system of systems) for (let i = 0; i < WARM_UP; i += 1) await system.label();
  for (let round = 0; round < plan.rounds; round += 1)
    for (const system of roundOrder(systems, round)) {
      const into = collected.get(system);
      if (into === undefined) continue;
      const before = secondsNow(system);
      into.latencies.push(await oneByOne(system, plan));
      if (plan.together > 0) into.rates.push(await together(system, plan.together));
      into.labels += plan.oneByOne + plan.together;
      for (const [name, seconds] of secondsNow(system))
        into.seconds.set(name, (into.seconds.get(name) ?? 0) + seconds - (before.get(name) ?? 0));
    }
  return new Map(
    [...collected].map(([system, { latencies, rates, seconds, labels }]) => [
      system,
      {
        latencies,
        labelsPerSecond: rates,
        processorSeconds: new Map([...seconds].map(([name, sum]) => [name, sum / labels])),
        resident: new Map([...system.processes()].map(([name, pid]) => [name, residentBytes(pid)])),
      },
    ]),
  );
};

const secondsNow = (system: System): Map<string, number> => {
  const { user, system: kernel } = process.cpuUsage();
  return new Map([
    [HERE, (user + kernel) / 1e6],
    ...[...system.processes()].map(([name, pid]) => [name, processorSeconds(pid)] as const),
  ]);
};

const oneByOne = async (system: System, { oneByOne: count, pacingMs }: EndToEndPlan): Promise<number[]> => {
  const latencies: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const began = performance.now();
    await system.label();
    const took = performance.now() - began;
    latencies.push(took);
    if (took < pacingMs) await new Promise((resolve) => setTimeout(resolve, pacingMs - took));
  }
  return latencies;
};

/** @returns labels per second */
const together = async (system: System, count: number): Promise<number> => {
  const began = performance.now();
  const underWay = new Set<Promise<void>>();
  for (let i = 0; i < count; i += 1) {
    const done: Promise<void> = system.label().finally(() => underWay.delete(done));
    underWay.add(done);
    if (underWay.size >= UNDER_WAY) await Promise.race(underWay);
  }
  await Promise.all(underWay);
  return (1000 * count) / (performance.now() - began);
};
