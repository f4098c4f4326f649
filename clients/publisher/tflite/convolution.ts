import type { Tensor } from '../network.js';
import { elementCount } from '../network.js';
import { requantisationScale } from '../requantise.js';
import { MAX_INT8_DEPTH } from '../szg1.js';
import { Conversion, fusedActivation, int8Values, OperatorProblem } from './conversion.js';
import type { TfliteOperator, TfliteTensor } from './file.js';
import { Field } from './schema.js';
import { windowPadding } from './windows.js';

/** How the engine wants the weights of an operator whose file layout is [O, depth] with `outputAxis` 0. */
type FloatLayout = (values: Float32Array, dims: readonly number[]) => { data: Float32Array; dims: number[] };

/** [O, ...rest] -> [...rest, O]: the innermost loop of the float kernels runs over output channels. */
const outputsLast: FloatLayout = (values, dims) => {
  const outputs = dims[0] ?? 1;
  const depth = values.length / outputs;
  const data = new Float32Array(values.length);
  for (let o = 0; o < outputs; o++)
    for (let i = 0; i < depth; i++) data[i * outputs + o] = values[o * depth + i] ?? 0;
  return { data, dims: [...dims.slice(1), outputs] };
};

const asStored: FloatLayout = (data, dims) => ({ data, dims: [...dims] });

const dims4 = (tensor: Tensor): [number, number, number, number] => {
  const [n, h, w, c] = tensor.dims;
  if (tensor.dims.length !== 4 || n === undefined || h === undefined || w === undefined || c === undefined)
    throw new OperatorProblem(`${tensor.name} has ${tensor.dims.length} dimensions, 4 are needed`);
  return [n, h, w, c];
};

/** One scale per output channel, from one scale or one per channel. */
const weightScales = (source: TfliteTensor, outputs: number, axis: number): number[] => {
  const { scales, name } = source;
  if (scales.length === 1) return new Array<number>(outputs).fill(scales[0] ?? 0);
  if (scales.length !== outputs || source.quantizedDimension !== axis)
    throw new OperatorProblem(
      `${name} has ${scales.length} scales along dimension ${source.quantizedDimension}`,
    );
  if (source.zeroPoints.some((zeroPoint) => zeroPoint !== 0))
    throw new OperatorProblem(`${name} has zero points per channel`);
  return [...scales];
};

/** The operands w, b and s of an operator in the form of graph.h. `outputAxis`: of the weights in the file. */
const weightOperands = (
  conversion: Conversion,
  operator: TfliteOperator,
  x: Tensor,
  y: Tensor,
  outputAxis: number,
  layout: FloatLayout,
): (Tensor | null)[] => {
  const weights = conversion.operand(operator, 1);
  const bias = conversion.optional(operator, 2);
  if (weights.data === undefined) throw new OperatorProblem(`weights ${weights.name} are not a constant`);
  if (bias !== undefined && bias.data === undefined)
    throw new OperatorProblem(`bias ${bias.name} is not a constant`);
  const outputs = weights.dims[outputAxis] ?? 0;
  if (bias !== undefined && elementCount(bias) !== outputs)
    throw new OperatorProblem(`bias ${bias.name} has ${elementCount(bias)} elements for ${outputs} outputs`);
  if (x.dtype !== y.dtype) throw new OperatorProblem(`reads ${x.dtype} and writes ${y.dtype}`);

  if (x.dtype === 'f32') {
    const values =
      weights.data instanceof Float32Array ? weights.data : dequantised(conversion, operator, outputAxis);
    if (bias !== undefined && bias.dtype !== 'f32')
      throw new OperatorProblem(`bias ${bias.name} is not float`);
    const { data, dims } = layout(values, weights.dims);
    return [{ name: weights.name, dtype: 'f32', dims, data }, bias === undefined ? null : vector(bias)];
  }

  const source = conversion.sourceOf(operator, 1);
  const data = int8Values(source);
  const scales = weightScales(source, outputs, outputAxis);
  const zeroPoint = weights.quantisation?.zeroPoint ?? 0;
  if (bias !== undefined && bias.dtype !== 'i32') throw new OperatorProblem(`bias ${bias.name} is not int32`);
  if (outputAxis === 0 && data.length / outputs > MAX_INT8_DEPTH)
    throw new OperatorProblem(`sums ${data.length / outputs} products, at most ${MAX_INT8_DEPTH} fit int32`);
  const factors = Float32Array.from(scales, (scale) =>
    requantisationScale(x.quantisation?.scale ?? 0, scale, y.quantisation?.scale ?? 0),
  );
  if (factors.some((factor) => !Number.isFinite(factor) || factor < 0))
    throw new OperatorProblem(`${source.name} has an impossible scale`);
  const scale = source.scales.length === 1 ? (scales[0] ?? 1) : 1;
  return [
    { name: weights.name, dtype: 'i8', dims: weights.dims, data, quantisation: { scale, zeroPoint } },
    bias === undefined ? null : vector(bias),
    { name: `${weights.name} factors`, dtype: 'f32', dims: [outputs], data: factors },
  ];
};

const vector = (tensor: Tensor): Tensor => ({ ...tensor, dims: [elementCount(tensor)] });

/** Dynamic-range models: int8 weights of a float operator, as floats. */
const dequantised = (conversion: Conversion, operator: TfliteOperator, outputAxis: number): Float32Array => {
  const source = conversion.sourceOf(operator, 1);
  const values = int8Values(source);
  const outputs = source.shape[outputAxis] ?? 0;
  const scales = weightScales(source, outputs, outputAxis);
  const zeroPoint = (source.zeroPoints[0] ?? 0) - (source.type === 'UINT8' ? 128 : 0);
  const inner = outputAxis === 0 ? values.length / outputs : 1;
  return Float32Array.from(values, (value, i) =>
    Math.fround((value - zeroPoint) * (scales[Math.floor(i / inner) % outputs] ?? 0)),
  );
};

/** Of two sides, first the vertical one. */
type Sides = readonly [number, number];

/** Strides, dilations and padding of a window over both sides, in the order of CONV_2D and DEPTHWISE_2D. */
const windowInts = (
  operator: TfliteOperator,
  at: typeof Field.conv | typeof Field.depthwise,
  { input, output, kernel }: { readonly input: Sides; readonly output: Sides; readonly kernel: Sides },
): number[] => {
  const number = (field: number): number => operator.options?.int32(field, 1) ?? 1;
  const strides = [number(at.strideH), number(at.strideW)] as const;
  const dilations = [number(at.dilationH), number(at.dilationW)] as const;
  const padding = (side: 0 | 1): readonly [number, number] =>
    windowPadding(operator, at.padding, {
      input: input[side],
      output: output[side],
      kernel: kernel[side],
      stride: strides[side],
      dilation: dilations[side],
    });
  const [top, bottom] = padding(0);
  const [left, right] = padding(1);
  return [...strides, ...dilations, top, left, bottom, right];
};

export const convertConvolution = (conversion: Conversion, operator: TfliteOperator): void => {
  const x = conversion.computed(operator, 0);
  const weights = conversion.operand(operator, 1);
  const [, h, w, c] = dims4(x);
  const [, kh, kw, depth] = dims4(weights);
  if (depth < 1 || c % depth !== 0) throw new OperatorProblem(`has weights for ${depth} of ${c} channels`);
  const y = conversion.output(operator);
  const [, oh, ow, o] = dims4(y);
  const groups = c / depth;
  if (weights.dims[0] !== o || o % groups !== 0)
    throw new OperatorProblem(`gives ${o} channels with ${weights.dims[0]} kernels in ${groups} groups`);
  const at = Field.conv;
  const sides = { input: [h, w], output: [oh, ow], kernel: [kh, kw] } as const;
  conversion.emit(operator, {
    code: 'CONV_2D',
    activation: fusedActivation(operator, at.activation),
    inputs: [x, ...weightOperands(conversion, operator, x, y, 0, outputsLast)],
    output: y,
    ints: [...windowInts(operator, at, sides), groups],
  });
};

export const convertDepthwise = (conversion: Conversion, operator: TfliteOperator): void => {
  const x = conversion.computed(operator, 0);
  const weights = conversion.operand(operator, 1);
  const [, h, w, c] = dims4(x);
  const [one, kh, kw, o] = dims4(weights);
  const y = conversion.output(operator);
  const [, oh, ow, channels] = dims4(y);
  if (one !== 1 || o !== channels || o % c !== 0)
    throw new OperatorProblem(
      `gives ${channels} channels from ${c} with weights [${weights.dims.join(', ')}]`,
    );
  const at = Field.depthwise;
  const sides = { input: [h, w], output: [oh, ow], kernel: [kh, kw] } as const;
  conversion.emit(operator, {
    code: 'DEPTHWISE_2D',
    activation: fusedActivation(operator, at.activation),
    inputs: [x, ...weightOperands(conversion, operator, x, y, 3, asStored)],
    output: y,
    ints: [...windowInts(operator, at, sides), o / c],
  });
};

export const convertFullyConnected = (conversion: Conversion, operator: TfliteOperator): void => {
  const x = conversion.computed(operator, 0);
  const weights = conversion.operand(operator, 1);
  const [o = 0, depth = 0] = weights.dims;
  const format = operator.options?.int8(Field.fullyConnected.weightsFormat) ?? 0;
  if (format !== 0) throw new OperatorProblem(`has shuffled weights (format ${format})`);
  if (weights.dims.length !== 2 || elementCount(x) % depth !== 0)
    throw new OperatorProblem(`has weights [${weights.dims.join(', ')}] for ${elementCount(x)} values`);
  const y = conversion.output(operator);
  if (y.dims.at(-1) !== o || elementCount(y) / o !== elementCount(x) / depth)
    throw new OperatorProblem(`gives [${y.dims.join(', ')}], ${elementCount(x) / depth} x ${o} is expected`);
  conversion.emit(operator, {
    code: 'FULLY_CONNECTED',
    activation: fusedActivation(operator, Field.fullyConnected.activation),
    inputs: [x, ...weightOperands(conversion, operator, x, y, 0, outputsLast)],
    output: y,
  });
};
