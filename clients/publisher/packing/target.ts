import type { Operation, Tensor } from '../network.js';
import type { Target } from '../szg1.js';

/** Weights of one operator before packing; all arrays row-major. */
export interface PlainWeights {
  readonly dtype: 'f32' | 'i8';
  readonly kind: 'panels' | 'depthwise';
  /** panels: [O, KH, KW, C] ([O, 1, 1, I] for fully connected); depthwise: [1, KH, KW, C]. */
  readonly dims: readonly [number, number, number, number];
  readonly values: Float32Array | Int8Array;
  /** One for each output channel; for i8 already with the input's zero point folded in (packing.h: bias'). */
  readonly bias: Float32Array | Int32Array;
  /** i8: requantisation factors. */
  readonly scale: Float32Array | undefined;
}

/** The packing of one target for one type (struct sz_packing), and the order of a panel's or block's weights. */
export interface Packing {
  /** Output channels of a panel. */
  readonly columns: number;
  /** The depth is filled up to a multiple of it. */
  readonly depthStep: number;
  /** Most rows of one kernel call: what is gathered at least. */
  readonly rows: number;
  readonly panels: number;
  /** Channels of a depthwise block. */
  readonly channels: number;
  /** A depthwise window's height is filled up to a multiple of it. */
  readonly tapRows: number;
  /** i8: what the kernel adds to its inputs to make them unsigned. */
  readonly inputOffset: number;
  /** Index in a panel's weights ([depth'][columns] values) of the weight of depth k and column c. @param depth depth', filled up */
  panelIndex(k: number, c: number, depth: number): number;
  /** Index in a block's weights ([taps'][channels] values) of row i, column j of the window, channel c. */
  tapIndex(i: number, j: number, c: number, windowH: number, windowW: number): number;
  /** i8: must the kernel know that a panel has certain weights? The sign bit of its first scale, otherwise 0, says so. @param weights in their order @param depth depth', filled up */
  isMarked?(weights: Int8Array, depth: number): boolean;
  /** Bytes of scratch with which the target has a faster way for a convolution; 0: it has none. @param w packed, dims [O, KH, KW, C] */
  fasterWithBytes?(operation: Operation, x: Tensor, w: Tensor): number;
}

export interface TargetPacking {
  readonly target: Target;
  readonly f32: Packing;
  readonly i8: Packing;
}

/** The greatest height of a depthwise window that can be packed (ta/tinylib/depthwise_rows.h). */
export const MOST_DEPTHWISE_WINDOW = 16;

export const roundUp = (value: number, step: number): number => Math.ceil(value / step) * step;

/** Depth of a matrix product: the values of one window. */
export const depthOf = ({ dims: [, h, w, c] }: Pick<PlainWeights, 'dims'>): number => h * w * c;

/** Values in the weights of one panel or block. */
const weightsPerBlock = (packing: Packing, weights: PlainWeights): number => {
  const [, h, w] = weights.dims;
  return weights.kind === 'panels'
    ? roundUp(depthOf(weights), packing.depthStep) * packing.columns
    : roundUp(h, packing.tapRows) * w * packing.channels;
};

/** Bytes of one panel or block: bias, scale, weights (packing.h). */
export const blockBytes = (packing: Packing, weights: PlainWeights): number => {
  const outputs = weights.kind === 'panels' ? packing.columns : packing.channels;
  const size = weights.dtype === 'i8' ? 1 : 4;
  return outputs * (weights.dtype === 'i8' ? 8 : 4) + weightsPerBlock(packing, weights) * size;
};

/** Packs output channels `first` (a multiple of a panel's or block's) to `end`. */
export const packBlocks = (
  packing: Packing,
  weights: PlainWeights,
  first: number,
  end: number,
): Uint8Array => {
  const width = weights.kind === 'panels' ? packing.columns : packing.channels;
  const each = blockBytes(packing, weights);
  const packed = new Uint8Array(Math.ceil((end - first) / width) * each);
  for (let block = 0; block * width < end - first; block++) {
    const from = first + block * width;
    packBlock(packing, weights, from, Math.min(end, from + width), packed.subarray(block * each));
  }
  return packed;
};

const packBlock = (
  packing: Packing,
  weights: PlainWeights,
  first: number,
  end: number,
  out: Uint8Array,
): void => {
  const view = new DataView(out.buffer, out.byteOffset);
  const isInt8 = weights.dtype === 'i8';
  const width = weights.kind === 'panels' ? packing.columns : packing.channels;
  const putFloat = (at: number, value: number): void => view.setFloat32(at, value, true);
  for (let c = first; c < end; c++) {
    const at = 4 * (c - first);
    if (isInt8) view.setInt32(at, weights.bias[c] ?? 0, true);
    else putFloat(at, weights.bias[c] ?? 0);
    if (isInt8) putFloat(4 * width + at, weights.scale?.[c] ?? 0);
  }
  const start = width * (isInt8 ? 8 : 4);
  const put = isInt8
    ? (i: number, value: number): void => view.setInt8(start + i, value)
    : (i: number, value: number): void => putFloat(start + 4 * i, value);
  const { values } = weights;
  const [, h, w, channels] = weights.dims;
  if (weights.kind === 'depthwise') {
    for (let i = 0; i < h; i++)
      for (let j = 0; j < w; j++)
        for (let c = first; c < end; c++)
          put(packing.tapIndex(i, j, c - first, h, w), values[(i * w + j) * channels + c] ?? 0);
    return;
  }
  const depth = depthOf(weights);
  const padded = roundUp(depth, packing.depthStep);
  for (let c = first; c < end; c++)
    for (let k = 0; k < depth; k++) put(packing.panelIndex(k, c - first, padded), values[c * depth + k] ?? 0);
  const packed = new Int8Array(out.buffer, out.byteOffset + start, padded * width);
  if (isInt8 && packing.isMarked?.(packed, padded) === true)
    putFloat(4 * width, -(weights.scale?.[first] ?? 0));
};
