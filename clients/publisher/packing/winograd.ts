import type { Operation, Tensor } from '../network.js';

/*
 * What ta/tinylib/x86/winograd_f32_lanes.h divides an operator's scratch into. It takes whatever it gets, and leaves the
 * convolution to the ordinary kernels if that is too little.
 */

const COLUMNS = 16;
const POINTS = 16;
/** Channels whose weights are transformed at a time, of two panels. */
const DEPTH = 128;
/** A cache line, in values. */
const LINE = 16;
/** Fewest tiles of 2 × 2 outputs that it takes, and fewest at a time that pay for transforming weights again. */
const FEWEST_TILES = 12;
const FEWEST_AT_ONCE = 14;
/** More at a time gain nothing: the transformed inputs would fall out of the cache, or the weights hardly count. */
const MOST_AT_ONCE = 112;
const MOST_INPUT_BYTES = 640 * 1024;

/**
 * Bytes of scratch with which a float32 convolution runs by transformed tiles; 0 if it is none that can, or if it would
 * need more than it reads and writes: then memory matters more than its time.
 */
export const winogradBytes = (operation: Operation, x: Tensor, w: Tensor): number => {
  const [strideH, strideW, dilationH, dilationW] = operation.ints;
  const [, height, width, channels = 0] = w.dims;
  const steps = [strideH, strideW, dilationH, dilationW];
  if (operation.code !== 'CONV_2D' || height !== 3 || width !== 3 || steps.some((step) => step !== 1))
    return 0;
  if (channels % COLUMNS !== 0) return 0;
  const [pictures = 1, outH = 1, outW = 1, outputs = 1] = operation.output.dims;
  const tiles = pictures * Math.ceil(outH / 2) * Math.ceil(outW / 2);
  const times = Math.ceil(channels / DEPTH);
  const weights = 2 * (1 + Math.min(channels, DEPTH)) * COLUMNS;
  const fixed = 4 * (POINTS * (weights + LINE + LINE + times * LINE) + LINE);
  const each = 4 * POINTS * (channels + times * 2 * COLUMNS);
  const moved = [x.dims, w.dims, [pictures, outH, outW, outputs]].map(
    (dims) => 4 * dims.reduce((a, b) => a * b, 1),
  );
  const room = moved.reduce((a, b) => a + b, 0) - fixed;
  const cached = Math.max(FEWEST_AT_ONCE, Math.floor(MOST_INPUT_BYTES / (4 * POINTS * channels)));
  const atOnce = Math.min(tiles, MOST_AT_ONCE, cached, Math.floor(room / each));
  if (tiles < FEWEST_TILES || atOnce < Math.min(tiles, FEWEST_AT_ONCE)) return 0;
  return fixed + atOnce * each;
};
