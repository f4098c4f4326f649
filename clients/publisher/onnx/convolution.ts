import { countOf, shapeText, type Constant } from './constant.js';
import { computedFrom, usualOrder, type Computed, type Conversion, shapeOf } from './conversion.js';
import type { OnnxNode } from './node.js';
import { OperatorProblem } from './problem.js';
import { areInt8, weightOperands } from './weights.js';
import { windowsOf } from './windows.js';
import type { Quantisation, Tensor } from '../network.js';

/** [N, C, L] as [N, C, 1, L]. */
export const asPicture = (conversion: Conversion, node: OnnxNode, x: Computed): Computed => {
  const dims = shapeOf(x);
  if (dims.length === 4) return x;
  if (dims.length !== 3)
    throw new OperatorProblem(`reads ${shapeText(dims)}: one or two spatial dimensions are possible`);
  return conversion.reshaped(node, x, [dims[0] ?? 1, dims[1] ?? 1, 1, dims[2] ?? 1]);
};

/** The output [N, C, H, W] of a tensor [N, H, W, C], with as many dimensions as the model's input. */
export const fromPicture = (
  conversion: Conversion,
  node: OnnxNode,
  y: Tensor,
  rank: number,
  type: Computed['type'] = 'f32',
): Computed => {
  const value = computedFrom(y, usualOrder(4), type);
  const dims = shapeOf(value);
  return rank === 4 ? value : conversion.reshaped(node, value, [...dims.slice(0, 2), ...dims.slice(3)]);
};

/** Weights [O, C/groups, KH, KW]. */
const F32_ORDER = [2, 3, 1, 0];
const I8_ORDER = [0, 2, 3, 1];
/** Depthwise, [C*m, 1, KH, KW]. */
const DEPTHWISE_ORDER = [1, 2, 3, 0];

/** A convolution whose operands are known, in float32 or, with `output`, in int8. */
export const emitConvolution = (
  conversion: Conversion,
  node: OnnxNode,
  x: Computed,
  weights: Constant,
  bias: Constant | undefined,
  output: Quantisation | undefined,
  type: Computed['type'] = 'f32',
): Computed => {
  const rank = shapeOf(x).length;
  const [, , ...spatial] = shapeOf(x);
  if (weights.dims.length !== rank || (rank !== 3 && rank !== 4))
    throw new OperatorProblem(`has weights ${shapeText(weights.dims)} for ${shapeText(shapeOf(x))}`);
  const kernels = weights.dims.slice(2);
  const stated = node.ints('kernel_shape');
  if (stated !== undefined && stated.some((size, i) => size !== kernels[i]))
    throw new OperatorProblem(`has kernel_shape ${shapeText(stated)} for weights ${shapeText(weights.dims)}`);
  const [vertical, horizontal] = windowsOf(node, spatial, kernels);
  const [o = 0, depth = 0] = weights.dims;
  const tensor = conversion.arranged(node, asPicture(conversion, node, x), usualOrder(4));
  const [n = 1, , , c = 1] = tensor.dims;
  const groups = node.int('group', 1);
  if (depth * groups !== c || !(groups >= 1) || o < 1 || o % groups !== 0)
    throw new OperatorProblem(`has weights ${shapeText(weights.dims)} in ${groups} groups for ${c} channels`);
  const depthwise = groups > 1 && depth === 1;
  const y = conversion.make([n, vertical.output, horizontal.output, o], output);
  const kernel: Constant = { ...weights, dims: [o, depth, vertical.kernel, horizontal.kernel] };
  const order = depthwise ? { f32: DEPTHWISE_ORDER, i8: DEPTHWISE_ORDER } : { f32: F32_ORDER, i8: I8_ORDER };
  const quantised =
    output === undefined || tensor.quantisation === undefined
      ? undefined
      : { x: tensor.quantisation, y: output };
  const pads = [vertical.before, horizontal.before, vertical.behind, horizontal.behind];
  conversion.emit(node, {
    code: depthwise ? 'DEPTHWISE_2D' : 'CONV_2D',
    inputs: [tensor, ...weightOperands({ weights: kernel, bias }, order, quantised)],
    output: y,
    ints: [
      vertical.stride,
      horizontal.stride,
      vertical.dilation,
      horizontal.dilation,
      ...pads,
      depthwise ? o / c : groups,
    ],
  });
  return fromPicture(conversion, node, y, rank, type);
};

export const convertConv = (conversion: Conversion, node: OnnxNode): void => {
  const x = conversion.real(node, 0);
  const weights = conversion.constant(node, 1, 'weight');
  const bias = conversion.optional(node, 2) && conversion.constant(node, 2, 'bias');
  if (countOf(weights.dims) < 1) throw new OperatorProblem('has no weights');
  const { values, quantisation } = conversion.numeric(node, [x] as const, areInt8(weights));
  conversion.setOutput(node, emitConvolution(conversion, node, values[0], weights, bias, quantisation));
};
