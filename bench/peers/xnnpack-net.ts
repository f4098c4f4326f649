import { inputsOf, type Layer, type Net } from '../nets/net.js';
import { outputOf, quantisedLayers, type QuantisedNet } from '../nets/quantise.js';

/** What bench/native/xnnpack_worker.c reads: a text and the weights in its order. */
export interface NetDescription {
  readonly text: string;
  readonly weights: Uint8Array;
}

const CLAMP = { none: 0, relu: 1, relu6: 2 } as const;

const bytesOf = (data: Float32Array | Int8Array | Int32Array): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** Weights of each convolution: values [O, KH, KW, C] or [KH, KW, C], then bias. */
export const describeFloat = (net: Net): NetDescription => ({
  text: describe(net, net.layers, 'f32', () => ({ scale: 0, zeroPoint: 0 })),
  weights: Buffer.concat(
    net.layers.flatMap((layer) =>
      'weightCount' in layer ? [bytesOf(layer.weights), bytesOf(layer.bias)] : [],
    ),
  ),
});

/** Weights of each convolution: values, then scales (float), then bias (int32). */
export const describeInt8 = ({ net, tensors, weights }: QuantisedNet): NetDescription => ({
  text: describe(net, quantisedLayers(net), 'i8', (i) => tensors[i] ?? { scale: 1, zeroPoint: 0 }),
  weights: Buffer.concat(
    net.layers.flatMap((layer) => {
      const quantised = 'weightCount' in layer ? weights.get(layer) : undefined;
      return quantised ? [bytesOf(quantised.values), bytesOf(quantised.scales), bytesOf(quantised.bias)] : [];
    }),
  ),
});

const describe = (
  net: Net,
  layers: readonly Layer[],
  type: 'f32' | 'i8',
  quantisation: (tensor: number) => { scale: number; zeroPoint: number },
): string => {
  const lines = [`net ${type} ${net.tensors.length} ${layers.length} ${outputOf(layers)}`];
  for (const [i, { h, w, c }] of net.tensors.entries()) {
    const { scale, zeroPoint } = quantisation(i);
    lines.push(`${h} ${w} ${c} ${scale} ${zeroPoint}`);
  }
  for (const layer of layers)
    lines.push([layer.op, layer.output, ...inputsOf(layer), ...parameters(layer)].join(' '));
  return `${lines.join('\n')}\n`;
};

const parameters = (layer: Layer): number[] => {
  switch (layer.op) {
    case 'conv':
    case 'depthwise': {
      const { top, left, bottom, right } = layer.pads;
      return [layer.window, layer.stride, top, left, bottom, right, CLAMP[layer.clamp]];
    }
    case 'maxPool': {
      const { top, left, bottom, right } = layer.pads;
      return [layer.window, layer.stride, top, left, bottom, right];
    }
    case 'subsample':
      return [layer.stride];
    case 'padChannels':
      return [layer.added];
    case 'leaky':
      return [layer.slope];
    case 'add':
    case 'concat':
    case 'globalMean':
    case 'softmax':
      return [];
  }
};
