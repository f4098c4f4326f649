import { inputsOf, type Convolution, type Layer, type Net, type Pads, type Shape } from '../nets/net.js';
import { outputOf, quantisedLayers, type QuantisedNet } from '../nets/quantise.js';
import { OnnxGraph } from './onnx-graph.js';

type NumberArray = Float32Array | Int8Array | Int32Array;

const bytesOf = (data: NumberArray): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
const float = (value: number): Uint8Array => bytesOf(Float32Array.of(value));
const int64s = (values: readonly number[]): Uint8Array =>
  new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
const nchw = ({ h, w, c }: Shape): number[] => [1, c, h, w];
const nhwc = ({ h, w, c }: Shape): number[] => [1, h, w, c];
const pads = ({ top, left, bottom, right }: Pads): number[] => [top, left, bottom, right];

/** The net in float32: input `input` [1, C, H, W], output `output`. */
export const floatOnnx = (net: Net): Uint8Array => {
  const graph = new OnnxGraph(net.name);
  const names = net.tensors.map((_, i) => (i === 0 ? 'input' : `t${i}`));
  const last = outputOf(net.layers);
  names[last] = 'output';
  const name = (tensor: number): string => names[tensor] ?? '';
  for (const layer of net.layers)
    writeLayer(graph, layer, inputsOf(layer).map(name), name(layer.output), (conv) => [
      graph.constant(
        `w${conv.output}`,
        'float',
        weightDims(conv),
        bytesOf(channelsFirst(conv, conv.weights)),
      ),
      graph.constant(`b${conv.output}`, 'float', [conv.bias.length], bytesOf(conv.bias)),
    ]);
  return graph.finish(
    { name: 'input', type: 'float', dims: nchw(shapeOf(net, 0)) },
    { name: 'output', type: 'float', dims: nchw(shapeOf(net, last)) },
  );
};

/**
 * The net as ONNX Runtime's own quantiser writes it, QuantizeLinear and DequantizeLinear around float operators, with uint8
 * activations (value + 128 of ours: what its x86 kernels are fastest with), int8 weights per channel, int32 biases. Input and
 * output are uint8.
 * @param pictures the input is [1, H, W, C], as pictures come
 */
export const int8Onnx = ({ net, tensors, weights }: QuantisedNet, pictures = false): Uint8Array => {
  const graph = new OnnxGraph(`${net.name}-int8`);
  const layers = quantisedLayers(net);
  const last = outputOf(layers);
  const quantisation = (i: number): [scale: string, zero: string] => {
    const { scale, zeroPoint } = tensors[i] ?? { scale: 1, zeroPoint: 0 };
    return [
      graph.constant(`t${i}_scale`, 'float', [], float(scale)),
      graph.constant(`t${i}_zero`, 'uint8', [], Uint8Array.of(zeroPoint + 128)),
    ];
  };
  const input = pictures ? graph.node('Transpose', ['input'], 'planes', { perm: [0, 3, 1, 2] }) : 'input';
  const quantisedName = (i: number): string => (i === 0 ? input : i === last ? 'output' : `t${i}_q`);
  const read = new Map<number, string>();
  const dequantised = (i: number): string => {
    let name = read.get(i);
    if (name === undefined) {
      name = graph.node('DequantizeLinear', [quantisedName(i), ...quantisation(i)], `t${i}_dq`);
      read.set(i, name);
    }
    return name;
  };
  const weightsOf = (conv: Convolution): string[] => {
    const quantised = weights.get(conv);
    if (quantised === undefined) throw new RangeError(`layer ${conv.output} has no int8 weights`);
    const o = conv.bias.length;
    const inputScale = tensors[conv.input]?.scale ?? 1;
    const biasScales = Float32Array.from(quantised.scales, (scale) => Math.fround(scale * inputScale));
    const perChannel = (
      label: string,
      type: 'int8' | 'int32',
      dims: number[],
      data: NumberArray,
      scales: Float32Array,
    ): string =>
      graph.node(
        'DequantizeLinear',
        [
          graph.constant(`${label}_q`, type, dims, bytesOf(data)),
          graph.constant(`${label}_scale`, 'float', [o], bytesOf(scales)),
          graph.constant(`${label}_zero`, type, [o], new Uint8Array(o * (type === 'int8' ? 1 : 4))),
        ],
        label,
        { axis: 0 },
      );
    return [
      perChannel(
        `w${conv.output}`,
        'int8',
        weightDims(conv),
        channelsFirst(conv, quantised.values),
        quantised.scales,
      ),
      perChannel(`b${conv.output}`, 'int32', [o], quantised.bias, biasScales),
    ];
  };
  for (const layer of layers) {
    const { output } = layer;
    writeLayer(graph, layer, inputsOf(layer).map(dequantised), `t${output}`, weightsOf);
    graph.node('QuantizeLinear', [`t${output}`, ...quantisation(output)], quantisedName(output));
  }
  return graph.finish(
    { name: 'input', type: 'uint8', dims: (pictures ? nhwc : nchw)(shapeOf(net, 0)) },
    { name: 'output', type: 'uint8', dims: nchw(shapeOf(net, last)) },
  );
};

const shapeOf = (net: Net, tensor: number): Shape => net.tensors[tensor] ?? { h: 0, w: 0, c: 0 };

/** ONNX wants [O, C, KH, KW], depthwise [C, 1, KH, KW]. */
const weightDims = ({ op, window: k, weights, bias }: Convolution): number[] => [
  bias.length,
  op === 'conv' ? weights.length / (bias.length * k * k) : 1,
  k,
  k,
];

const channelsFirst = <T extends Float32Array | Int8Array>(conv: Convolution, weights: T): T => {
  const [o = 1, c = 1, k = 1] = weightDims(conv);
  const result = weights.slice() as T;
  for (let i = 0; i < o; i += 1)
    for (let j = 0; j < c; j += 1)
      for (let tap = 0; tap < k * k; tap += 1)
        result[(i * c + j) * k * k + tap] =
          weights[conv.op === 'conv' ? (i * k * k + tap) * c + j : tap * o + i] ?? 0;
  return result;
};

const writeLayer = (
  graph: OnnxGraph,
  layer: Layer,
  inputs: string[],
  output: string,
  weightsOf: (conv: Convolution) => string[],
): void => {
  switch (layer.op) {
    case 'conv':
    case 'depthwise': {
      const sum = layer.clamp === 'none' ? output : `${output}_sum`;
      graph.node('Conv', [...inputs, ...weightsOf(layer)], sum, {
        kernel_shape: [layer.window, layer.window],
        strides: [layer.stride, layer.stride],
        pads: pads(layer.pads),
        group: layer.op === 'depthwise' ? layer.bias.length : 1,
      });
      if (layer.clamp === 'relu') graph.node('Relu', [sum], output);
      if (layer.clamp === 'relu6') {
        const bounds = [
          graph.constant('zero', 'float', [], float(0)),
          graph.constant('six', 'float', [], float(6)),
        ];
        graph.node('Clip', [sum, ...bounds], output);
      }
      break;
    }
    case 'maxPool':
      graph.node('MaxPool', inputs, output, {
        kernel_shape: [layer.window, layer.window],
        strides: [layer.stride, layer.stride],
        pads: pads(layer.pads),
      });
      break;
    case 'subsample':
      graph.node('MaxPool', inputs, output, { kernel_shape: [1, 1], strides: [layer.stride, layer.stride] });
      break;
    case 'padChannels': {
      const amounts = graph.constant(
        `${output}_pads`,
        'int64',
        [8],
        int64s([0, 0, 0, 0, 0, layer.added, 0, 0]),
      );
      graph.node('Pad', [...inputs, amounts], output);
      break;
    }
    case 'leaky':
      graph.node('LeakyRelu', inputs, output, { alpha: { float: layer.slope } });
      break;
    case 'add':
      graph.node('Add', inputs, output);
      break;
    case 'concat':
      graph.node('Concat', inputs, output, { axis: 1 });
      break;
    case 'globalMean':
      graph.node('GlobalAveragePool', inputs, output);
      break;
    case 'softmax':
      graph.node('Softmax', inputs, output, { axis: 1 });
      break;
  }
};
