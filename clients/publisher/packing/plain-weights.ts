import type { Operation, Tensor } from '../network.js';
import { MOST_DEPTHWISE_WINDOW, type PlainWeights } from './target.js';

const GROUPS = 8;

/** An operator's weights as [O, KH, KW, C], whatever the layout of the reference is; undefined where it cannot be packed. */
export const plainWeightsOf = (operation: Operation, inputOffset: number): PlainWeights | undefined => {
  const { code, inputs, ints } = operation;
  const [x, w, b, s] = inputs;
  if (!x || !w?.data || (w.dtype !== 'f32' && w.dtype !== 'i8') || w.layout !== undefined) return undefined;
  if (code !== 'CONV_2D' && code !== 'DEPTHWISE_2D' && code !== 'FULLY_CONNECTED') return undefined;
  if (code !== 'FULLY_CONNECTED' && ints[GROUPS] !== 1) return undefined;
  const kind = code === 'DEPTHWISE_2D' ? 'depthwise' : 'panels';
  const dims = logicalDims(operation, w);
  if (kind === 'depthwise' && dims[1] > MOST_DEPTHWISE_WINDOW) return undefined;
  const plain = {
    dtype: w.dtype,
    kind,
    dims,
    values: kind === 'panels' && w.dtype === 'f32' ? outputsFirst(w.data as Float32Array, dims[0]) : w.data,
    scale: s?.data as Float32Array | undefined,
  } as const;
  const outputs = kind === 'panels' ? dims[0] : dims[3];
  if (w.dtype === 'f32')
    return {
      ...plain,
      values: plain.values as Float32Array,
      bias: (b?.data as Float32Array | undefined) ?? new Float32Array(outputs),
    };
  const values = plain.values as Int8Array;
  const bias = foldZeroPoints(
    kind,
    dims,
    values,
    (b?.data as Int32Array | undefined) ?? new Int32Array(outputs),
    {
      x: x.quantisation?.zeroPoint ?? 0,
      w: w.quantisation?.zeroPoint ?? 0,
      inputOffset,
    },
  );
  return { ...plain, values, bias };
};

const logicalDims = (operation: Operation, w: Tensor): readonly [number, number, number, number] => {
  const [a = 1, b = 1, c = 1, d = 1] = w.dims;
  if (operation.code === 'FULLY_CONNECTED') return w.dtype === 'i8' ? [a, 1, 1, b] : [b, 1, 1, a];
  return operation.code === 'CONV_2D' && w.dtype === 'f32' ? [d, a, b, c] : [a, b, c, d];
};

/** [depth, O] becomes [O, depth]. */
const outputsFirst = (values: Float32Array, outputs: number): Float32Array => {
  const depth = values.length / outputs;
  const turned = new Float32Array(values.length);
  for (let k = 0; k < depth; k++)
    for (let o = 0; o < outputs; o++) turned[o * depth + k] = values[k * outputs + o] ?? 0;
  return turned;
};

/** What of the int8 sum does not depend on the input (packing.h), modulo 2^32. */
const foldZeroPoints = (
  kind: PlainWeights['kind'],
  [o, h, w, c]: PlainWeights['dims'],
  values: Int8Array,
  bias: Int32Array,
  zero: { x: number; w: number; inputOffset: number },
): Int32Array => {
  const outputs = kind === 'panels' ? o : c;
  const taps = kind === 'panels' ? h * w * c : h * w;
  const [next, step] = kind === 'panels' ? [taps, 1] : [1, c];
  const unsignedZero = zero.x + zero.inputOffset;
  const constant = taps * zero.w * (kind === 'panels' ? zero.x : unsignedZero);
  return Int32Array.from({ length: outputs }, (_, output) => {
    let sum = 0;
    for (let k = 0; k < taps; k++) sum += values[output * next + k * step] ?? 0;
    return ((bias[output] ?? 0) - unsignedZero * sum + constant) | 0;
  });
};
