import { tensorBytes, type Operation, type Tensor, type TensorData } from '../network.js';
import { withFirstChannel } from './first-channel.js';

const GROUPS = 8;

/** Operators whose plain weights are longer than `mostBytes` become several, each for some of the output channels. */
export const splitPlain = (operation: Operation, mostBytes: number): Operation[] => {
  const { code, inputs, ints } = operation;
  const [x, w, b, s] = inputs;
  if (!x || !w?.data || tensorBytes(w) <= mostBytes) return [operation];
  if (code !== 'FULLY_CONNECTED' && (code !== 'CONV_2D' || ints[GROUPS] !== 1)) return [operation];
  const outputsLast = w.dtype === 'f32';
  const outputs = (outputsLast ? w.dims.at(-1) : w.dims[0]) ?? 1;
  const parts = Math.ceil(tensorBytes(w) / mostBytes);
  const step = Math.floor(mostBytes / (tensorBytes(w) / outputs));
  if (step < 1 || parts < 2) return [operation];
  const split: Operation[] = [];
  for (let first = 0; first < outputs; first += step) {
    const end = Math.min(outputs, first + step);
    const slice = (tensor: Tensor | null | undefined, width: number): Tensor | null =>
      tensor?.data ? channelsOf(tensor, tensor.data, width, first, end) : null;
    const part = [
      x,
      outputsLast ? channelsOf(w, w.data, outputs, first, end) : rowsOf(w, w.data, first, end),
      slice(b, outputs),
      ...(s ? [slice(s, outputs)] : []),
    ];
    split.push({ ...operation, inputs: part.slice(0, inputs.length), ints: withFirstChannel(ints, first) });
  }
  return split;
};

const named = (tensor: Tensor, first: number, end: number): string => `${tensor.name} [${first}..${end - 1}]`;

/** Entries first .. end - 1 of the first dimension. */
const rowsOf = (tensor: Tensor, data: TensorData, first: number, end: number): Tensor => {
  const [rows = 1, ...rest] = tensor.dims;
  const size = data.length / rows;
  return {
    ...tensor,
    name: named(tensor, first, end),
    dims: [end - first, ...rest],
    data: data.slice(first * size, end * size),
  };
};

/** Entries first .. end - 1 of the last dimension, which is `width` wide. */
const channelsOf = (tensor: Tensor, data: TensorData, width: number, first: number, end: number): Tensor => {
  const rows = data.length / width;
  const part = data.slice(0, rows * (end - first));
  for (let row = 0; row < rows; row++)
    part.set(data.subarray(row * width + first, row * width + end), row * (end - first));
  return {
    ...tensor,
    name: named(tensor, first, end),
    dims: [...tensor.dims.slice(0, -1), end - first],
    data: part,
  };
};
