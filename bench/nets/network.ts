import type { Network, Operation, Tensor } from '../../clients/publisher/index.js';
import { requantisationScale } from '../../clients/publisher/requantise.js';
import {
  inputsOf,
  type Clamp,
  type Convolution,
  type Layer,
  type Net,
  type Pads,
  type Shape,
} from './net.js';
import { outputOf, quantisedLayers, type QuantisedNet } from './quantise.js';

const ACTIVATION = { none: 'NONE', relu: 'RELU', relu6: 'RELU6' } as const satisfies Record<Clamp, string>;

const dims = ({ h, w, c }: Shape): number[] => [1, h, w, c];
const padding = ({ top, left, bottom, right }: Pads): number[] => [top, left, bottom, right];

/** The publisher's form of a float net: one operation for each layer, in the same order. */
export const floatNetwork = (net: Net): Network => {
  const tensors = net.tensors.map((shape, i): Tensor => ({ name: `t${i}`, dtype: 'f32', dims: dims(shape) }));
  return assemble(net.layers, tensors, (layer) => {
    const o = layer.bias.length;
    const { window: k } = layer;
    const depth = layer.weights.length / (k * k * o);
    const isConv = layer.op === 'conv';
    return [
      {
        name: `w${layer.output}`,
        dtype: 'f32',
        dims: isConv ? [k, k, depth, o] : [1, k, k, o],
        data: isConv ? outputsLast(layer.weights, o) : layer.weights,
      },
      { name: `b${layer.output}`, dtype: 'f32', dims: [o], data: layer.bias },
    ];
  });
};

/** The publisher's form of an int8 net. */
export const int8Network = ({ net, tensors: quantisations, weights }: QuantisedNet): Network => {
  const tensors = net.tensors.map((shape, i): Tensor => {
    const quantisation = quantisations[i];
    if (quantisation === undefined) throw new RangeError(`tensor ${i} has no quantisation`);
    return { name: `t${i}`, dtype: 'i8', dims: dims(shape), quantisation };
  });
  const scaleOf = (tensor: number): number => quantisations[tensor]?.scale ?? 1;
  return assemble(quantisedLayers(net), tensors, (layer) => {
    const quantised = weights.get(layer);
    if (quantised === undefined) throw new RangeError(`layer ${layer.output} has no int8 weights`);
    const o = layer.bias.length;
    const { window: k } = layer;
    const depth = layer.weights.length / (k * k * o);
    const factors = Float32Array.from(quantised.scales, (scale) =>
      requantisationScale(scaleOf(layer.input), scale, scaleOf(layer.output)),
    );
    return [
      {
        name: `w${layer.output}`,
        dtype: 'i8',
        dims: layer.op === 'conv' ? [o, k, k, depth] : [1, k, k, o],
        data: quantised.values,
        quantisation: { scale: 1, zeroPoint: 0 },
      },
      { name: `b${layer.output}`, dtype: 'i32', dims: [o], data: quantised.bias },
      { name: `s${layer.output}`, dtype: 'f32', dims: [o], data: factors },
    ];
  });
};

/** [O, depth] to [depth, O]. */
const outputsLast = (weights: Float32Array, outputs: number): Float32Array => {
  const depth = weights.length / outputs;
  const result = new Float32Array(weights.length);
  for (let o = 0; o < outputs; o += 1)
    for (let i = 0; i < depth; i += 1) result[i * outputs + o] = weights[o * depth + i] ?? 0;
  return result;
};

const assemble = (
  layers: readonly Layer[],
  tensors: readonly Tensor[],
  weightsOf: (layer: Convolution) => Tensor[],
): Network => {
  const at = (i: number): Tensor => {
    const tensor = tensors[i];
    if (tensor === undefined) throw new RangeError(`no tensor ${i}`);
    return tensor;
  };
  const operations = layers.map((layer): Operation => {
    const operation: Operation = {
      code: 'SOFTMAX',
      activation: 'NONE',
      inputs: inputsOf(layer).map(at),
      output: at(layer.output),
      ints: [],
      floats: [],
      origin: `${layer.op} #${layer.output}`,
    };
    fill(operation, layer, weightsOf);
    return operation;
  });
  const input = at(0);
  const output = at(outputOf(layers));
  const boundaryOf = ({ dtype, quantisation }: Tensor): Network['boundary']['input'] => ({
    type: dtype === 'i8' ? 'i8' : 'f32',
    ...(quantisation && { quantisation }),
  });
  return {
    input,
    outputs: [output],
    operations,
    boundary: { input: boundaryOf(input), outputs: [boundaryOf(output)] },
  };
};

/** Code and parameters as ta/tinylib/graph.h has them. */
const fill = (operation: Operation, layer: Layer, weightsOf: (layer: Convolution) => Tensor[]): void => {
  switch (layer.op) {
    case 'conv':
    case 'depthwise':
      operation.code = layer.op === 'conv' ? 'CONV_2D' : 'DEPTHWISE_2D';
      operation.activation = ACTIVATION[layer.clamp];
      operation.inputs.push(...weightsOf(layer));
      operation.ints = [layer.stride, layer.stride, 1, 1, ...padding(layer.pads), 1];
      break;
    case 'maxPool':
      operation.code = 'MAX_POOL_2D';
      operation.ints = [layer.stride, layer.stride, layer.window, layer.window, ...padding(layer.pads)];
      break;
    case 'subsample':
      operation.code = 'MAX_POOL_2D';
      operation.ints = [layer.stride, layer.stride, 1, 1];
      break;
    case 'padChannels':
      operation.code = 'PAD';
      operation.ints = [0, 0, 0, 0, 0, 0, 0, layer.added];
      break;
    case 'leaky':
      operation.code = 'LEAKY_RELU';
      operation.floats = [Math.fround(layer.slope)];
      break;
    case 'add':
      operation.code = 'ADD';
      break;
    case 'concat':
      operation.code = 'CONCAT';
      operation.ints = [3];
      break;
    case 'globalMean':
      operation.code = 'GLOBAL_MEAN';
      break;
    case 'softmax':
      operation.code = 'SOFTMAX';
      operation.floats = [1];
      break;
  }
};
