import { elementCount, type Tensor } from '../network.js';
import { activationOf } from './activation.js';
import type { Section } from './cfg.js';
import { type Layers, MOST_SIDE, shapeOf } from './layers.js';
import { shapeProblem } from './problem.js';

/** As Darknet computes it where networks are trained. */
const BATCH_NORM_EPSILON = 1e-5;

/** One factor and one addend for each output. */
interface Affine {
  readonly scale: Float64Array;
  readonly bias: Float32Array;
}

const withoutNorm = (biases: Float32Array): Affine => ({
  scale: new Float64Array(biases.length).fill(1),
  bias: Float32Array.from(biases),
});

/** y = scales * (x - mean) / sqrt(variance + epsilon) + biases. @param norm scales, means, variances */
const batchNorm = (biases: Float32Array, norm: Float32Array): Affine => {
  const n = biases.length;
  const at = (i: number): number => norm[i] ?? 0;
  const scale = Float64Array.from(biases, (_, o) => at(o) / Math.sqrt(at(2 * n + o) + BATCH_NORM_EPSILON));
  return { scale, bias: Float32Array.from(biases, (bias, o) => bias - at(n + o) * (scale[o] ?? 0)) };
};

/** [convolutional]: with as many groups as channels it is depthwise. */
export const convertConvolutional = (layers: Layers, section: Section): Tensor => {
  const filters = section.integer('filters', 1, 1, MOST_SIDE);
  const size = section.integer('size', 1, 1, 255);
  const stride = section.integer('stride', 1, 1, 255);
  const strides = ['stride_y', 'stride_x'].map((key) => section.integer(key, stride, 1, 255));
  const dilation = size === 1 ? 1 : section.integer('dilation', 1, 1, 32);
  const padding = section.flag('pad') ? size >> 1 : section.integer('padding', 0, 0, 255);
  const groups = section.integer('groups', 1, 1, MOST_SIDE);
  const normalised = section.flag('batch_normalize');
  section.refuse(
    'antialiasing',
    'binary',
    'xnor',
    'cbn',
    'flipped',
    'dontload',
    'dontloadscales',
    'coordconv',
  );
  section.refuse('sway', 'rotate', 'stretch', 'stretch_sway', 'share_index');
  const activate = activationOf(section, 'logistic');

  const x = layers.previous();
  const [h, w, c] = shapeOf(x);
  if (c % groups !== 0 || filters % groups !== 0)
    throw shapeProblem(`gives ${filters} channels from ${c} in ${groups} groups`);
  const depth = c / groups;
  const out = (side: number, step = 1): number => Math.floor((side + 2 * padding - size) / step) + 1;
  const shape = [out(h, strides[0]), out(w, strides[1]), filters] as const;
  // Darknet computes the output's size without the dilation.
  if (2 * padding * dilation - dilation * (size - 1) !== 2 * padding - (size - 1))
    throw shapeProblem(`has dilation ${dilation} and padding ${padding}, which does not keep the size`);
  const depthwise = groups === c && groups > 1;
  const pad = padding * dilation;
  const ints = [...strides, dilation, dilation, pad, pad, pad, pad, depthwise ? filters / c : groups];
  const operation = layers.emit(depthwise ? 'DEPTHWISE_2D' : 'CONV_2D', [x, null, null], shape, { ints });
  const kernel = size * size * depth;
  const dims = depthwise ? [1, size, size, filters] : [size, size, depth, filters];
  const before = normalised ? 4 * filters : filters;
  layers.want(before + filters * kernel, (values) => {
    const biases = values.subarray(0, filters);
    const { scale, bias } = normalised
      ? batchNorm(biases, values.subarray(filters, before))
      : withoutNorm(biases);
    const data = kernelsLast(values.subarray(before), filters, depth, scale);
    const constants = [layers.constant('weights', dims, data), layers.constant('bias', [filters], bias)];
    operation.inputs = [x, ...constants];
  });
  return activate(layers, operation.output);
};

/** [outputs, depth, places] -> [places, depth, outputs], each output scaled. */
const kernelsLast = (
  values: Float32Array,
  outputs: number,
  depth: number,
  scale: Float64Array,
): Float32Array => {
  const places = values.length / outputs / depth;
  const data = new Float32Array(values.length);
  let at = 0;
  for (let o = 0; o < outputs; o++)
    for (let i = 0; i < depth; i++)
      for (let p = 0; p < places; p++, at++)
        data[(p * depth + i) * outputs + o] = (values[at] ?? 0) * (scale[o] ?? 0);
  return data;
};

/** [connected]: Darknet's flat vectors have the channels outermost. */
export const convertConnected = (layers: Layers, section: Section): Tensor => {
  const outputs = section.integer('output', 1, 1, MOST_SIDE);
  const normalised = section.flag('batch_normalize');
  section.refuse('dontload', 'dontloadscales');
  const activate = activationOf(section, 'logistic');

  const x = layers.previous();
  const [h, w, c] = shapeOf(x);
  const inputs = elementCount(x);
  const operation = layers.emit('FULLY_CONNECTED', [x, null, null], [1, 1, outputs]);
  const matrix = outputs * inputs;
  layers.want(outputs + matrix + (normalised ? 3 * outputs : 0), (values, transposed) => {
    const biases = values.subarray(0, outputs);
    const stored = values.subarray(outputs, outputs + matrix);
    const { scale, bias } = normalised
      ? batchNorm(biases, values.subarray(outputs + matrix))
      : withoutNorm(biases);
    const rows = transposed ? turned(stored, inputs, outputs) : stored;
    const data = kernelsLast(rows, outputs, c, scale);
    const constants = [
      layers.constant('weights', [h * w * c, outputs], data),
      layers.constant('bias', [outputs], bias),
    ];
    operation.inputs = [x, ...constants];
  });
  return activate(layers, operation.output);
};

/** [rows, columns] -> [columns, rows]. */
const turned = (values: Float32Array, rows: number, columns: number): Float32Array => {
  const data = new Float32Array(values.length);
  for (let r = 0; r < rows; r++)
    for (let k = 0; k < columns; k++) data[k * rows + r] = values[r * columns + k] ?? 0;
  return data;
};
