import type { Tensor } from './network.js';

/** One feature map of a detector: `perCell` anchors in each of size x size cells. */
export interface AnchorLayer {
  readonly size: number;
  readonly perCell: number;
  /**
   * Width and height of each anchor of a cell, as fractions of the picture. Default: 1 and 1, the whole picture, so that decoded
   * sizes are fractions of it.
   */
  readonly sizes?: readonly (readonly [number, number])[];
}

/** Anchors in the middle of their cells, row by row. */
export const gridAnchors = (layers: readonly AnchorLayer[]): Tensor => {
  const values: number[] = [];
  for (const { size, perCell, sizes } of layers)
    for (let y = 0; y < size; y++)
      for (let x = 0; x < size; x++)
        for (let i = 0; i < perCell; i++)
          values.push((x + 0.5) / size, (y + 0.5) / size, ...(sizes?.[i] ?? [1, 1]));
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

/** BlazeFace, full range: 192 x 192 pixels, one feature map of stride 4, one anchor per cell. */
export const BLAZEFACE_FULL_RANGE: readonly AnchorLayer[] = [{ size: 48, perCell: 1 }];

/** Width and height of anchors of one scale (the side of a square one, as a fraction of the picture) by aspect ratio. */
const shapes = (scale: number, aspectRatios: readonly number[]): [number, number][] =>
  aspectRatios.map((ratio) => [scale * Math.sqrt(ratio), scale / Math.sqrt(ratio)]);

/**
 * SSD (Liu et al., 2016, arXiv:1512.02325, section 2.2): scales evenly from `least` to `greatest` over the feature maps; per cell
 * the aspect ratios 1, 2, 1/2, 3, 1/3 and one more square, in size between this feature map's and the next one's. As in
 * TensorFlow's detection models, the finest feature map has three anchors instead, the first of them of scale 0.1.
 */
const ssdAnchors = (sides: readonly number[], least: number, greatest: number): AnchorLayer[] => {
  const scale = (i: number): number =>
    i === sides.length ? 1 : least + ((greatest - least) * i) / (sides.length - 1);
  return sides.map((size, i) => {
    const sizes =
      i === 0
        ? [...shapes(0.1, [1]), ...shapes(scale(0), [2, 0.5])]
        : [...shapes(scale(i), [1, 2, 0.5, 3, 0.3333]), ...shapes(Math.sqrt(scale(i) * scale(i + 1)), [1])];
    return { size, perCell: sizes.length, sizes };
  });
};

/** SSD-MobileNetV2 for 300 x 300 pixels: feature maps of stride 16 to 512, 1,917 anchors. */
export const SSD_MOBILENET_300: readonly AnchorLayer[] = ssdAnchors([19, 10, 5, 3, 2, 1], 0.2, 0.95);
