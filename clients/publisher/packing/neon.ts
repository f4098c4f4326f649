import type { Packing, TargetPacking } from './target.js';

/** Eight channels side by side, row by row of the window. */
const depthwise = {
  channels: 8,
  tapRows: 1,
  tapIndex: (i: number, j: number, c: number, _windowH: number, windowW: number): number =>
    (i * windowW + j) * 8 + c,
};

const F32: Packing = {
  ...depthwise,
  columns: 8,
  depthStep: 1,
  rows: 8,
  panels: 1,
  inputOffset: 0,
  panelIndex: (k, c) => k * 8 + c,
};

/** Sixteen values of the depth of one column side by side, then the next column; what is left over in eights. */
const I8: Packing = {
  ...depthwise,
  columns: 4,
  depthStep: 8,
  rows: 4,
  panels: 4,
  inputOffset: 0,
  panelIndex: (k, c, depth) => {
    const whole = depth - (depth % 16);
    return k < whole ? (k >> 4) * 64 + c * 16 + (k & 15) : whole * 4 + c * 8 + (k - whole);
  },
};

const I8_DOT: Packing = {
  ...depthwise,
  columns: 8,
  depthStep: 4,
  rows: 8,
  panels: 1,
  inputOffset: 0,
  panelIndex: (k, c) => ((k >> 2) * 8 + c) * 4 + (k & 3),
};

/** Arm without dot product: Cortex-A53, A72. */
export const NEON_PACKING: TargetPacking = { target: 'neon', f32: F32, i8: I8 };

/** Arm with dot product: Cortex-A76. */
export const NEON_DOT_PACKING: TargetPacking = { target: 'neon-dot', f32: F32, i8: I8_DOT };
