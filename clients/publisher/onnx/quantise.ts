import type { Quantisation } from '../network.js';
import { countOf, makeConstant, realValues, shapeText, type Constant } from './constant.js';
import { resolveAxis, type Computed, type Conversion } from './conversion.js';
import { emitConvolution } from './convolution.js';
import { emitProduct } from './matrix.js';
import type { OnnxNode } from './node.js';
import { OperatorProblem } from './problem.js';
import { withTensor } from './view.js';

/** A scale and zero point as they are in the file. */
export interface FileQuantisation {
  readonly scales: readonly number[];
  readonly zeroPoints: readonly number[];
  readonly type: 'u8' | 'i8' | 'i32';
}

/** @param zero undefined: zero points are 0 of type `otherwise` */
export const fileQuantisation = (
  scale: Constant,
  zero: Constant | undefined,
  otherwise: 'u8' | 'i8' | 'i32',
): FileQuantisation => {
  const scales = Array.from(realValues(scale));
  const type = zero?.type ?? otherwise;
  if (type !== 'u8' && type !== 'i8' && type !== 'i32')
    throw new OperatorProblem(`quantises to ${type}, only int8 and uint8 are possible`);
  if (scales.some((one) => !(one > 0) || !Number.isFinite(one)))
    throw new OperatorProblem(`has an impossible scale in ${scale.name}`);
  const zeroPoints = zero === undefined ? scales.map(() => 0) : Array.from(zero.data);
  if (zeroPoints.length !== scales.length)
    throw new OperatorProblem(`has ${scales.length} scales and ${zeroPoints.length} zero points`);
  return { scales, zeroPoints, type };
};

/** One scale for a tensor, as the engine has it: uint8 becomes int8, 128 less. */
export const tensorQuantisation = ({ scales, zeroPoints, type }: FileQuantisation): Quantisation => {
  const [scale, another] = scales;
  if (scale === undefined || another !== undefined)
    throw new OperatorProblem(`has ${scales.length} scales for a computed value, one is possible`);
  if (type === 'i32') throw new OperatorProblem('quantises a computed value to int32');
  const zeroPoint = (zeroPoints[0] ?? 0) - (type === 'u8' ? 128 : 0);
  return { scale: Math.fround(scale), zeroPoint };
};

const sameQuantisation = (a: Quantisation | undefined, b: Quantisation): boolean =>
  a?.scale === b.scale && a.zeroPoint === b.zeroPoint;

const quantisationInputs = (
  conversion: Conversion,
  node: OnnxNode,
  at: number,
  otherwise: 'u8' | 'i8' | 'i32',
): FileQuantisation =>
  fileQuantisation(
    conversion.constant(node, at, 'scale'),
    conversion.optional(node, at + 1) && conversion.constant(node, at + 1, 'zero point'),
    otherwise,
  );

/** ONNX numbers of the types that `output_dtype` may name. */
const OUTPUT_TYPES: ReadonlyMap<number, 'u8' | 'i8'> = new Map<number, 'u8' | 'i8'>([
  [0, 'u8'],
  [2, 'u8'],
  [3, 'i8'],
]);

const halfEven = (x: number): number => {
  const floor = Math.floor(x);
  const rest = x - floor;
  return rest > 0.5 || (rest === 0.5 && floor % 2 !== 0) ? floor + 1 : floor;
};

export const convertQuantizeLinear = (conversion: Conversion, node: OnnxNode): void => {
  const value = conversion.operand(node, 0);
  const otherwise = OUTPUT_TYPES.get(node.int('output_dtype', 0));
  if (otherwise === undefined || node.int('block_size', 0) !== 0)
    throw new OperatorProblem('quantises in blocks or to another type than int8 and uint8');
  const file = quantisationInputs(conversion, node, 1, otherwise);
  if (value.kind === 'constant') {
    conversion.setOutput(node, quantisedConstant(node, value, file));
    return;
  }
  const x = conversion.real(node, 0);
  const quantisation = tensorQuantisation(file);
  const type = file.type === 'u8' ? 'u8' : 'i8';
  if (sameQuantisation(x.view.tensor.quantisation, quantisation)) {
    conversion.setOutput(node, { ...x, type });
    return;
  }
  const { tensor } = x.view;
  const output = conversion.make(tensor.dims, quantisation);
  conversion.emit(node, { code: 'QUANTIZE', inputs: [tensor], output });
  conversion.setOutput(node, { kind: 'computed', type, view: withTensor(x.view, output) });
};

/** Which scale belongs to element i. */
const channelOf = (dims: readonly number[], count: number, axis: number): ((i: number) => number) => {
  if (count === 1) return () => 0;
  const inner = countOf(dims.slice(axis + 1));
  return (i) => Math.floor(i / inner) % count;
};

const axisFor = (node: OnnxNode, dims: readonly number[], count: number): number => {
  if (count === 1) return 0;
  const axis = resolveAxis(node.int('axis', 1), dims.length);
  if (dims[axis] !== count)
    throw new OperatorProblem(`has ${count} scales along dimension ${axis} of ${shapeText(dims)}`);
  return axis;
};

const quantisedConstant = (node: OnnxNode, value: Constant, file: FileQuantisation): Constant => {
  const { scales, zeroPoints, type } = file;
  const real = realValues(value);
  const axis = axisFor(node, value.dims, scales.length);
  const channel = channelOf(value.dims, scales.length, axis);
  const [least, most] = type === 'u8' ? [0, 255] : [-128, 127];
  return makeConstant(`${value.name} quantised`, type, value.dims, (i) => {
    const c = channel(i);
    const q = halfEven((real[i] ?? 0) / (scales[c] ?? 1)) + (zeroPoints[c] ?? 0);
    return Math.min(most, Math.max(least, q));
  });
};

/** The integers stay as they are: who computes in int8 uses them, others expand them. */
const withQuantisation = (
  node: OnnxNode,
  value: Constant,
  { scales, zeroPoints }: FileQuantisation,
): Constant => {
  const axis = axisFor(node, value.dims, scales.length);
  return { ...value, type: 'f32', quantisation: { scales, zeroPoints, axis } };
};

export const convertDequantizeLinear = (conversion: Conversion, node: OnnxNode): void => {
  const value = conversion.operand(node, 0);
  if (node.int('block_size', 0) !== 0) throw new OperatorProblem('is quantised in blocks');
  const { type } = value;
  if (type !== 'u8' && type !== 'i8' && type !== 'i32')
    throw new OperatorProblem(`dequantises ${type}, int8, uint8 and int32 are possible`);
  const file = quantisationInputs(conversion, node, 1, type);
  if (file.type !== type) throw new OperatorProblem(`dequantises ${type} with a zero point of ${file.type}`);
  if (value.kind === 'constant') conversion.setOutput(node, withQuantisation(node, value, file));
  else conversion.setOutput(node, { ...expectQuantisation(value, tensorQuantisation(file)), type: 'f32' });
};

/** Integers mean what the value was quantised with; another meaning has no operator. */
const expectQuantisation = (value: Computed, quantisation: Quantisation): Computed => {
  if (sameQuantisation(value.view.tensor.quantisation, quantisation)) return value;
  throw new OperatorProblem('reads integers with another scale or zero point than they were made with');
};

/** As bias of int8 products: integers in the unit of their sum. */
const sumBias = (
  bias: Constant | undefined,
  x: Quantisation,
  scales: readonly number[],
): Constant | undefined =>
  bias && {
    ...bias,
    type: 'f32',
    quantisation: {
      scales: scales.map((scale) => x.scale * scale),
      zeroPoints: scales.map(() => 0),
      axis: 0,
    },
  };

const integers = (conversion: Conversion, node: OnnxNode, n: number, scaleAt: number): Computed => {
  const x = conversion.computed(node, n);
  if (x.type === 'f32') throw new OperatorProblem('computes with floats, int8 or uint8 is expected');
  return expectQuantisation(x, tensorQuantisation(quantisationInputs(conversion, node, scaleAt, x.type)));
};

/** Integer weights with their scales along `axis`. */
const integerWeights = (conversion: Conversion, node: OnnxNode, n: number, axis: number): Constant => {
  const weights = conversion.constant(node, n, 'weight');
  const { type } = weights;
  if (type !== 'u8' && type !== 'i8') throw new OperatorProblem(`has weights of type ${type}`);
  const { scales, zeroPoints } = quantisationInputs(conversion, node, n + 1, type);
  return { ...weights, type: 'f32', quantisation: { scales, zeroPoints, axis } };
};

export const convertQLinearConv = (conversion: Conversion, node: OnnxNode): void => {
  const x = integers(conversion, node, 0, 1);
  const weights = integerWeights(conversion, node, 3, 0);
  const file = quantisationInputs(conversion, node, 6, x.type === 'u8' ? 'u8' : 'i8');
  const y = tensorQuantisation(file);
  const bias = conversion.optional(node, 8) && conversion.constant(node, 8, 'bias');
  const quantisation = x.view.tensor.quantisation ?? y;
  const sum = sumBias(bias, quantisation, weights.quantisation?.scales ?? []);
  const type = file.type === 'u8' ? 'u8' : 'i8';
  conversion.setOutput(node, emitConvolution(conversion, node, x, weights, sum, y, type));
};

export const convertQLinearMatMul = (conversion: Conversion, node: OnnxNode): void => {
  const x = integers(conversion, node, 0, 1);
  const given = integerWeights(conversion, node, 3, 0);
  const axis = given.dims.length - 1;
  const weights =
    given.quantisation === undefined ? given : { ...given, quantisation: { ...given.quantisation, axis } };
  const file = quantisationInputs(conversion, node, 6, x.type === 'u8' ? 'u8' : 'i8');
  const type = file.type === 'u8' ? 'u8' : 'i8';
  conversion.setOutput(node, emitProduct(conversion, node, x, weights, tensorQuantisation(file), type));
};

/** Pictures of bytes as real numbers. */
export const convertCast = (conversion: Conversion, node: OnnxNode): void => {
  const x = conversion.computed(node, 0);
  const to = node.int('to', 0);
  const FLOATS = [1, 10, 11];
  if (!FLOATS.includes(to)) throw new OperatorProblem('turns computed values into integers');
  if (x.type === 'f32') {
    conversion.setOutput(node, x);
    return;
  }
  const plain = { scale: 1, zeroPoint: x.type === 'u8' ? -128 : 0 };
  conversion.setOutput(node, { ...expectQuantisation(x, plain), type: 'f32' });
};
