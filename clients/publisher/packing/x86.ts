import type { Packing, TargetPacking } from './target.js';
import { winogradBytes } from './winograd.js';

/** Four values of the depth of one column side by side: one 32-bit lane of vpdpbusd. */
const I8: Packing = {
  columns: 16,
  depthStep: 4,
  rows: 12,
  panels: 4,
  channels: 64,
  tapRows: 4,
  inputOffset: 128,
  panelIndex: (k, c) => ((k >> 2) * 16 + c) * 4 + (k & 3),
  /**
   * Four rows of one window column side by side, in the order in which interleaving the bytes of four rows inside 128-bit
   * lanes puts them: 32-bit lane d of vector v is channel 16 * (d >> 2) + 4 * v + (d & 3).
   */
  tapIndex: (i, j, c, windowH) => {
    const vector = (c >> 2) & 3;
    const lane = (c >> 4) * 4 + (c & 3);
    const groups = Math.ceil(windowH / 4);
    return (((j * groups + (i >> 2)) * 4 + vector) * 16 + lane) * 4 + (i & 3);
  },
};

const F32: Packing = {
  columns: 16,
  depthStep: 1,
  rows: 14,
  panels: 2,
  channels: 16,
  tapRows: 1,
  inputOffset: 0,
  panelIndex: (k, c) => k * 16 + c,
  tapIndex: (i, j, c, _windowH, windowW) => (i * windowW + j) * 16 + c,
  fasterWithBytes: winogradBytes,
};

/** AVX2 and AVX-512 (ta/tinylib/x86). */
export const X86_PACKING: TargetPacking = { target: 'x86', f32: F32, i8: I8 };
