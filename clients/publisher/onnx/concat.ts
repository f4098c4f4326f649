import type { Tensor } from '../network.js';
import { MAX_OP_INPUTS } from '../szg1.js';
import { makeConstant, realValues, shapeText } from './constant.js';
import {
  computedFrom,
  resolveAxis,
  shapeOf,
  type Computed,
  type Conversion,
  type Value,
} from './conversion.js';
import { emitWithConstant } from './elementwise.js';
import type { OnnxNode } from './node.js';
import { emitPad } from './pooling.js';
import { OperatorProblem } from './problem.js';
import { memoryOrder } from './rearrangement.js';

/** Side by side along a dimension of the engine's; more than fit into one operator in some. */
const join = (
  conversion: Conversion,
  node: OnnxNode,
  given: readonly Tensor[],
  along: number,
  quantisation: Tensor['quantisation'],
): Tensor => {
  let parts = [...given];
  do {
    const joined: Tensor[] = [];
    for (let i = 0; i < parts.length; i += MAX_OP_INPUTS) {
      const some = parts.slice(i, i + MAX_OP_INPUTS);
      const [one] = some;
      if (one === undefined) break;
      const total = some.reduce((sum, part) => sum + (part.dims[along] ?? 0), 0);
      const output = conversion.make(
        one.dims.map((dim, k) => (k === along ? total : dim)),
        quantisation,
      );
      conversion.emit(node, { code: 'CONCAT', inputs: some, output, ints: [along] });
      joined.push(output);
    }
    parts = joined;
  } while (parts.length > 1);
  const [result] = parts;
  if (result === undefined) throw new OperatorProblem('has no input');
  return result;
};

const sizeAlong = (value: Value, axis: number): number => shapeOf(value)[axis] ?? 0;

/** The engine joins what it computed: constants between are zeros first, and then added. */
const joinWithConstants = (
  conversion: Conversion,
  node: OnnxNode,
  values: readonly Value[],
  axis: number,
): Computed => {
  const first = values.findIndex(({ kind }) => kind === 'computed');
  const leader = values[first];
  if (leader?.kind !== 'computed') throw new OperatorProblem('joins constants only');
  const order = memoryOrder(leader);
  const along = order.indexOf(axis);
  const parts: Tensor[] = [];
  for (const [i, value] of values.entries()) {
    if (value.kind !== 'computed') continue;
    const next = values.findIndex((other, k) => k > i && other.kind === 'computed');
    const zeros = (from: number, to: number): number[] =>
      order.map((_, k) =>
        k === along ? values.slice(from, to).reduce((sum, one) => sum + sizeAlong(one, axis), 0) : 0,
      );
    const before = zeros(0, i === first ? first : 0);
    const behind = zeros(i + 1, next < 0 ? values.length : next);
    const tensor = conversion.arranged(node, conversion.dequantised(node, value), order);
    const padded = [...before, ...behind].some((amount) => amount > 0);
    parts.push(padded ? emitPad(conversion, node, tensor, before, behind, 0) : tensor);
  }
  const [only] = parts;
  const whole =
    parts.length === 1 && only !== undefined ? only : join(conversion, node, parts, along, undefined);
  const y = computedFrom(whole, order);
  const dims = shapeOf(y);
  const inner = dims.slice(axis + 1).reduce((a, b) => a * b, 1);
  const places = values.flatMap((value) =>
    Array.from({ length: sizeAlong(value, axis) }, (_, at) => ({ value, at, size: sizeAlong(value, axis) })),
  );
  const real = new Map(
    values.map((value) => [value, value.kind === 'constant' ? realValues(value) : undefined]),
  );
  const added = makeConstant(node.outputs[0] ?? '', 'f32', dims, (i) => {
    const place = places[Math.floor(i / inner) % places.length];
    const data = place && real.get(place.value);
    if (place === undefined || data === undefined) return 0;
    const outer = Math.floor(i / (inner * places.length));
    return data[(outer * place.size + place.at) * inner + (i % inner)] ?? 0;
  });
  return emitWithConstant(conversion, node, 'ADD', y, added, undefined);
};

/** Computed values of one type and quantisation, along a dimension of the model. */
export const joinParts = (
  conversion: Conversion,
  node: OnnxNode,
  parts: readonly Computed[],
  axis: number,
): Computed => {
  const [first] = parts;
  if (first === undefined) throw new OperatorProblem('has no input');
  const order = memoryOrder(first);
  const tensors = parts.map((part) => conversion.arranged(node, part, order));
  const { quantisation } = first.view.tensor;
  return computedFrom(join(conversion, node, tensors, order.indexOf(axis), quantisation), order, first.type);
};

export const convertConcat = (conversion: Conversion, node: OnnxNode): void => {
  const given = node.inputs.map((_, n) => conversion.operand(node, n));
  const [first] = given;
  if (first === undefined) throw new OperatorProblem('has no input');
  if (given.some((value) => value.type !== first.type)) throw new OperatorProblem('mixes types');
  const dims = shapeOf(first);
  const axis = resolveAxis(node.int('axis', 1), dims.length);
  const fits = (value: Value): boolean =>
    shapeOf(value).length === dims.length && shapeOf(value).every((dim, i) => i === axis || dim === dims[i]);
  if (!given.every(fits))
    throw new OperatorProblem(`joins ${given.map((one) => shapeText(shapeOf(one))).join(', ')}`);
  const computed = given.filter((value) => value.kind === 'computed');
  const [leader] = computed;
  if (leader === undefined || computed.length < given.length) {
    if (first.type !== 'f32') throw new OperatorProblem('joins integers with constants');
    conversion.setOutput(node, joinWithConstants(conversion, node, given, axis));
    return;
  }
  const { values, quantisation } =
    leader.type === 'f32'
      ? conversion.numeric(node, computed)
      : { values: computed, quantisation: leader.view.tensor.quantisation };
  const order = memoryOrder(leader);
  const parts = values.map((value) => conversion.arranged(node, value, order));
  const y = join(conversion, node, parts, order.indexOf(axis), quantisation);
  conversion.setOutput(node, computedFrom(y, order, leader.type));
};
