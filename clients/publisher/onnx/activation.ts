import type { Activation, OpCode } from '../szg1.js';
import { countOf, realValues, shapeText } from './constant.js';
import { resolveAxis, shapeOf, type Computed, type Conversion } from './conversion.js';
import { emitOfTwo, emitWithConstant, mapped, scalar } from './elementwise.js';
import type { OnnxNode } from './node.js';
import { OperatorProblem } from './problem.js';
import { withTensor, type Atom } from './view.js';

/** Element by element, whatever the order in memory. */
const emitUnary = (
  conversion: Conversion,
  node: OnnxNode,
  given: Computed,
  code: OpCode,
  floats: readonly number[] = [],
  activation: Activation = 'NONE',
): Computed => {
  const { values, quantisation } = conversion.numeric(node, [given] as const);
  const { view } = values[0];
  const y = conversion.make(view.tensor.dims, quantisation);
  conversion.emit(node, { code, activation, inputs: [view.tensor], output: y, floats });
  return { ...values[0], view: withTensor(view, y) };
};

export const convertUnary =
  (code: 'LOGISTIC' | 'TANH' | 'HARD_SWISH') =>
  (conversion: Conversion, node: OnnxNode): void =>
    conversion.setOutput(node, emitUnary(conversion, node, conversion.real(node, 0), code));

export const convertRelu = (conversion: Conversion, node: OnnxNode): void =>
  conversion.setOutput(node, emitUnary(conversion, node, conversion.real(node, 0), 'RELU', [], 'RELU'));

export const convertLeakyRelu = (conversion: Conversion, node: OnnxNode): void => {
  const slope = Math.fround(node.float('alpha', 0.01));
  conversion.setOutput(node, emitUnary(conversion, node, conversion.real(node, 0), 'LEAKY_RELU', [slope]));
};

const relu = (conversion: Conversion, node: OnnxNode, given: Computed, activation: Activation): Computed => {
  const { view } = conversion.dequantised(node, given);
  const y = conversion.make(view.tensor.dims, undefined);
  conversion.emit(node, { code: 'RELU', activation, inputs: [view.tensor], output: y });
  return { ...given, view: withTensor(view, y) };
};

/** Slopes along the channels, or one for all; others are ReLU(x) - slope ReLU(-x). */
export const convertPrelu = (conversion: Conversion, node: OnnxNode): void => {
  const given = conversion.dequantised(node, conversion.real(node, 0));
  const constant = conversion.constant(node, 1, 'slope');
  const dims = shapeOf(given);
  const slopes = [
    ...new Array<number>(Math.max(0, dims.length - constant.dims.length)).fill(1),
    ...constant.dims,
  ];
  const axes = slopes.flatMap((dim, i) => (dim > 1 ? [i] : []));
  const [axis] = axes;
  if (slopes.length > dims.length || axes.some((one) => slopes[one] !== dims[one]))
    throw new OperatorProblem(`has slopes ${shapeText(constant.dims)} for ${shapeText(dims)}`);
  if (axes.length > 1) {
    const positive = relu(conversion, node, given, 'RELU');
    const mirrored = emitWithConstant(conversion, node, 'MUL', given, scalar(-1), undefined);
    const lower = relu(conversion, node, mirrored, 'RELU');
    const minus = mapped(constant, (slope) => -slope);
    const negative = emitWithConstant(conversion, node, 'MUL', lower, minus, undefined);
    conversion.setOutput(node, emitOfTwo(conversion, node, 'ADD', positive, negative, undefined));
    return;
  }
  const { view } = given;
  const atoms = axis === undefined ? [] : [...(view.axes[axis] ?? [])];
  const memory =
    axis === undefined ? view.memory : [...view.memory.filter((atom) => !atoms.includes(atom)), ...atoms];
  const count = countOf(constant.dims);
  let x = conversion.inOrder(node, view, memory);
  if (count > 1 && x.dims.at(-1) !== count) x = conversion.shaped(node, x, [countOf(dims) / count, count]);
  const alpha = { name: constant.name, dtype: 'f32', dims: [count], data: realValues(constant) } as const;
  const y = conversion.make(x.dims, undefined);
  conversion.emit(node, { code: 'PRELU', inputs: [x, alpha], output: y });
  conversion.setOutput(node, { ...given, view: { ...view, memory, tensor: y } });
};

/** The engine computes softmax over the last dimension in memory; the order within it does not matter. */
export const convertSoftmax = (conversion: Conversion, node: OnnxNode): void => {
  const { values, quantisation } = conversion.numeric(node, [conversion.real(node, 0)] as const);
  const [x] = values;
  const { view } = x;
  const rank = view.axes.length;
  // Before operator set 13 it was over all dimensions from `axis` on.
  const old = node.opset < 13;
  const axis = resolveAxis(node.int('axis', old ? 1 : -1), Math.max(1, rank));
  const over = new Set<Atom>((old ? view.axes.slice(axis) : view.axes.slice(axis, axis + 1)).flat());
  const tail = view.memory.slice(view.memory.length - over.size);
  const memory = tail.every((atom) => over.has(atom))
    ? view.memory
    : [...view.memory.filter((atom) => !over.has(atom)), ...over];
  const last = countOf([...over].map(({ size }) => size));
  let tensor = conversion.inOrder(node, view, memory);
  if (tensor.dims.at(-1) !== last)
    tensor = conversion.shaped(node, tensor, [countOf(tensor.dims) / last, last]);
  const y = conversion.make(tensor.dims, quantisation);
  conversion.emit(node, { code: 'SOFTMAX', inputs: [tensor], output: y, floats: [1] });
  conversion.setOutput(node, { ...x, view: { ...view, memory, tensor: y } });
};

/** Below this and above that there are no float32 values. */
const LEAST = -3.4028234663852886e38;
const MOST = 3.4028234663852886e38;

const NAMED: readonly (readonly [number, number, Activation])[] = [
  [0, MOST, 'RELU'],
  [0, 6, 'RELU6'],
  [-1, 1, 'RELU_N1_TO_1'],
];

/** x * factor + summand, where they change anything. */
const affine = (
  conversion: Conversion,
  node: OnnxNode,
  given: Computed,
  factor: number,
  summand: number,
  activation: Activation = 'NONE',
): Computed => {
  let x = conversion.dequantised(node, given);
  if (factor !== 1)
    x = emitWithConstant(
      conversion,
      node,
      'MUL',
      x,
      scalar(factor),
      undefined,
      summand === 0 ? activation : 'NONE',
    );
  if (summand !== 0) x = emitWithConstant(conversion, node, 'ADD', x, scalar(summand), undefined, activation);
  return x;
};

/** In float32, from what the engine can do: ReLU or ReLU6 between two affine operators. */
const emitBounds = (
  conversion: Conversion,
  node: OnnxNode,
  x: Computed,
  low: number,
  high: number,
): Computed => {
  const cut = (value: Computed, activation: Activation): Computed =>
    relu(conversion, node, value, activation);
  if (low <= LEAST)
    return affine(conversion, node, cut(affine(conversion, node, x, -1, high), 'RELU'), -1, high);
  if (high >= MOST)
    return affine(conversion, node, cut(affine(conversion, node, x, 1, -low), 'RELU'), 1, low);
  const unit = (high - low) / 6;
  return affine(
    conversion,
    node,
    cut(affine(conversion, node, x, 1 / unit, -low / unit), 'RELU6'),
    unit,
    low,
  );
};

export const convertClip = (conversion: Conversion, node: OnnxNode): void => {
  const x = conversion.real(node, 0);
  const bound = (n: number, name: string, otherwise: number): number => {
    if (node.opset < 11) return node.float(name, otherwise);
    const given = conversion.optional(node, n) && conversion.constant(node, n, name);
    return given === undefined ? otherwise : (realValues(given)[0] ?? otherwise);
  };
  const low = Math.max(LEAST, bound(1, 'min', LEAST));
  const high = Math.min(MOST, bound(2, 'max', MOST));
  if (!(low < high)) throw new OperatorProblem(`has bounds ${low} and ${high}`);
  const planned = conversion.plannedFor(node);
  const within =
    planned !== undefined &&
    x.view.tensor.dtype === 'i8' &&
    (-128 - planned.zeroPoint) * planned.scale >= low - 1e-6 * Math.abs(low) &&
    (127 - planned.zeroPoint) * planned.scale <= high + 1e-6 * Math.abs(high);
  if (within || (low <= LEAST && high >= MOST)) {
    conversion.setOutput(node, x);
    return;
  }
  const named = NAMED.find(([least, most]) => least === low && most === high)?.[2];
  conversion.setOutput(
    node,
    named === undefined
      ? emitBounds(conversion, node, x, low, high)
      : emitUnary(conversion, node, x, 'RELU', [], named),
  );
};

/** max(0, min(1, alpha x + beta)) is ReLU6(6 (alpha x + beta)) / 6. */
export const convertHardSigmoid = (conversion: Conversion, node: OnnxNode): void => {
  const x = conversion.real(node, 0);
  const alpha = node.float('alpha', 0.2);
  const beta = node.float('beta', 0.5);
  // 6 * fround(1 / 6) is to be 1.
  const factor = Math.abs(6 * alpha - 1) < 1e-6 ? 1 : 6 * alpha;
  let inner = affine(conversion, node, x, factor, 6 * beta, 'RELU6');
  if (factor === 1 && beta === 0)
    inner = emitUnary(conversion, node, conversion.dequantised(node, x), 'RELU', [], 'RELU6');
  conversion.setOutput(node, affine(conversion, node, inner, 1 / 6, 0));
};
