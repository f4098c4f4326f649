import type { Quantisation } from '../../clients/publisher/index.js';
import type { Convolution, Net } from './net.js';

/** Least and greatest value of a tensor. */
export type Range = readonly [least: number, greatest: number];

/** int8 weights of a convolution, symmetric, one scale for each output channel. */
export interface QuantisedWeights {
  /** In the order of the float weights. */
  readonly values: Int8Array;
  readonly scales: Float32Array;
  /** In units of input scale × weight scale. */
  readonly bias: Int32Array;
}

/** A net with int8 tensors; its softmax is left out, as runtimes leave it to float. */
export interface QuantisedNet {
  readonly net: Net;
  readonly tensors: readonly Quantisation[];
  readonly weights: ReadonlyMap<Convolution, QuantisedWeights>;
}

/** The layers that an int8 net runs. */
export const quantisedLayers = ({ layers }: Net): Net['layers'] =>
  layers.filter(({ op }) => op !== 'softmax');

/** The tensor of the last layer that runs. */
export const outputOf = (layers: Net['layers']): number => layers.at(-1)?.output ?? 0;

/**
 * Post-training quantisation: asymmetric int8 activations over the observed ranges, symmetric int8 weights per channel. What
 * only moves values (pooling by maximum, padding, concatenation) has one quantisation for inputs and output, so that no
 * engine has to convert there.
 */
export const quantise = (net: Net, ranges: readonly Range[]): QuantisedNet => {
  const groups = sharedQuantisation(net);
  const joined = new Map<number, Range>();
  for (const [tensor, [least, greatest]] of ranges.entries()) {
    const group = groups[tensor] ?? tensor;
    const [low, high] = joined.get(group) ?? [0, 0];
    joined.set(group, [Math.min(low, least), Math.max(high, greatest)]);
  }
  const tensors = net.tensors.map((_, tensor) =>
    quantisationOf(joined.get(groups[tensor] ?? tensor) ?? [0, 1]),
  );
  const weights = new Map<Convolution, QuantisedWeights>();
  for (const layer of net.layers)
    if (layer.op === 'conv' || layer.op === 'depthwise')
      weights.set(layer, quantiseWeights(layer, tensors[layer.input]?.scale ?? 1));
  return { net, tensors, weights };
};

/** For each tensor the one of its group that stands for all. */
const sharedQuantisation = ({ tensors, layers }: Net): number[] => {
  const group = tensors.map((_, i) => i);
  const find = (tensor: number): number => {
    const parent = group[tensor] ?? tensor;
    return parent === tensor ? tensor : find(parent);
  };
  for (const layer of layers) {
    if (layer.op === 'maxPool' || layer.op === 'subsample' || layer.op === 'padChannels')
      group[find(layer.output)] = find(layer.input);
    if (layer.op === 'concat') for (const input of layer.inputs) group[find(input)] = find(layer.output);
  }
  return group.map((_, i) => find(i));
};

/** 0 is always exact, as padding needs it. */
const quantisationOf = ([least, greatest]: Range): Quantisation => {
  const scale = Math.fround(Math.max(greatest - least, 1e-6) / 255);
  return { scale, zeroPoint: Math.max(-128, Math.min(127, Math.round(-128 - least / scale))) };
};

const quantiseWeights = ({ op, weights, bias }: Convolution, inputScale: number): QuantisedWeights => {
  const outputs = bias.length;
  const count = weights.length / outputs;
  const values = new Int8Array(weights.length);
  const scales = new Float32Array(outputs);
  const quantisedBias = new Int32Array(outputs);
  for (let o = 0; o < outputs; o += 1) {
    const index = (i: number): number => (op === 'conv' ? o * count + i : i * outputs + o);
    let most = 0;
    for (let i = 0; i < count; i += 1) most = Math.max(most, Math.abs(weights[index(i)] ?? 0));
    const scale = Math.fround(Math.max(most, 1e-6) / 127);
    scales[o] = scale;
    for (let i = 0; i < count; i += 1)
      values[index(i)] = Math.max(-127, Math.min(127, Math.round((weights[index(i)] ?? 0) / scale)));
    quantisedBias[o] = Math.round((bias[o] ?? 0) / (inputScale * scale));
  }
  return { values, scales, bias: quantisedBias };
};

/** A float input in a quantised net's terms. */
export const quantiseInput = (input: Float32Array, { scale, zeroPoint }: Quantisation): Int8Array =>
  Int8Array.from(input, (value) => Math.max(-128, Math.min(127, Math.round(value / scale) + zeroPoint)));
