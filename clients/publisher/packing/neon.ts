import type { Packing, TargetPacking } from './target.js';
import { winogradBytes } from './winograd.js';

/** `channels` side by side, row by row of the window. */
const depthwise = (channels: number): Pick<Packing, 'channels' | 'tapRows' | 'tapIndex'> => ({
  channels,
  tapRows: 1,
  tapIndex: (i, j, c, _windowH, windowW) => (i * windowW + j) * channels + c,
});

const F32: Packing = {
  ...depthwise(4),
  columns: 16,
  depthStep: 4,
  rows: 8,
  panels: 4,
  inputOffset: 0,
  panelIndex: (k, c) => k * 16 + c,
  fasterWithBytes: winogradBytes,
};

/**
 * Sixteen values of the depth of one column side by side, then the next column; what is left over in eights. The kernel
 * adds two products in 16 bits, those of weights that are eight apart: too little only where both weights (and both
 * inputs) are -128. Panels that have such weights are marked, and computed in a slower way.
 */
const I8: Packing = {
  ...depthwise(16),
  columns: 4,
  depthStep: 8,
  rows: 16,
  panels: 16,
  inputOffset: 0,
  panelIndex: (k, c, depth) => {
    const whole = depth - (depth % 16);
    return k < whole ? (k >> 4) * 64 + c * 16 + (k & 15) : whole * 4 + c * 8 + (k - whole);
  },
  isMarked: (weights, depth) => {
    const end = (depth - (depth % 16)) * 4;
    for (let i = 0; i < end; i++)
      if ((i & 8) === 0 && weights[i] === -128 && weights[i + 8] === -128) return true;
    return false;
  },
};

const I8_DOT: Packing = {
  ...depthwise(16),
  columns: 16,
  depthStep: 4,
  rows: 16,
  panels: 4,
  inputOffset: 0,
  panelIndex: (k, c) => ((k >> 2) * 16 + c) * 4 + (k & 3),
};

/** Arm without dot product: Cortex-A53, A72 (ta/tinylib/neon). */
export const NEON_PACKING: TargetPacking = { target: 'neon', f32: F32, i8: I8 };

/** Arm with dot product: Cortex-A76. */
export const NEON_DOT_PACKING: TargetPacking = { target: 'neon-dot', f32: F32, i8: I8_DOT };
