import type { Quantisation, Tensor } from '../network.js';
import { requantisationScale } from '../requantise.js';
import { MAX_INT8_DEPTH } from '../szg1.js';
import { countOf, expanded, permuteConstant, realValues, type Constant } from './constant.js';
import { OperatorProblem } from './problem.js';

/** Weights of a convolution or a matrix, output channels along dimension 0, with their bias. */
export interface LinearWeights {
  /** [O, ...] */
  readonly weights: Constant;
  /** One real value for each output channel. */
  readonly bias: Constant | undefined;
}

/** The order of dimensions in which the engine reads them: for float32, for int8. */
export interface WeightOrder {
  readonly f32: readonly number[];
  readonly i8: readonly number[];
}

/** Can an int8 operator compute with them? */
export const areInt8 = ({ data, quantisation }: Constant): boolean =>
  quantisation !== undefined && (data instanceof Int8Array || data instanceof Uint8Array);

const perChannel = (values: readonly number[], outputs: number): number[] =>
  values.length === 1 ? new Array<number>(outputs).fill(values[0] ?? 0) : [...values];

/** int8 values and the zero point that all of them have. */
const int8Weights = ({ name, data, quantisation }: Constant): { values: Int8Array; zeroPoint: number } => {
  const unsigned = data instanceof Uint8Array;
  const [zeroPoint = 0, ...others] = quantisation?.zeroPoints ?? [];
  if (others.some((other) => other !== zeroPoint))
    throw new OperatorProblem(`has weights ${name} with different zero points per channel`);
  return {
    values: Int8Array.from(data, (value) => (unsigned ? value - 128 : value)),
    zeroPoint: unsigned ? zeroPoint - 128 : zeroPoint,
  };
};

/** The bias as a sum of products of quantised values. */
const int32Bias = (bias: Constant, scales: readonly number[], inputScale: number): Int32Array => {
  const { data, quantisation, name } = bias;
  const real = realValues(bias);
  return Int32Array.from({ length: data.length }, (_, i) => {
    const unit = inputScale * (scales[i] ?? 0);
    const stored = quantisation && perChannel(quantisation.scales, data.length)[i];
    const zero = quantisation && perChannel(quantisation.zeroPoints, data.length)[i];
    // Stored in the same unit, as it should be: then exactly what is stored.
    const exact = stored !== undefined && Math.abs(stored - unit) <= 1e-5 * unit;
    const value = exact ? (data[i] ?? 0) - (zero ?? 0) : unit === 0 ? 0 : Math.round((real[i] ?? 0) / unit);
    if (!(Math.abs(value) < 2 ** 31)) throw new OperatorProblem(`has a bias ${name} that does not fit int32`);
    return value;
  });
};

/**
 * The operands w, b and s of an operator in the form of graph.h.
 * @param x quantisation of the input; with `y`, that of the output: int8. Without them: float32.
 */
export const weightOperands = (
  { weights, bias }: LinearWeights,
  order: WeightOrder,
  quantised: { readonly x: Quantisation; readonly y: Quantisation } | undefined,
): (Tensor | null)[] => {
  const outputs = weights.dims[0] ?? 0;
  const { name } = weights;
  if (bias !== undefined && countOf(bias.dims) !== outputs)
    throw new OperatorProblem(`has ${countOf(bias.dims)} values of bias for ${outputs} outputs`);
  if (quantised === undefined) {
    const real = permuteConstant(expanded(weights), order.f32);
    return [
      { name, dtype: 'f32', dims: real.dims, data: real.data as Float32Array },
      bias === undefined ? null : { name: bias.name, dtype: 'f32', dims: [outputs], data: realValues(bias) },
    ];
  }
  const { scales: stored = [], axis = 0 } = weights.quantisation ?? {};
  if (stored.length !== 1 && (axis !== 0 || stored.length !== outputs))
    throw new OperatorProblem(`has weights ${name} with ${stored.length} scales along another dimension`);
  if (countOf(weights.dims) / outputs > MAX_INT8_DEPTH)
    throw new OperatorProblem(
      `sums ${countOf(weights.dims) / outputs} products, at most ${MAX_INT8_DEPTH} fit int32`,
    );
  const scales = perChannel(stored, outputs);
  const { values, zeroPoint } = int8Weights(permuteConstant(weights, order.i8));
  const dims = order.i8.map((from) => weights.dims[from] ?? 1);
  const factors = Float32Array.from(scales, (scale) =>
    requantisationScale(quantised.x.scale, scale, quantised.y.scale),
  );
  if (factors.some((factor) => !Number.isFinite(factor) || factor < 0))
    throw new OperatorProblem(`has weights ${name} with an impossible scale`);
  if (zeroPoint < -128 || zeroPoint > 127)
    throw new OperatorProblem(`has weights ${name} with zero point ${zeroPoint}`);
  const quantisation = { scale: stored.length === 1 ? (stored[0] ?? 1) : 1, zeroPoint };
  return [
    { name, dtype: 'i8', dims, data: values, quantisation },
    bias === undefined
      ? null
      : {
          name: bias.name,
          dtype: 'i32',
          dims: [outputs],
          data: int32Bias(bias, scales, quantised.x.scale),
        },
    { name: `${name} factors`, dtype: 'f32', dims: [outputs], data: factors },
  ];
};
