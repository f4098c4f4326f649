import { joinParts } from './concat.js';
import { countOf, shapeText } from './constant.js';
import { computedFrom, resolveAxis, shapeOf, type Computed, type Conversion } from './conversion.js';
import type { OnnxNode } from './node.js';
import { OperatorProblem } from './problem.js';
import { memoryOrder } from './rearrangement.js';

/** A piece of each dimension: `count` elements from `start` on, `step` apart. */
export interface Piece {
  readonly start: number;
  readonly count: number;
  readonly step: number;
}

export const cut = (
  conversion: Conversion,
  node: OnnxNode,
  x: Computed,
  pieces: readonly Piece[],
): Computed => {
  const dims = shapeOf(x);
  if (pieces.some(({ count }) => count < 1))
    throw new OperatorProblem(`cuts nothing from ${shapeText(dims)}`);
  if (pieces.some(({ step }) => step < 1)) throw new OperatorProblem('goes backwards');
  const order = memoryOrder(x);
  let tensor = conversion.arranged(node, x, order);
  // Up to the last element that is taken.
  const whole = order.map((axis) => {
    const { start, count, step } = pieces[axis] ?? { start: 0, count: 1, step: 1 };
    return { start, size: (count - 1) * step + 1, count, step };
  });
  if (whole.some(({ size }, i) => size !== tensor.dims[i])) {
    const y = conversion.make(
      whole.map(({ size }) => size),
      tensor.quantisation,
    );
    const ints = whole.map(({ start }) => start);
    conversion.emit(node, { code: 'SLICE', inputs: [tensor], output: y, ints });
    tensor = y;
  }
  // Every nth element: the maximum of a window of one element, n apart.
  for (const [i, { count, step }] of whole.entries()) {
    if (step === 1 || count === 1) continue;
    const seen = tensor.dims;
    const rows = conversion.shaped(node, tensor, [
      countOf(seen.slice(0, i)),
      seen[i] ?? 1,
      1,
      countOf(seen.slice(i + 1)),
    ]);
    const [n = 1, , , c = 1] = rows.dims;
    const y = conversion.make([n, count, 1, c], tensor.quantisation);
    conversion.emit(node, {
      code: 'MAX_POOL_2D',
      inputs: [rows],
      output: y,
      ints: [step, 1, 1, 1, 0, 0, 0, 0],
    });
    tensor = conversion.shaped(
      node,
      y,
      seen.map((dim, k) => (k === i ? count : dim)),
    );
  }
  return computedFrom(tensor, order, x.type);
};

const ALL = { start: 0, step: 1 } as const;

/** What `Slice` says about each dimension: negative indices count from the end, and all are limited to what there is. */
export const piecesOf = (conversion: Conversion, node: OnnxNode, dims: readonly number[]): Piece[] => {
  const old = node.opset < 10;
  const list = (name: string, n: number): readonly number[] | undefined =>
    old ? node.ints(name) : conversion.integers(node, n);
  const starts = list('starts', 1) ?? [];
  const ends = list('ends', 2) ?? [];
  const axes = list('axes', 3) ?? starts.map((_, i) => i);
  const steps = (old ? undefined : conversion.integers(node, 4)) ?? starts.map(() => 1);
  if (ends.length !== starts.length || axes.length !== starts.length || steps.length !== starts.length)
    throw new OperatorProblem(`has ${starts.length} starts, ${ends.length} ends, ${axes.length} axes`);
  const pieces: Piece[] = dims.map((count) => ({ ...ALL, count }));
  axes.forEach((given, i) => {
    const axis = resolveAxis(given, dims.length);
    const dim = dims[axis] ?? 1;
    const step = steps[i] ?? 1;
    if (step === 0) throw new OperatorProblem('has a step of 0');
    const place = (index: number, least: number, most: number): number =>
      Math.min(most, Math.max(least, index < 0 ? index + dim : index));
    const forwards = step > 0;
    const start = forwards ? place(starts[i] ?? 0, 0, dim) : place(starts[i] ?? 0, 0, dim - 1);
    const end = forwards ? place(ends[i] ?? 0, 0, dim) : place(ends[i] ?? 0, -1, dim - 1);
    pieces[axis] = { start, step, count: Math.max(0, Math.ceil((end - start) / step)) };
  });
  return pieces;
};

export const convertSlice = (conversion: Conversion, node: OnnxNode): void => {
  const x = conversion.computed(node, 0);
  conversion.setOutput(node, cut(conversion, node, x, piecesOf(conversion, node, shapeOf(x))));
};

/** A slice for each output. */
export const convertSplit = (conversion: Conversion, node: OnnxNode): void => {
  const x = conversion.computed(node, 0);
  const dims = shapeOf(x);
  const axis = resolveAxis(node.int('axis', 0), dims.length);
  const dim = dims[axis] ?? 1;
  const parts = node.outputs.length;
  const equal = Math.ceil(dim / parts);
  const sizes =
    node.ints('split') ??
    conversion.integers(node, 1) ??
    node.outputs.map((_, i) => Math.min(equal, dim - i * equal));
  if (sizes.length !== parts || sizes.reduce((a, b) => a + b, 0) !== dim)
    throw new OperatorProblem(`splits ${dim} into ${shapeText(sizes)}`);
  let start = 0;
  for (const [n, count] of sizes.entries()) {
    const from = start;
    const pieces = dims.map((size, i) =>
      i === axis ? { start: from, count, step: 1 } : { ...ALL, count: size },
    );
    conversion.setOutput(node, cut(conversion, node, x, pieces), n);
    start += count;
  }
};

/** More pieces than that are not what a network is made of. */
const MOST_PIECES = 64;

/** Elements of a dimension: neighbours are cut out together, the pieces are joined. */
export const convertGather = (conversion: Conversion, node: OnnxNode): void => {
  const x = conversion.computed(node, 0);
  const indices = conversion.constant(node, 1, 'indices');
  const dims = shapeOf(x);
  const axis = resolveAxis(node.int('axis', 0), dims.length);
  const runs: { start: number; count: number }[] = [];
  for (const index of indices.data) {
    const place = resolveAxis(index, dims[axis] ?? 1);
    const run = runs.at(-1);
    if (run !== undefined && place === run.start + run.count) run.count++;
    else runs.push({ start: place, count: 1 });
    if (runs.length > MOST_PIECES) throw new OperatorProblem(`gathers more than ${MOST_PIECES} pieces`);
  }
  const parts = runs.map(({ start, count }) =>
    cut(
      conversion,
      node,
      x,
      dims.map((size, i) => (i === axis ? { start, count, step: 1 } : { ...ALL, count: size })),
    ),
  );
  const [first] = parts;
  if (first === undefined) throw new OperatorProblem('gathers nothing');
  const all = parts.length === 1 ? first : joinParts(conversion, node, parts, axis);
  conversion.setOutput(
    node,
    conversion.reshaped(node, all, [...dims.slice(0, axis), ...indices.dims, ...dims.slice(axis + 1)]),
  );
};
