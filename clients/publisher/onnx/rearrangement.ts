import { countOf, expanded, permuteConstant, realValues, shapeText, type Constant } from './constant.js';
import {
  computedFrom,
  resolveAxis,
  shapeOf,
  usualOrder,
  type Computed,
  type Conversion,
  type Value,
} from './conversion.js';
import type { OnnxNode } from './node.js';
import { emitPad } from './pooling.js';
import { OperatorProblem } from './problem.js';
import { orderOf, transposeView } from './view.js';

/** Quantisation per channel survives only where its dimension does. */
const reshapeConstant = (constant: Constant, dims: readonly number[]): Constant => {
  if (countOf(dims) !== countOf(constant.dims))
    throw new OperatorProblem(`makes ${shapeText(dims)} of ${shapeText(constant.dims)}`);
  const { quantisation } = constant;
  if (quantisation === undefined || quantisation.scales.length === 1) return { ...constant, dims: [...dims] };
  const before = countOf(constant.dims.slice(0, quantisation.axis));
  const axis = dims.findIndex(
    (dim, i) => dim === quantisation.scales.length && countOf(dims.slice(0, i)) === before,
  );
  if (axis >= 0) return { ...constant, dims: [...dims], quantisation: { ...quantisation, axis } };
  return { ...expanded(constant), dims: [...dims] };
};

/** No operator of the engine has more than four; in between some more are needed, for blocks of pixels. */
const MOST_DIMENSIONS = 16;

const reshape = (conversion: Conversion, node: OnnxNode, value: Value, dims: readonly number[]): void => {
  if (dims.length > MOST_DIMENSIONS) throw new OperatorProblem(`makes ${dims.length} dimensions`);
  if (dims.some((dim) => !Number.isInteger(dim) || dim < 0))
    throw new OperatorProblem(`makes ${shapeText(dims)} of ${shapeText(shapeOf(value))}`);
  conversion.setOutput(
    node,
    value.kind === 'constant' ? reshapeConstant(value, dims) : conversion.reshaped(node, value, dims),
  );
};

/** 0 keeps a dimension, -1 is what is left. */
export const convertReshape = (conversion: Conversion, node: OnnxNode): void => {
  const value = conversion.operand(node, 0);
  const dims = shapeOf(value);
  const keepsZeros = node.int('allowzero', 0) === 0;
  const stated = (conversion.integers(node, 1) ?? []).map((dim, i) =>
    dim === 0 && keepsZeros ? (dims[i] ?? 0) : dim,
  );
  const known = countOf(stated.filter((dim) => dim !== -1));
  reshape(
    conversion,
    node,
    value,
    stated.map((dim) => (dim === -1 ? countOf(dims) / known : dim)),
  );
};

export const convertFlatten = (conversion: Conversion, node: OnnxNode): void => {
  const value = conversion.operand(node, 0);
  const dims = shapeOf(value);
  const given = node.int('axis', 1);
  const axis = given === dims.length ? given : resolveAxis(given, dims.length);
  reshape(conversion, node, value, [countOf(dims.slice(0, axis)), countOf(dims.slice(axis))]);
};

const axesOf = (conversion: Conversion, node: OnnxNode): readonly number[] | undefined =>
  node.ints('axes') ?? conversion.integers(node, 1);

export const convertSqueeze = (conversion: Conversion, node: OnnxNode): void => {
  const value = conversion.operand(node, 0);
  const dims = shapeOf(value);
  const axes = axesOf(conversion, node)?.map((axis) => resolveAxis(axis, dims.length));
  if (axes?.some((axis) => dims[axis] !== 1))
    throw new OperatorProblem(`drops dimensions of ${shapeText(dims)}`);
  reshape(
    conversion,
    node,
    value,
    dims.filter((dim, i) => (axes === undefined ? dim !== 1 : !axes.includes(i))),
  );
};

export const convertUnsqueeze = (conversion: Conversion, node: OnnxNode): void => {
  const value = conversion.operand(node, 0);
  const dims = [...shapeOf(value)];
  const axes = axesOf(conversion, node) ?? [];
  if (axes.length > 8) throw new OperatorProblem(`adds ${axes.length} dimensions`);
  const rank = dims.length + axes.length;
  const added = new Set(axes.map((axis) => resolveAxis(axis, rank)));
  reshape(
    conversion,
    node,
    value,
    Array.from({ length: rank }, (_, i) => (added.has(i) ? 1 : (dims.shift() ?? 1))),
  );
};

/** Nothing happens, but to the name. */
export const convertIdentity = (conversion: Conversion, node: OnnxNode): void =>
  conversion.setOutput(node, conversion.operand(node, 0));

export const convertDropout = (conversion: Conversion, node: OnnxNode): void => {
  if (conversion.optional(node, 2) !== undefined && (conversion.integers(node, 2)?.[0] ?? 0) !== 0)
    throw new OperatorProblem('is in training mode');
  convertIdentity(conversion, node);
};

export const convertTranspose = (conversion: Conversion, node: OnnxNode): void => {
  const value = conversion.operand(node, 0);
  const rank = shapeOf(value).length;
  const order = node.ints('perm') ?? Array.from({ length: rank }, (_, i) => rank - 1 - i);
  if (order.length !== rank || order.some((_, i) => !order.includes(i)))
    throw new OperatorProblem(`has order ${shapeText(order)} for ${rank} dimensions`);
  conversion.setOutput(
    node,
    value.kind === 'constant'
      ? permuteConstant(value, order)
      : { ...value, view: transposeView(value.view, order) },
  );
};

/** Blocks of pixels as channels, or back: reshape, transpose, reshape. */
const blocks = (
  conversion: Conversion,
  node: OnnxNode,
  split: (n: number, c: number, h: number, w: number, size: number) => number[],
  order: readonly number[],
  join: (n: number, c: number, h: number, w: number, size: number) => number[],
): void => {
  const x = conversion.computed(node, 0);
  const size = node.int('blocksize', 0);
  const dims = shapeOf(x);
  const [n = 1, c = 1, h = 1, w = 1] = dims;
  const parts = split(n, c, h, w, size);
  if (dims.length !== 4 || size < 1 || parts.some((part) => !Number.isInteger(part)))
    throw new OperatorProblem(`divides ${shapeText(dims)} into blocks of ${size}`);
  const apart = conversion.reshaped(node, x, parts);
  const moved = { ...apart, view: transposeView(apart.view, order) };
  conversion.setOutput(node, conversion.reshaped(node, moved, join(n, c, h, w, size)));
};

export const convertDepthToSpace = (conversion: Conversion, node: OnnxNode): void => {
  const crd = node.text('mode', 'DCR') === 'CRD';
  blocks(
    conversion,
    node,
    (n, c, h, w, b) => (crd ? [n, c / (b * b), b, b, h, w] : [n, b, b, c / (b * b), h, w]),
    crd ? [0, 1, 4, 2, 5, 3] : [0, 3, 4, 1, 5, 2],
    (n, c, h, w, b) => [n, c / (b * b), h * b, w * b],
  );
};

export const convertSpaceToDepth = (conversion: Conversion, node: OnnxNode): void =>
  blocks(
    conversion,
    node,
    (n, c, h, w, b) => [n, c, h / b, b, w / b, b],
    [0, 3, 5, 1, 2, 4],
    (n, c, h, w, b) => [n, c * b * b, h / b, w / b],
  );

/** The order in which the value lies in memory; the usual one where its dimensions are in pieces. */
export const memoryOrder = (x: Computed): number[] => {
  const usual = usualOrder(shapeOf(x).length);
  return orderOf(x.view, usual) ?? usual;
};

/** Only with one value all around; reflections have no operator. */
export const convertPad = (conversion: Conversion, node: OnnxNode): void => {
  const mode = node.text('mode', 'constant');
  if (mode !== 'constant') throw new OperatorProblem(`pads in mode ${mode}, only constant is possible`);
  let x = conversion.computed(node, 0);
  const rank = shapeOf(x).length;
  const old = node.opset < 11;
  const amounts = (old ? node.ints('pads') : conversion.integers(node, 1)) ?? [];
  const axes = conversion.integers(node, 3)?.map((axis) => resolveAxis(axis, rank));
  const given = old ? undefined : conversion.optional(node, 2) && conversion.constant(node, 2, 'value');
  const value = old ? node.float('value', 0) : given === undefined ? 0 : (realValues(given)[0] ?? 0);
  const count = axes?.length ?? rank;
  if (amounts.length !== 2 * count || amounts.some((amount) => !(amount >= 0 && amount < 2 ** 24)))
    throw new OperatorProblem(`has paddings ${shapeText(amounts)} for ${count} dimensions`);
  const amount = (axis: number, side: number): number => {
    const at = axes === undefined ? axis : axes.indexOf(axis);
    return at < 0 ? 0 : (amounts[at + side * count] ?? 0);
  };
  // int8 is padded with real 0 only.
  const { quantisation } = x.view.tensor;
  if (x.type !== 'f32') {
    const zero = (quantisation?.zeroPoint ?? 0) + (x.type === 'u8' ? 128 : 0);
    if (value !== zero)
      throw new OperatorProblem(`pads ${x.type} with ${value} instead of the zero point ${zero}`);
  } else if (value !== 0) {
    x = conversion.dequantised(node, x);
  }
  if (amounts.every((one) => one === 0)) {
    conversion.setOutput(node, x);
    return;
  }
  const order = memoryOrder(x);
  const tensor = conversion.arranged(node, x, order);
  const y = emitPad(
    conversion,
    node,
    tensor,
    order.map((axis) => amount(axis, 0)),
    order.map((axis) => amount(axis, 1)),
    tensor.dtype === 'f32' ? value : 0,
  );
  conversion.setOutput(node, computedFrom(y, order, x.type));
};
