import { readFileSync } from 'node:fs';
import { tensorBytes, type Network, type Operation, type Tensor } from './network.js';
import { planNetwork, type MemoryPlan } from './plan.js';
import { simplify } from './simplify.js';
import { importTflite } from './tflite/import.js';
import type { OpCode } from './szg1.js';

const tensor = (name: string, dims: readonly number[]): Tensor => ({ name, dtype: 'f32', dims });
const operation = (code: OpCode, inputs: Tensor[], output: Tensor, ints: number[] = []): Operation => ({
  code,
  activation: code === 'RELU' ? 'RELU' : 'NONE',
  inputs,
  output,
  ints,
  floats: [],
  origin: code,
});
const network = (input: Tensor, operations: Operation[], outputs: Tensor[]): Network => ({
  input,
  outputs,
  operations,
  boundary: { input: { type: 'f32' }, outputs: outputs.map(() => ({ type: 'f32' })) },
});

/**
 * Runs the plan on labels instead of numbers: every byte of the arena remembers which tensor wrote it. An operation must find
 * its inputs whole, and the caller the outputs.
 */
const simulate = ({ input, outputs, operations }: Network, plan: MemoryPlan, keepInput = false): void => {
  const owner: (Tensor | undefined)[] = new Array<Tensor | undefined>(plan.arena).fill(undefined);
  const span = (t: Tensor): [number, number] => {
    const at = plan.offsets.get(t);
    if (at === undefined) throw new Error(`${t.name} has no place`);
    return [at, at + tensorBytes(t)];
  };
  /** A reshape in place and a joined concatenation keep bytes that belong to an earlier name. */
  const sameBytes = new Map<Tensor, Set<Tensor>>();
  const expectWhole = (t: Tensor): void => {
    const [start, end] = span(t);
    const allowed = sameBytes.get(t) ?? new Set();
    for (let i = start; i < end; i++) {
      const found = owner[i];
      if (found !== t && (found === undefined || !allowed.has(found)))
        throw new Error(`${t.name}: byte ${i} belongs to ${found?.name ?? 'nobody'}`);
    }
  };
  const write = (t: Tensor): void => {
    owner.fill(t, ...span(t));
  };
  write(input);
  for (const { code, inputs, output } of operations) {
    const read = inputs.filter((t): t is Tensor => t !== null && t.data === undefined);
    read.forEach(expectWhole);
    if (code === 'RESHAPE' || code === 'CONCAT')
      for (const x of read) sameBytes.set(x, new Set([output, ...(sameBytes.get(x) ?? [])]));
    write(output);
  }
  outputs.forEach(expectWhole);
  if (keepInput) expectWhole(input);
};

const bytes = (plan: MemoryPlan): [number, number] => [plan.arena, plan.lowerBound];

describe('in place', () => {
  const [x, y, z] = [tensor('x', [1, 64]), tensor('y', [1, 64]), tensor('z', [1, 64])];

  test('element by element operators take the place of their input', () => {
    const chain = network(x, [operation('RELU', [x], y), operation('LOGISTIC', [y], z)], [z]);
    const plan = planNetwork(chain);
    expect(bytes(plan)).toEqual([256, 256]);
    simulate(chain, plan);
  });

  test('but not while the input is needed again', () => {
    const again = network(x, [operation('RELU', [x], y), operation('ADD', [y, x], z)], [z]);
    const plan = planNetwork(again);
    expect(plan.arena).toBe(512);
    simulate(again, plan);
  });

  test('nor where the caller reads the input afterwards', () => {
    const kept = network(x, [operation('RELU', [x], y)], [y]);
    expect(planNetwork(kept).arena).toBe(256);
    const plan = planNetwork(kept, true);
    expect(plan.arena).toBe(512);
    simulate(kept, plan, true);
  });

  test('an addition may take the place of its second operand', () => {
    const skip = network(
      x,
      [
        operation('MAX_POOL_2D', [x], y),
        operation('ADD', [x, y], z),
        operation('MUL', [z, x], tensor('m', [1, 64])),
      ],
      [],
    );
    skip.outputs.push(skip.operations[2]?.output ?? x);
    const plan = planNetwork(skip);
    expect(plan.offsets.get(z)).toBe(plan.offsets.get(y));
    simulate(skip, plan);
  });
});

describe('concatenation', () => {
  const x = tensor('x', [1, 64]);
  const parts = [tensor('a', [1, 16, 4]), tensor('b', [1, 32, 4])] as const;
  const joined = tensor('joined', [1, 48, 4]);
  const make = (axis: number): Network =>
    network(
      x,
      [
        operation('MAX_POOL_2D', [x], parts[0]),
        operation('MAX_POOL_2D', [x], parts[1]),
        operation('CONCAT', [...parts], joined, [axis]),
      ],
      [joined],
    );

  test('along the outermost dimension its inputs are computed where it wants them', () => {
    const plan = planNetwork(make(1));
    const at = plan.offsets.get(joined) ?? NaN;
    expect(parts.map((part) => (plan.offsets.get(part) ?? NaN) - at)).toEqual([0, 256]);
    simulate(make(1), plan);
  });

  test('a tensor that is concatenated twice lies in one place only', () => {
    const twice = network(
      x,
      [
        operation('MAX_POOL_2D', [x], parts[0]),
        operation('CONCAT', [parts[0], parts[0]], tensor('t', [1, 32, 4]), [1]),
      ],
      [],
    );
    twice.outputs.push(twice.operations[1]?.output ?? x);
    simulate(twice, planNetwork(twice));
    expect(planNetwork(twice).arena).toBe(256 + 512);
  });
});

test('the plan of a real network is sound and meets its lower bound', () => {
  const file = 'node_modules/@mediapipe/face_detection/face_detection_short_range.tflite';
  const real = simplify(importTflite(new Uint8Array(readFileSync(file)), 'face'));
  const plan = planNetwork(real);
  simulate(real, plan);
  expect(plan.arena).toBe(plan.lowerBound);
  expect(plan.arena).toBeLessThan(plan.unplanned / 5);
});

/** Small deterministic random numbers (mulberry32). */
const random = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
};

/** Branches that meet again, operators in place, reshapes, concatenations along the outermost dimension and others. */
const randomNetwork = (seed: number): Network => {
  const next = random(seed);
  const pick = <T>(values: readonly T[]): T => {
    const value = values[Math.floor(next() * values.length)];
    if (value === undefined) throw new Error('nothing to pick from');
    return value;
  };
  const input = tensor('x', [1, 4, 4, 8]);
  const made = [input];
  const operations: Operation[] = [];
  const add = (code: OpCode, inputs: Tensor[], dims: readonly number[], ints: number[] = []): void => {
    const output = tensor(`${code} ${operations.length}`, dims);
    operations.push(operation(code, inputs, output, ints));
    made.push(output);
  };
  for (let i = 0; i < 12; i++) {
    const x = pick(made.slice(-4));
    const [n = 1, h = 1, w = 1, c = 1] = x.dims;
    const fitting = made.filter(({ dims }) => dims.join() === x.dims.join());
    switch (pick(['RELU', 'ADD', 'RESHAPE', 'CONCAT', 'CONCAT', 'MAX_POOL_2D'] as const)) {
      case 'RELU':
        add('RELU', [x], x.dims);
        break;
      case 'ADD':
        add('ADD', [x, pick(fitting)], x.dims);
        break;
      case 'RESHAPE':
        add('RESHAPE', [x], [n, w, h, c]);
        break;
      case 'CONCAT': {
        const axis = pick([1, 3]);
        const dims = x.dims.map((dim, k) => (k === axis ? 2 * dim : dim));
        add('CONCAT', [x, pick(fitting)], dims, [axis]);
        break;
      }
      case 'MAX_POOL_2D':
        add('MAX_POOL_2D', [x], [n, h, w, c]);
    }
  }
  return network(input, operations, [...new Set([made.at(-1) ?? input, pick(made)])]);
};

test('plans of random networks are sound, and never below what is alive at once', () => {
  let [exact, shared] = [0, 0];
  for (let seed = 1; seed <= 150; seed++) {
    const net = randomNetwork(seed);
    const keepInput = seed % 3 === 0;
    const plan = planNetwork(net, keepInput);
    simulate(net, plan, keepInput);
    expect(plan.arena).toBeGreaterThanOrEqual(plan.lowerBound);
    exact += plan.arena === plan.lowerBound ? 1 : 0;
    shared += plan.arena < plan.unplanned ? 1 : 0;
  }
  expect(exact).toBeGreaterThan(130);
  expect(shared).toBeGreaterThan(140);
});
