import type { Quantisation, Tensor } from '../network.js';
import type { Activation } from '../szg1.js';
import { countOf, makeConstant, permuteConstant, realValues, shapeText, type Constant } from './constant.js';
import { shapeOf, type Computed, type Conversion, type Value } from './conversion.js';
import type { OnnxNode } from './node.js';
import { OperatorProblem } from './problem.js';
import { withTensor, type Atom, type View } from './view.js';
import { areInt8 } from './weights.js';

/** numpy's rule: dimensions are aligned at the end, and 1 stretches. */
export const broadcastDims = (a: readonly number[], b: readonly number[]): number[] => {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const [p = 1, q = 1] = [a[i - rank + a.length], b[i - rank + b.length]];
    if (p !== q && p !== 1 && q !== 1)
      throw new OperatorProblem(`combines ${shapeText(a)} with ${shapeText(b)}`);
    return p === 1 ? q : p;
  });
};

const sizes = (atoms: readonly Atom[]): number[] => atoms.map(({ size }) => size);

const withRank = (dims: readonly number[], rank: number): number[] => [
  ...new Array<number>(rank - dims.length).fill(1),
  ...dims,
];

/** The one dimension along which there is more than one value; undefined: there is none, -1: several. */
const onlyAxis = (dims: readonly number[]): number | undefined => {
  const axes = dims.flatMap((dim, i) => (dim > 1 ? [i] : []));
  return axes.length > 1 ? -1 : axes[0];
};

/** Values of dims [...] stretched to the view's dims, in the order of its memory. */
const inMemoryOrder = (constant: Constant, { axes, memory }: View): Constant => {
  const dims = axes.map((atoms) => countOf(sizes(atoms)));
  const own = withRank(constant.dims, dims.length);
  const steps = own.map((dim, i) => (dim === 1 ? 0 : countOf(own.slice(i + 1))));
  const full = makeConstant(constant.name, 'f32', dims, (at) => {
    let source = 0;
    for (let axis = dims.length - 1, rest = at; axis >= 0; axis--) {
      const dim = dims[axis] ?? 1;
      source += (rest % dim) * (steps[axis] ?? 0);
      rest = Math.floor(rest / dim);
    }
    return constant.data[source] ?? 0;
  });
  const flat = axes.flat();
  const split = { ...full, dims: sizes(flat) };
  return permuteConstant(
    split,
    memory.map((atom) => flat.indexOf(atom)),
  );
};

/** The quantisation that an int8 constant has, with its values as int8. */
const asInt8 = (constant: Constant): { readonly values: Constant; readonly quantisation: Quantisation } => {
  const unsigned = constant.data instanceof Uint8Array;
  const [scale = 1] = constant.quantisation?.scales ?? [];
  const [zeroPoint = 0] = constant.quantisation?.zeroPoints ?? [];
  const data = Int8Array.from(constant.data, (value) => (unsigned ? value - 128 : value));
  return {
    values: { ...constant, data, type: 'i8' },
    quantisation: { scale, zeroPoint: unsigned ? zeroPoint - 128 : zeroPoint },
  };
};

export type BinaryCode = 'ADD' | 'MUL';

/** x and a constant. */
export const emitWithConstant = (
  conversion: Conversion,
  node: OnnxNode,
  code: BinaryCode,
  given: Computed,
  constant: Constant,
  output: Quantisation | undefined,
  activation: Activation = 'NONE',
): Computed => {
  const dims = broadcastDims(shapeOf(given), constant.dims);
  if (countOf(dims) !== countOf(shapeOf(given)))
    throw new OperatorProblem(`stretches ${shapeText(shapeOf(given))} to ${shapeText(dims)}`);
  const x = conversion.reshaped(node, given, dims);
  const { view } = x;
  const int8 = output === undefined ? undefined : asInt8(constant);
  const values: Constant =
    int8?.values ?? makeConstant(constant.name, 'f32', constant.dims, valueOf(realValues(constant)));
  const own = withRank(values.dims, dims.length);
  const axis = onlyAxis(own);
  const atoms = axis === undefined ? [] : (view.axes[axis] ?? []);
  const tail = view.memory.slice(view.memory.length - atoms.length);
  const isVector = axis !== -1 && tail.every((atom) => atoms.includes(atom));
  let x4 = view.tensor;
  let ordered: Constant;
  if (axis === undefined) {
    ordered = { ...values, dims: [1] };
  } else if (isVector) {
    ordered = inMemoryOrder(values, {
      tensor: view.tensor,
      memory: tail,
      axes: view.axes.map((_, i) => (i === axis ? atoms : [])),
    });
    ordered = { ...ordered, dims: [countOf(sizes(atoms))] };
    const last = countOf(sizes(atoms));
    if (x4.dims.at(-1) !== last) x4 = conversion.shaped(node, x4, [countOf(x4.dims) / last, last]);
  } else {
    ordered = { ...inMemoryOrder(values, view), dims: x4.dims };
  }
  const data = int8 === undefined ? Float32Array.from(ordered.data) : Int8Array.from(ordered.data);
  const b: Tensor = {
    name: constant.name,
    dtype: int8 === undefined ? 'f32' : 'i8',
    dims: ordered.dims,
    data,
    ...(int8 === undefined ? {} : { quantisation: int8.quantisation }),
  };
  const y = conversion.make(x4.dims, output);
  conversion.emit(node, { code, activation, inputs: [x4, b], output: y });
  return { ...x, view: withTensor(view, y) };
};

const valueOf =
  (values: Float32Array) =>
  (i: number): number =>
    values[i] ?? 0;

/** b's atoms in the order in which a's lie in memory, where their dimensions are divided alike. */
const likewise = (a: View, b: View): Atom[] | undefined => {
  const partner = new Map<Atom, Atom>();
  const alike = a.axes.every((atoms, axis) => {
    const others = b.axes[axis] ?? [];
    atoms.forEach((atom, i) => others[i] !== undefined && partner.set(atom, others[i]));
    return atoms.length === others.length && atoms.every(({ size }, i) => size === others[i]?.size);
  });
  if (!alike) return undefined;
  return a.memory.map((atom) => partner.get(atom)).filter((atom) => atom !== undefined);
};

/** Two computed values. */
export const emitOfTwo = (
  conversion: Conversion,
  node: OnnxNode,
  code: BinaryCode,
  first: Computed,
  second: Computed,
  output: Quantisation | undefined,
): Computed => {
  const dims = broadcastDims(shapeOf(first), shapeOf(second));
  const whole = (value: Computed): boolean => countOf(shapeOf(value)) === countOf(dims);
  const [large, small] = whole(first) ? [first, second] : [second, first];
  if (!whole(large))
    throw new OperatorProblem(
      `stretches both ${shapeText(shapeOf(first))} and ${shapeText(shapeOf(second))}`,
    );
  const a = conversion.reshaped(node, large, dims);
  const b = conversion.reshaped(node, small, withRank(shapeOf(small), dims.length));
  if (whole(b)) {
    const wanted = likewise(a.view, b.view);
    const plain = dims.map((_, i) => i);
    const left = wanted === undefined ? conversion.arrangedView(node, a, plain) : a.view;
    const right = conversion.inOrder(node, b.view, wanted ?? b.view.axes.flat());
    const y = conversion.make(left.tensor.dims, output);
    const other = conversion.shaped(node, right, left.tensor.dims);
    conversion.emit(node, { code, inputs: [left.tensor, other], output: y });
    return { ...a, view: withTensor(left, y) };
  }
  const axis = onlyAxis(shapeOf(b));
  if (axis === -1) throw new OperatorProblem(`stretches ${shapeText(shapeOf(b))} over ${shapeText(dims)}`);
  // A vector lies along the last dimension.
  const atoms = axis === undefined ? [] : (a.view.axes[axis] ?? []);
  const rest = a.view.memory.filter((atom) => !atoms.includes(atom));
  const memory = [...rest, ...atoms];
  const last = countOf(sizes(atoms));
  let left = conversion.inOrder(node, a.view, memory);
  if (left.dims.at(-1) !== last && last > 1)
    left = conversion.shaped(node, left, [countOf(dims) / last, last]);
  const vector = conversion.inOrder(node, b.view, b.view.axes.flat());
  const right = conversion.shaped(node, vector, [...new Array<number>(left.dims.length - 1).fill(1), last]);
  const y = conversion.make(left.dims, output);
  conversion.emit(node, { code, inputs: [left, right], output: y });
  return { ...a, view: { ...a.view, memory, tensor: y } };
};

/** The constant's values changed one by one; it is not quantised any more. */
export const mapped = (constant: Constant, change: (value: number) => number): Constant => {
  const values = realValues(constant);
  return makeConstant(constant.name, 'f32', constant.dims, (i) => change(values[i] ?? 0));
};

export const scalar = (value: number): Constant => makeConstant(String(value), 'f32', [], () => value);

const sumOf = (
  conversion: Conversion,
  node: OnnxNode,
  code: BinaryCode,
  a: Value,
  b: Value,
  possible = true,
): Computed => {
  const isReal = (value: Value): boolean => value.type === 'f32' || value.kind === 'constant';
  if (!isReal(a) || !isReal(b)) throw new OperatorProblem('computes with integers, floats are expected');
  const [x, y] = a.kind === 'computed' ? [a, b] : [b, a];
  if (x.kind !== 'computed') throw new OperatorProblem('combines two constants');
  if (y.kind === 'constant') {
    const int8 = possible && areInt8(y) && y.quantisation?.scales.length === 1;
    const { values, quantisation } = conversion.numeric(node, [x] as const, int8);
    return emitWithConstant(conversion, node, code, values[0], y, quantisation);
  }
  const { values, quantisation } = conversion.numeric(node, [x, y] as const, possible);
  return emitOfTwo(conversion, node, code, values[0], values[1], quantisation);
};

export const convertAdd = (conversion: Conversion, node: OnnxNode): void =>
  conversion.setOutput(
    node,
    sumOf(conversion, node, 'ADD', conversion.operand(node, 0), conversion.operand(node, 1)),
  );

export const convertMul = (conversion: Conversion, node: OnnxNode): void =>
  conversion.setOutput(
    node,
    sumOf(conversion, node, 'MUL', conversion.operand(node, 0), conversion.operand(node, 1)),
  );

const negative = (conversion: Conversion, node: OnnxNode, x: Computed): Computed =>
  emitWithConstant(conversion, node, 'MUL', conversion.dequantised(node, x), scalar(-1), undefined);

export const convertNeg = (conversion: Conversion, node: OnnxNode): void =>
  conversion.setOutput(node, negative(conversion, node, conversion.real(node, 0)));

/** a - b is a + -b. */
export const convertSub = (conversion: Conversion, node: OnnxNode): void => {
  const [a, b] = [conversion.operand(node, 0), conversion.operand(node, 1)];
  const minus =
    b.kind === 'constant'
      ? mapped(b, (value) => -value)
      : negative(conversion, node, conversion.real(node, 1));
  conversion.setOutput(node, sumOf(conversion, node, 'ADD', a, minus, false));
};

/** Only by a constant: the engine multiplies by its reciprocal. */
export const convertDiv = (conversion: Conversion, node: OnnxNode): void => {
  const x = conversion.real(node, 0);
  const divisor = conversion.constant(node, 1, 'divisor');
  conversion.setOutput(
    node,
    sumOf(
      conversion,
      node,
      'MUL',
      x,
      mapped(divisor, (value) => 1 / value),
      false,
    ),
  );
};

/** Sum of any number of values. */
export const convertSum = (conversion: Conversion, node: OnnxNode): void => {
  const [first, ...others] = node.inputs.map((_, n) => conversion.operand(node, n));
  if (first === undefined) throw new OperatorProblem('has no input');
  const possible = others.length === 1;
  const sum = others.reduce<Value>((a, b) => sumOf(conversion, node, 'ADD', a, b, possible), first);
  conversion.setOutput(node, sum);
};

const channelAxis = (x: Computed): readonly number[] => {
  const dims = shapeOf(x);
  if (dims.length < 2) throw new OperatorProblem(`has no channels in ${shapeText(dims)}`);
  return dims;
};

/** A factor and a summand for each channel; folded into the convolution before it where there is one (fold-affine.ts). */
export const convertBatchNormalization = (conversion: Conversion, node: OnnxNode): void => {
  if (node.int('training_mode', 0) !== 0) throw new OperatorProblem('is in training mode');
  const x = conversion.dequantised(node, conversion.real(node, 0));
  const dims = channelAxis(x);
  const c = dims[1] ?? 1;
  const [scale, bias, mean, variance] = [1, 2, 3, 4].map((n) => {
    const constant = conversion.constant(node, n);
    if (countOf(constant.dims) !== c)
      throw new OperatorProblem(`has ${countOf(constant.dims)} values for ${c} channels`);
    return realValues(constant);
  });
  const epsilon = node.float('epsilon', 1e-5);
  const shape = [c, ...new Array<number>(dims.length - 2).fill(1)];
  const factor = (i: number): number => (scale?.[i] ?? 0) / Math.sqrt((variance?.[i] ?? 0) + epsilon);
  const name = node.inputs[1] ?? '';
  const factors = makeConstant(name, 'f32', shape, factor);
  const summands = makeConstant(
    `${name} offset`,
    'f32',
    shape,
    (i) => (bias?.[i] ?? 0) - (mean?.[i] ?? 0) * factor(i),
  );
  const product = emitWithConstant(conversion, node, 'MUL', x, factors, undefined);
  conversion.setOutput(node, emitWithConstant(conversion, node, 'ADD', product, summands, undefined));
};
