import type { Quantisation } from '../network.js';
import { joinParts } from './concat.js';
import { countOf, makeConstant, permuteConstant, realValues, shapeText, type Constant } from './constant.js';
import { computedFrom, shapeOf, type Computed, type Conversion } from './conversion.js';
import type { OnnxNode } from './node.js';
import { OperatorProblem } from './problem.js';
import { cut } from './slicing.js';
import { atomsIn, dimsOf, transposeView, type Atom, type View } from './view.js';
import { areInt8, weightOperands } from './weights.js';

const sameSet = (a: readonly Atom[], b: readonly Atom[]): boolean =>
  a.length === b.length && a.every((atom) => b.includes(atom));

/**
 * Weights [O, I] with their columns in the order in which the values lie in memory, so that a flattened picture is not transposed:
 * `last` are the atoms of the last dimension, `memory` the same in memory's order.
 */
const withColumnsOf = (weights: Constant, last: readonly Atom[], memory: readonly Atom[]): Constant => {
  const [outputs = 1] = weights.dims;
  const split = { ...weights, dims: [outputs, ...last.map(({ size }) => size)] };
  const moved = permuteConstant(split, [0, ...memory.map((atom) => 1 + last.indexOf(atom))]);
  return { ...moved, dims: weights.dims };
};

/** x [..., I] times weights [O, I] transposed, plus bias: [..., O]. */
const emitMatrix = (
  conversion: Conversion,
  node: OnnxNode,
  x: Computed,
  weights: Constant,
  bias: Constant | undefined,
  output: Quantisation | undefined,
  type: Computed['type'] = 'f32',
): Computed => {
  const dims = dimsOf(x.view);
  const [outputs = 0, inputs = 0] = weights.dims;
  if (weights.dims.length !== 2 || dims.length < 1 || dims.at(-1) !== inputs || outputs < 1)
    throw new OperatorProblem(`multiplies ${shapeText(dims)} with ${inputs} x ${outputs} weights`);
  const { view } = x;
  const rows = view.axes.slice(0, -1).flat();
  const last = view.axes.at(-1) ?? [];
  const before = view.memory.slice(0, rows.length);
  const behind = view.memory.slice(rows.length);
  const kept = sameSet(behind, last);
  const wanted = kept
    ? [...before, ...behind]
    : atomsIn(
        view,
        dims.map((_, i) => i),
      );
  const rowAtoms = kept ? before : rows;
  const matrix = kept ? withColumnsOf(weights, last, behind) : weights;
  const flat = conversion.inOrder(node, view, wanted);
  const count = countOf(rowAtoms.map(({ size }) => size));
  const tensor = conversion.shaped(node, flat, [count, inputs]);
  const y = conversion.make([count, outputs], output);
  const quantised =
    output === undefined || tensor.quantisation === undefined
      ? undefined
      : { x: tensor.quantisation, y: output };
  conversion.emit(node, {
    code: 'FULLY_CONNECTED',
    inputs: [tensor, ...weightOperands({ weights: matrix, bias }, { f32: [1, 0], i8: [0, 1] }, quantised)],
    output: y,
  });
  const columns: Atom[] = outputs === 1 ? [] : [{ size: outputs }];
  const seen: View = {
    tensor: y,
    memory: [...rowAtoms, ...columns],
    axes: [...view.axes.slice(0, -1), columns],
  };
  return { kind: 'computed', type, view: seen };
};

/** A bias that is not one value for each column: added behind. */
const emitMatrixBias = (
  conversion: Conversion,
  node: OnnxNode,
  y: Computed,
  bias: Constant,
  scale: number,
): Computed => {
  const [rows = 1, columns = 1] = shapeOf(y);
  const values = realValues(bias);
  const [br = 1, bc = 1] = bias.dims.length < 2 ? [1, ...bias.dims] : bias.dims;
  if (bias.dims.length > 2 || (br !== 1 && br !== rows) || (bc !== 1 && bc !== columns))
    throw new OperatorProblem(`adds ${shapeText(bias.dims)} to ${rows} x ${columns}`);
  const full = makeConstant(bias.name, 'f32', [rows, columns], (i) => {
    const row = br === 1 ? 0 : Math.floor(i / columns);
    return scale * (values[row * bc + (bc === 1 ? 0 : i % columns)] ?? 0);
  });
  const tensor = conversion.arranged(node, y, [0, 1]);
  const output = conversion.make(tensor.dims, undefined);
  const added = { name: bias.name, dtype: 'f32', dims: full.dims, data: full.data as Float32Array } as const;
  conversion.emit(node, { code: 'ADD', inputs: [tensor, added], output });
  return computedFrom(output, [0, 1]);
};

export const convertGemm = (conversion: Conversion, node: OnnxNode): void => {
  const x = conversion.real(node, 0);
  const given = conversion.constant(node, 1, 'matrix B');
  const bias = conversion.optional(node, 2) && conversion.constant(node, 2, 'bias');
  const alpha = node.float('alpha', 1);
  const beta = node.float('beta', 1);
  if (given.dims.length !== 2 || shapeOf(x).length !== 2)
    throw new OperatorProblem(`multiplies ${shapeText(shapeOf(x))} with ${shapeText(given.dims)}`);
  const a = node.int('transA', 0) === 0 ? x : { ...x, view: transposeView(x.view, [1, 0]) };
  const weights = node.int('transB', 0) === 0 ? permuteConstant(given, [1, 0]) : given;
  const [outputs = 1] = weights.dims;
  const perColumn =
    bias === undefined ||
    countOf(bias.dims) === 1 ||
    (bias.dims.at(-1) === outputs && countOf(bias.dims) === outputs);
  const int8 = areInt8(weights) && alpha === 1 && (bias === undefined || (beta === 1 && perColumn));
  const { values, quantisation } = conversion.numeric(node, [a] as const, int8);
  if (quantisation !== undefined) {
    conversion.setOutput(
      node,
      emitMatrix(conversion, node, values[0], weights, spread(bias, outputs), quantisation),
    );
    return;
  }
  const scaled = alpha === 1 ? weights : mapReal(weights, (value) => Math.fround(alpha * value));
  if (perColumn) {
    const added = bias && spread(beta === 1 ? bias : mapReal(bias, (value) => beta * value), outputs);
    conversion.setOutput(node, emitMatrix(conversion, node, values[0], scaled, added, undefined));
  } else {
    const y = emitMatrix(conversion, node, values[0], scaled, undefined, undefined);
    conversion.setOutput(node, emitMatrixBias(conversion, node, y, bias, beta));
  }
};

/** One value for each output. */
const spread = (bias: Constant | undefined, outputs: number): Constant | undefined => {
  if (bias === undefined || countOf(bias.dims) === outputs) return bias;
  const [value = 0] = realValues(bias);
  return makeConstant(bias.name, 'f32', [outputs], () => value);
};

const mapReal = (constant: Constant, change: (value: number) => number): Constant => {
  const values = realValues(constant);
  return makeConstant(constant.name, 'f32', constant.dims, (i) => change(values[i] ?? 0));
};

/** The one matrix for all rows, [..., K, N], as [N, K]. */
const matrixOf = (given: Constant): Constant => {
  const rank = given.dims.length;
  if (rank === 1) return { ...given, dims: [1, given.dims[0] ?? 1] };
  const axis = Math.max(0, (given.quantisation?.axis ?? 0) - (rank - 2));
  const flat = { ...given, dims: given.dims.slice(-2) };
  const { quantisation } = given;
  return permuteConstant(
    quantisation === undefined ? flat : { ...flat, quantisation: { ...quantisation, axis } },
    [1, 0],
  );
};

/** A product with one matrix, or with many. */
export const emitProduct = (
  conversion: Conversion,
  node: OnnxNode,
  x: Computed,
  given: Constant,
  output: Quantisation | undefined,
  type: Computed['type'] = 'f32',
): Computed =>
  countOf(given.dims.slice(0, -2)) === 1
    ? emitMatrix(conversion, node, x, matrixOf(given), undefined, output, type)
    : emitMatrices(conversion, node, x, given, output, type);

/** More matrices than that are not what a network for a camera is made of. */
const MOST_MATRICES = 64;

/** [..., M, K] x [..., K, N] with a matrix of its own for each index of the dimensions before: one after the other. */
const emitMatrices = (
  conversion: Conversion,
  node: OnnxNode,
  x: Computed,
  given: Constant,
  output: Quantisation | undefined,
  type: Computed['type'] = 'f32',
): Computed => {
  const [k = 1, n = 1] = given.dims.slice(-2);
  const outer = given.dims.slice(0, -2);
  const count = countOf(outer);
  const dims = shapeOf(x);
  const rows = dims.at(-2) ?? 1;
  const alike = outer.length <= dims.length - 2 && countOf(dims.slice(0, -2)) === count;
  if (
    !alike ||
    !outer.every((dim, i) => dim === dims[i + dims.length - 2 - outer.length]) ||
    count > MOST_MATRICES
  )
    throw new OperatorProblem(
      `has ${count} different matrices ${shapeText(given.dims)} for ${shapeText(dims)}`,
    );
  if ((given.quantisation?.scales.length ?? 1) !== 1)
    throw new OperatorProblem(`has ${count} matrices with scales per column`);
  const flat = conversion.reshaped(node, x, [count, rows, dims.at(-1) ?? 1]);
  const parts = Array.from({ length: count }, (_, i) => {
    const piece = cut(conversion, node, flat, [
      { start: i, count: 1, step: 1 },
      { start: 0, count: rows, step: 1 },
      { start: 0, count: k, step: 1 },
    ]);
    const weights = { ...given, dims: [k, n], data: given.data.subarray(i * k * n, (i + 1) * k * n) };
    const y = emitMatrix(
      conversion,
      node,
      conversion.reshaped(node, piece, [rows, k]),
      permuteConstant(weights, [1, 0]),
      undefined,
      output,
      type,
    );
    return conversion.reshaped(node, y, [1, rows, n]);
  });
  return conversion.reshaped(node, joinParts(conversion, node, parts, 0), [...dims.slice(0, -1), n]);
};

export const convertMatMul = (conversion: Conversion, node: OnnxNode): void => {
  const x = conversion.real(node, 0);
  const given = conversion.constant(node, 1, 'matrix B');
  const { values, quantisation } = conversion.numeric(node, [x] as const, areInt8(given));
  const y = emitProduct(conversion, node, values[0], given, quantisation);
  // A vector has no dimension of its own in the product.
  conversion.setOutput(
    node,
    given.dims.length === 1 ? conversion.reshaped(node, y, shapeOf(y).slice(0, -1)) : y,
  );
};
