import type { Operation, Tensor } from '../network.js';
import { ModelImportError } from '../import-error.js';
import { MAX_INT8_DEPTH, type OpCode } from '../szg1.js';

const WEIGHTED: readonly OpCode[] = ['CONV_2D', 'DEPTHWISE_2D', 'FULLY_CONNECTED'];

/** A sum of products per output channel, whatever the operator: weight `tap` of `output` is at `tap * outputs + output`. */
export interface FloatKernel {
  readonly weights: Tensor;
  readonly values: Float32Array;
  readonly outputs: number;
  /** Products per output value. */
  readonly taps: number;
  readonly bias: Float32Array;
  /** So many channels that inputs are counted in. */
  readonly inputs: number;
  /** The input channel that a tap of an output reads. */
  readonly inputOf: (tap: number, output: number) => number;
}

/** The float weights of an operation; undefined where it has none. All float layouts have the outputs last (graph.h). */
export const floatKernel = (operation: Operation): FloatKernel | undefined => {
  const [x, w, b] = operation.inputs;
  if (!WEIGHTED.includes(operation.code) || !x || !(w?.data instanceof Float32Array)) return undefined;
  const outputs = w.dims.at(-1) ?? 1;
  const taps = w.data.length / outputs;
  const bias = b?.data instanceof Float32Array ? b.data : new Float32Array(outputs);
  const depth = w.dims.at(-2) ?? 1;
  const common = { weights: w, values: w.data, outputs, taps, bias };
  if (operation.code === 'FULLY_CONNECTED') return { ...common, inputs: depth, inputOf: (tap) => tap };
  const inputs = x.dims.at(-1) ?? 1;
  if (operation.code === 'DEPTHWISE_2D') {
    const multiplier = operation.ints[8] ?? 1;
    return { ...common, inputs, inputOf: (_, o) => Math.floor(o / multiplier) };
  }
  const perGroup = outputs / (operation.ints[8] ?? 1);
  return { ...common, inputs, inputOf: (tap, o) => Math.floor(o / perGroup) * depth + (tap % depth) };
};

/** Weights with a scale per output channel. */
export interface Int8Kernel {
  /** As the float ones: outputs last. */
  readonly values: Int8Array;
  readonly scales: Float32Array;
}

/** Greatest int32 that a bias may take: as much again is left to the products. */
const MOST_BIAS = 2 ** 30;

/** Symmetric, each output channel by its greatest weight; no smaller than the channel's bias allows. */
export const quantiseKernel = (
  { values, outputs, taps, bias, weights }: FloatKernel,
  inputScale: number,
  correction?: Float64Array,
): Int8Kernel => {
  if (taps > MAX_INT8_DEPTH)
    throw new ModelImportError(weights.name, [
      `it sums ${taps} products, at most ${MAX_INT8_DEPTH} fit int32`,
    ]);
  const greatest = new Float32Array(outputs);
  for (let i = 0; i < values.length; i++) {
    const magnitude = Math.abs(values[i] ?? 0);
    if (magnitude > (greatest[i % outputs] ?? 0)) greatest[i % outputs] = magnitude;
  }
  const scales = greatest.map((most, o) => {
    const forBias = Math.abs((bias[o] ?? 0) + (correction?.[o] ?? 0)) / MOST_BIAS / inputScale;
    return Math.max(most / 127, forBias, 1e-12);
  });
  const inverse = Float64Array.from(scales, (scale) => 1 / scale);
  const quantised = new Int8Array(values.length);
  for (let i = 0; i < values.length; i++)
    quantised[i] = Math.max(-127, Math.min(127, Math.round((values[i] ?? 0) * (inverse[i % outputs] ?? 0))));
  return { values: quantised, scales };
};

/**
 * What rounding the weights takes from the mean output, per channel. Nothing is done about what activations lose: an operator's
 * share of that cannot be told from that of the ones before it, and making up for it twice is worse than not at all.
 */
export const meanError = (kernel: FloatKernel, int8: Int8Kernel, means: Float64Array): Float64Array => {
  const { values, outputs, taps, inputOf } = kernel;
  const error = new Float64Array(outputs);
  for (let tap = 0; tap < taps; tap++)
    for (let o = 0; o < outputs; o++) {
      const i = tap * outputs + o;
      const lost = (values[i] ?? 0) - (int8.values[i] ?? 0) * (int8.scales[o] ?? 0);
      error[o] = (error[o] ?? 0) + lost * (means[inputOf(tap, o)] ?? 0);
    }
  return error;
};
