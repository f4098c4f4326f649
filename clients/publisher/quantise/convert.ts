import { ModelImportError } from '../import-error.js';
import type { Network, Operation, Quantisation, Tensor } from '../network.js';
import { requantisationScale } from '../requantise.js';
import { floatKernel, quantiseKernel, type FloatKernel } from './kernels.js';
import { quantisationFor } from './ranges.js';

/** What is added to the bias of each output channel, of the operations that have weights. */
export type Corrections = ReadonlyMap<Operation, Float64Array>;

/** The float network with int8 tensors, weights and int32 biases; operations stay in their order, one for one. */
export const convert = (
  network: Network,
  quantisations: ReadonlyMap<Tensor, Quantisation>,
  corrections: Corrections,
): Network => {
  const tensors = new Map<Tensor, Tensor>();
  const int8 = (tensor: Tensor): Tensor => {
    const known = tensors.get(tensor);
    if (known !== undefined) return known;
    const made = tensor.data === undefined ? computed(tensor, quantisations) : constant(tensor);
    tensors.set(tensor, made);
    return made;
  };
  const operations = network.operations.map((operation): Operation => {
    const kernel = floatKernel(operation);
    const [x] = operation.inputs;
    const output = int8(operation.output);
    if (kernel === undefined || !x) {
      if (operation.code === 'PAD' && (operation.floats[0] ?? 0) !== 0)
        throw new ModelImportError(operation.origin, ['it pads with another value than 0: int8 cannot']);
      const inputs = operation.inputs.map((input) => input && int8(input));
      return { ...operation, inputs, output };
    }
    const input = int8(x);
    const operands = weightOperands(operation, kernel, input, output, corrections.get(operation));
    return { ...operation, inputs: [input, ...operands], output };
  });
  return { ...network, input: int8(network.input), outputs: network.outputs.map(int8), operations };
};

const computed = (tensor: Tensor, quantisations: ReadonlyMap<Tensor, Quantisation>): Tensor => {
  const quantisation = quantisations.get(tensor);
  if (quantisation === undefined) throw new Error(`${tensor.name} has no range`);
  return { name: tensor.name, dtype: 'i8', dims: tensor.dims, quantisation };
};

/** A constant that is added, multiplied or a slope: one scale for all. */
const constant = ({ name, dims, data }: Tensor): Tensor => {
  if (!(data instanceof Float32Array)) throw new ModelImportError(name, ['it is not float32']);
  const quantisation = quantisationFor(rangeOf(data));
  const { scale, zeroPoint } = quantisation;
  const values = Int8Array.from(data, (value) =>
    Math.max(-128, Math.min(127, Math.round(value / scale) + zeroPoint)),
  );
  return { name, dtype: 'i8', dims, quantisation, data: values };
};

const rangeOf = (values: Float32Array): { low: number; high: number } => {
  let [low, high] = [0, 0];
  for (const value of values) {
    low = Math.min(low, value);
    high = Math.max(high, value);
  }
  return high > low ? { low, high } : { low: 0, high: 1 };
};

/** w, b and s as graph.h wants them: weights with the outputs first, but of a depthwise convolution. */
const weightOperands = (
  { code }: Operation,
  kernel: FloatKernel,
  x: Tensor,
  y: Tensor,
  correction: Float64Array | undefined,
): Tensor[] => {
  const { weights, outputs, taps, bias } = kernel;
  const inputScale = x.quantisation?.scale ?? 1;
  const { values, scales } = quantiseKernel(kernel, inputScale, correction);
  const outputsFirst = code !== 'DEPTHWISE_2D';
  const data = outputsFirst ? new Int8Array(values.length) : values;
  if (outputsFirst)
    for (let tap = 0; tap < taps; tap++)
      for (let o = 0; o < outputs; o++) data[o * taps + tap] = values[tap * outputs + o] ?? 0;
  const dims = outputsFirst ? [outputs, ...weights.dims.slice(0, -1)] : weights.dims;
  const integers = Int32Array.from(bias, (value, o) =>
    Math.round((value + (correction?.[o] ?? 0)) / (inputScale * (scales[o] ?? 1))),
  );
  const factors = scales.map((scale) => requantisationScale(inputScale, scale, y.quantisation?.scale ?? 1));
  return [
    { name: weights.name, dtype: 'i8', dims, data, quantisation: { scale: 1, zeroPoint: 0 } },
    { name: `${weights.name} bias`, dtype: 'i32', dims: [outputs], data: integers },
    { name: `${weights.name} factors`, dtype: 'f32', dims: [outputs], data: factors },
  ];
};
