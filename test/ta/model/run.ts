/** Runs sequences of operations, and finds the short one in a long one that fails. */
import type { SealedModel } from '../../../clients/publisher/index.js';
import { Machine } from './machine.js';
import { perform, type Operation } from './operations.js';

export interface Failure {
  /** Operations up to and with the one that showed it. */
  readonly operations: readonly Operation[];
  readonly message: string;
  readonly log: readonly string[];
}

export interface Run {
  readonly failure?: Failure;
  /** "COMMAND code" -> how often. */
  readonly reached: ReadonlyMap<string, number>;
}

export const run = async (
  program: string,
  containers: ReadonlyMap<string, SealedModel>,
  operations: readonly Operation[],
): Promise<Run> => {
  const machine = await Machine.start(program, containers);
  const { reached, log } = machine;
  let at = 0;
  try {
    for (; at < operations.length; at++) {
      const operation = operations[at];
      if (operation === undefined) break;
      log.push(`-- ${at} ${operation.kind}`);
      await perform(machine, operation);
      await machine.observe();
    }
    await machine.stop();
    return { reached };
  } catch (error) {
    await machine.stop().catch(() => undefined);
    const { message } = error as Error;
    return { reached, failure: { operations: operations.slice(0, at + 1), message, log: log.slice(-12) } };
  }
};

/** Delta debugging (Zeller and Hildebrandt 2002): leaves out parts, smaller and smaller ones, as long as it fails. */
const shrink = async (
  failure: Failure,
  again: (operations: readonly Operation[]) => Promise<Failure | undefined>,
  attempts = 100,
): Promise<Failure> => {
  let best = failure;
  let parts = 2;
  while (attempts > 0 && best.operations.length > 1) {
    const size = Math.ceil(best.operations.length / parts);
    let smaller: Failure | undefined;
    for (let at = 0; at < best.operations.length && attempts > 0 && smaller === undefined; at += size) {
      attempts -= 1;
      smaller = await again([...best.operations.slice(0, at), ...best.operations.slice(at + size)]);
    }
    if (smaller) {
      best = smaller;
      parts = Math.max(2, parts - 1);
    } else if (size === 1) break;
    else parts = Math.min(best.operations.length, 2 * parts);
  }
  return best;
};

/** The same failure, or another one, in as few operations as are found in a while. */
export const shrinkFailure = (
  program: string,
  containers: ReadonlyMap<string, SealedModel>,
  failure: Failure,
): Promise<Failure> =>
  shrink(failure, async (operations) => (await run(program, containers, operations)).failure);

/** For people. */
export const describeFailure = (seed: number, { operations, message, log }: Failure): string =>
  [
    `seed ${seed}, ${operations.length} operations: ${message}`,
    ...log,
    `again: ${JSON.stringify(operations)}`,
  ].join('\n');
