import { NEON_DOT_PACKING, NEON_PACKING } from './neon.js';
import { blockBytes, packBlocks, type Packing, type PlainWeights } from './target.js';

const plain = (outputs: number, depth: number, at: (o: number, k: number) => number): PlainWeights => ({
  dtype: 'i8',
  kind: 'panels',
  dims: [outputs, 1, 1, depth],
  values: Int8Array.from({ length: outputs * depth }, (_, i) => at(Math.floor(i / depth), i % depth)),
  bias: Int32Array.from({ length: outputs }, (_, o) => o),
  scale: Float32Array.from({ length: outputs }, (_, o) => o + 1),
});

const isPermutation = (indices: number[]): boolean =>
  indices.sort((a, b) => a - b).every((value, i) => value === i);

describe('the order of weights for Arm', () => {
  test.each([
    ['neon i8', NEON_PACKING.i8, 40],
    ['neon i8, even', NEON_PACKING.i8, 32],
    ['neon-dot i8', NEON_DOT_PACKING.i8, 36],
    ['f32', NEON_PACKING.f32, 12],
  ] as [string, Packing, number][])(
    '%s: every weight of a panel has a place of its own',
    (_, packing, depth) => {
      const indices = Array.from({ length: depth * packing.columns }, (_unused, i) =>
        packing.panelIndex(Math.floor(i / packing.columns), i % packing.columns, depth),
      );
      expect(isPermutation(indices)).toBe(true);
    },
  );

  test.each([
    ['i8', NEON_PACKING.i8],
    ['f32', NEON_PACKING.f32],
  ] as [string, Packing][])('%s: every weight of a depthwise block has a place of its own', (_, packing) => {
    const indices: number[] = [];
    for (let i = 0; i < 3; i++)
      for (let j = 0; j < 5; j++)
        for (let c = 0; c < packing.channels; c++) indices.push(packing.tapIndex(i, j, c, 3, 5));
    expect(isPermutation(indices)).toBe(true);
  });

  test('sixteen values of a column side by side, the rest in eights', () => {
    expect([0, 15, 16, 23].map((k) => NEON_PACKING.i8.panelIndex(k, 1, 24))).toEqual([16, 31, 72, 79]);
  });
});

describe('the mark of panels whose products may not fit 16 bits', () => {
  const scaleOf = (weights: PlainWeights, panel: number): number => {
    const packed = packBlocks(NEON_PACKING.i8, weights, 0, weights.dims[0]);
    return new DataView(packed.buffer).getFloat32(panel * blockBytes(NEON_PACKING.i8, weights) + 16, true);
  };

  test('two weights of -128 that are eight apart mark their panel alone', () => {
    const weights = plain(8, 32, (o, k) => (o === 6 && (k === 17 || k === 25) ? -128 : 1));
    expect([scaleOf(weights, 0), scaleOf(weights, 1)]).toEqual([1, -5]);
  });

  test.each([
    ['they do not meet', (k: number) => k === 17 || k === 26],
    ['they are of two steps', (k: number) => k === 8 || k === 16],
    ['they are in the last eight, which are added one by one', (k: number) => k >= 32],
  ])('no mark where %s', (_, isLowest) => {
    const weights = plain(4, 40, (_o, k) => (isLowest(k) ? -128 : -127));
    expect(scaleOf(weights, 0)).toBe(1);
  });
});
