import { consumersOf, type Network, type Operation, type Tensor } from '../network.js';

/** Index of the operand and the output channel of each of its values, for weights as graph.h wants them in float32. */
const LINEAR = ['CONV_2D', 'DEPTHWISE_2D', 'FULLY_CONNECTED'];

/** A factor or summand for each output channel, or one for all. */
const perChannel = (tensor: Tensor | null | undefined, channels: number): Float32Array | undefined => {
  const data = tensor?.data;
  if (!(data instanceof Float32Array)) return undefined;
  if (data.length === 1) return new Float32Array(channels).fill(data[0] ?? 0);
  return data.length === channels && tensor?.dims.at(-1) === channels ? data : undefined;
};

/** The convolution or matrix with the operator behind it in its weights and bias. */
const absorb = (linear: Operation, affine: Operation): boolean => {
  const [x, weights, bias] = linear.inputs;
  if (!weights || !(weights.data instanceof Float32Array)) return false;
  const channels = weights.dims.at(-1) ?? 1;
  const values = perChannel(affine.inputs[1], channels);
  if (values === undefined || (bias && !(bias.data instanceof Float32Array))) return false;
  const name = bias?.name ?? `${weights.name} bias`;
  const added = bias?.data ?? new Float32Array(channels);
  if (affine.code === 'ADD') {
    const data = Float32Array.from(values, (value, c) => value + (added[c] ?? 0));
    linear.inputs = [x ?? null, weights, { name, dtype: 'f32', dims: [channels], data }];
  } else {
    const scaled = weights.data.map((value, i) => value * (values[i % channels] ?? 0));
    const data = Float32Array.from(values, (value, c) => value * (added[c] ?? 0));
    linear.inputs = [
      x ?? null,
      { ...weights, data: scaled },
      bias ? { name, dtype: 'f32', dims: [channels], data } : null,
    ];
  }
  linear.activation = affine.activation;
  linear.output = affine.output;
  return true;
};

/**
 * Factors and summands per channel behind a float32 convolution or matrix become its weights and bias: batch normalisation, a bias that
 * is a node of its own. Changes the network in place.
 */
export const foldAffine = (network: Network): void => {
  const consumers = consumersOf(network);
  const producers = new Map(network.operations.map((operation) => [operation.output, operation]));
  const gone = new Set<Operation>();
  for (const operation of network.operations) {
    const { code, inputs } = operation;
    const [x, constant] = inputs;
    if ((code !== 'ADD' && code !== 'MUL') || !x || !constant?.data) continue;
    const linear = producers.get(x);
    if (linear === undefined || !LINEAR.includes(linear.code) || linear.activation !== 'NONE') continue;
    if (consumers.get(x)?.length !== 1 || network.outputs.includes(x)) continue;
    // A matrix seen as a picture, or the other way round, keeps its channels last.
    if (x.dims.at(-1) !== linear.output.dims.at(-1) || !absorb(linear, operation)) continue;
    producers.set(linear.output, linear);
    gone.add(operation);
  }
  network.operations = network.operations.filter((operation) => !gone.has(operation));
};
