import type { Tensor } from './network.js';

/** One feature map of a detector: `perCell` anchors in each of size x size cells. */
export interface AnchorLayer {
  readonly size: number;
  readonly perCell: number;
}

/**
 * Anchors of a detector with one fixed anchor size: centres in the middle of the cells, row by row, width and height 1 (the
 * whole picture), so that decoded sizes are fractions of the picture.
 */
export const fixedSizeAnchors = (layers: readonly AnchorLayer[]): Tensor => {
  const values: number[] = [];
  for (const { size, perCell } of layers)
    for (let y = 0; y < size; y++)
      for (let x = 0; x < size; x++)
        for (let i = 0; i < perCell; i++) values.push((x + 0.5) / size, (y + 0.5) / size, 1, 1);
  return { name: 'anchors', dtype: 'f32', dims: [values.length / 4, 4], data: Float32Array.from(values) };
};

/**
 * BlazeFace, short range (Bazarevsky et al., 2019, arXiv:1907.05047): 128 x 128 pixels, feature maps of stride 8 (two anchors
 * per cell) and 16 (six: three layers of two), 896 in all.
 */
export const BLAZEFACE_SHORT_RANGE: readonly AnchorLayer[] = [
  { size: 16, perCell: 2 },
  { size: 8, perCell: 6 },
];
