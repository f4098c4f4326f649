import { blockBytes, packBlocks, type Packing, type PlainWeights } from './target.js';
import { X86_PACKING } from './x86.js';

const { f32, i8 } = X86_PACKING;

const isPermutation = (indices: number[]): boolean =>
  indices.sort((a, b) => a - b).every((value, i) => value === i);

describe('the order of weights for x86', () => {
  test.each([
    ['i8', i8, 28],
    ['f32', f32, 7],
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
    ['i8, 4 rows', i8, 4, 3],
    ['i8, 8 rows', i8, 8, 5],
    ['f32', f32, 3, 5],
  ] as [string, Packing, number, number][])(
    '%s: every weight of a depthwise block has a place of its own',
    (_, packing, h, w) => {
      const indices: number[] = [];
      for (let i = 0; i < h; i++)
        for (let j = 0; j < w; j++)
          for (let c = 0; c < packing.channels; c++) indices.push(packing.tapIndex(i, j, c, h, w));
      expect(isPermutation(indices)).toBe(true);
    },
  );

  test('i8: four values of the depth make up one lane of a vector of 16 columns', () => {
    expect([0, 1, 3, 4, 7].map((k) => i8.panelIndex(k, 5, 8))).toEqual([20, 21, 23, 84, 87]);
  });

  /* What unpacklo/hi of bytes, then of 16-bit words, do to four rows of 64 channels, 128-bit lane by lane. */
  test('i8: the rows of a window column lie as interleaving them puts them', () => {
    const unpack = (a: string[], b: string[], size: number, high: boolean): string[] =>
      [0, 16, 32, 48].flatMap((lane) => {
        const half = lane + (high ? 8 : 0);
        const units = Array.from({ length: 8 / size }, (_, i) => half + i * size);
        return units.flatMap((at) => [...a.slice(at, at + size), ...b.slice(at, at + size)]);
      });
    const row = (i: number): string[] => Array.from({ length: 64 }, (_, c) => `row ${i} channel ${c}`);
    const pairs = [false, true].map((high) => [
      unpack(row(0), row(1), 1, high),
      unpack(row(2), row(3), 1, high),
    ]);
    const vectors = pairs.flatMap(([ab = [], cd = []]) => [
      unpack(ab, cd, 2, false),
      unpack(ab, cd, 2, true),
    ]);
    const packed: string[] = [];
    for (let i = 0; i < 4; i++)
      for (let c = 0; c < 64; c++) packed[i8.tapIndex(i, 0, c, 4, 1)] = `row ${i} channel ${c}`;
    expect(packed).toEqual(vectors.flat());
  });

  test('i8: missing rows of a window have weights of 0, and so have missing channels', () => {
    const weights: PlainWeights = {
      dtype: 'i8',
      kind: 'depthwise',
      dims: [1, 3, 3, 70],
      values: new Int8Array(630).fill(-7),
      bias: Int32Array.from({ length: 70 }, (_, c) => c),
      scale: new Float32Array(70).fill(0.5),
    };
    const packed = packBlocks(i8, weights, 0, 70);
    expect(packed.length).toBe(2 * 64 * (8 + 12));
    expect(blockBytes(i8, weights)).toBe(64 * (8 + 12));
    const second = packed.subarray(64 * 20);
    expect(new DataView(packed.buffer).getInt32(64 * 20 + 5 * 4, true)).toBe(69);
    const at = (i: number, c: number): number | undefined => second[64 * 8 + i8.tapIndex(i, 2, c, 3, 3)];
    expect([at(0, 5), at(2, 5), at(3, 5), at(0, 6)]).toEqual([249, 249, 0, 0]);
  });
});
