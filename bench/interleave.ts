import { roundOrder } from './statistics.js';

/** Whatever infers on command. */
export interface Inferring {
  /** @returns milliseconds of each inference */
  run(count: number): Promise<number[]>;
}

export interface Contender<T extends Inferring = Inferring> {
  readonly engine: string;
  readonly worker: T;
}

export interface Plan {
  readonly rounds: number;
  /** About so many milliseconds of inferences by each engine in a round. */
  readonly sliceMs: number;
}

export const fullPlan = (quick: boolean): Plan =>
  quick ? { rounds: 4, sliceMs: 20 } : { rounds: 20, sliceMs: 60 };

/** Inferences whose time does not count: they bring the engine's weights back into the caches. */
const WARM_UP = 2;

/**
 * Lets engines infer in turn, round by round, so that whatever else happens on the machine happens to all of them.
 * @returns milliseconds of the warm inferences of each engine, by round
 */
export const interleave = async (
  contenders: readonly Contender[],
  plan: Plan,
): Promise<Map<string, number[][]>> => {
  const times = new Map<string, number[][]>(contenders.map(({ engine }) => [engine, []]));
  const counts = new Map<string, number>();
  for (const { engine, worker } of contenders) {
    const warm = Math.min(...(await worker.run(WARM_UP + 1)));
    counts.set(engine, Math.max(1, Math.round(plan.sliceMs / warm)));
  }
  for (let round = 0; round < plan.rounds; round += 1)
    for (const { engine, worker } of roundOrder(contenders, round)) {
      const slice = await worker.run(WARM_UP + (counts.get(engine) ?? 1));
      times.get(engine)?.push(slice.slice(WARM_UP));
    }
  return times;
};
