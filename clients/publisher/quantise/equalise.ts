import { consumersOf, type Network, type Operation, type Tensor } from '../network.js';
import { floatKernel } from './kernels.js';

/** The greatest magnitude of a quantised network's range that a channel may be scaled up by. */
const MOST_GAIN = 64;

/**
 * Scales channels between two operators with weights, so that each uses the range of the tensor that it is in: y and y * f give the
 * same where the reader's weights are divided by f (Nagel et al., 2019, section 4.1). Done where the reader is depthwise: its
 * weights have a scale per channel, which takes 1 / f in without loss. A ReLU6 stays what it is only where the channel remains
 * below 6, so a channel that reaches 6 is left alone, and no other is brought beyond.
 *
 * @param maxima of each tensor's channels, on the calibration frames
 * @returns undefined where there is nothing to equalise
 */
export const equalise = (
  network: Network,
  maxima: ReadonlyMap<Tensor, Float32Array>,
): Network | undefined => {
  const consumers = consumersOf(network);
  const operations = network.operations.map((operation) => ({ ...operation, inputs: [...operation.inputs] }));
  const indices = new Map(network.operations.map((operation, i) => [operation, i]));
  let changed = false;
  for (const [i, operation] of network.operations.entries()) {
    const { output } = operation;
    const [reader, ...others] = consumers.get(output) ?? [];
    const most = maxima.get(output);
    if (reader?.code !== 'DEPTHWISE_2D' || others.length > 0 || !most) continue;
    if (floatKernel(operation) === undefined || network.outputs.includes(output)) continue;
    if ((reader.ints[8] ?? 1) !== 1 || operation.activation === 'RELU_N1_TO_1') continue;
    const here = operations[i];
    const there = operations[indices.get(reader) ?? -1];
    if (here === undefined || there === undefined) continue;
    const gains = gainsFor(most, operation.activation === 'RELU6');
    scaleOutputs(here, gains);
    scaleDepthwiseInputs(there, gains);
    changed = true;
  }
  return changed ? { ...network, operations } : undefined;
};

const gainsFor = (most: Float32Array, clipped: boolean): Float32Array => {
  const greatest = most.reduce((a, b) => Math.max(a, b), 0);
  // What calibration did not see may be a little greater: then a clipped channel still has room.
  const aim = clipped ? Math.min(greatest, 6) * 0.8 : greatest;
  return most.map((value) => (value <= 0 || value >= aim ? 1 : Math.min(MOST_GAIN, aim / value)));
};

const scaleOutputs = (operation: Operation, gains: Float32Array): void => {
  const [x, w, b] = operation.inputs;
  operation.inputs = [x ?? null, scaled(w, gains), b ? scaled(b, gains) : null];
};

const scaleDepthwiseInputs = (operation: Operation, gains: Float32Array): void => {
  const [x, w, b] = operation.inputs;
  const inverse = gains.map((gain) => 1 / gain);
  operation.inputs = [x ?? null, scaled(w, inverse), b ?? null];
};

/** The last dimension of float weights is the output channel. */
const scaled = (tensor: Tensor | null | undefined, factors: Float32Array): Tensor | null => {
  if (!(tensor?.data instanceof Float32Array)) return tensor ?? null;
  const data = tensor.data.map((value, i) => value * (factors[i % factors.length] ?? 1));
  return { ...tensor, data };
};
