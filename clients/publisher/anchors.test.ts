import { BLAZEFACE_SHORT_RANGE, gridAnchors, SSD_MOBILENET_300 } from './anchors.js';

test("BlazeFace's 896 anchors lie in the middle of their cells", () => {
  const { dims, data } = gridAnchors(BLAZEFACE_SHORT_RANGE);
  expect(dims).toEqual([896, 4]);
  const anchor = (i: number): number[] => [...(data ?? [])].slice(4 * i, 4 * i + 4);
  expect(anchor(0)).toEqual([0.5 / 16, 0.5 / 16, 1, 1]);
  expect(anchor(1)).toEqual(anchor(0));
  expect(anchor(2)).toEqual([1.5 / 16, 0.5 / 16, 1, 1]);
  expect(anchor(32)).toEqual([0.5 / 16, 1.5 / 16, 1, 1]);
  expect(anchor(512)).toEqual([0.5 / 8, 0.5 / 8, 1, 1]);
  expect(anchor(895)).toEqual([7.5 / 8, 7.5 / 8, 1, 1]);
});

test("SSD-MobileNetV2's 1,917 anchors have the shapes of the paper", () => {
  const { dims, data } = gridAnchors(SSD_MOBILENET_300);
  expect(dims).toEqual([1917, 4]);
  const anchor = (i: number): number[] => [...(data ?? [])].slice(4 * i, 4 * i + 4);
  const close = (i: number, expected: readonly number[]): void =>
    expected.forEach((value, k) => expect(anchor(i)[k]).toBeCloseTo(value, 6));
  close(0, [0.5 / 19, 0.5 / 19, 0.1, 0.1]);
  close(1, [0.5 / 19, 0.5 / 19, 0.2 * Math.SQRT2, 0.2 / Math.SQRT2]);
  close(2, [0.5 / 19, 0.5 / 19, 0.2 / Math.SQRT2, 0.2 * Math.SQRT2]);
  close(3, [1.5 / 19, 0.5 / 19, 0.1, 0.1]);
  const second = 19 * 19 * 3;
  close(second, [0.05, 0.05, 0.35, 0.35]);
  close(second + 5, [0.05, 0.05, Math.sqrt(0.35 * 0.5), Math.sqrt(0.35 * 0.5)]);
  close(1911, [0.5, 0.5, 0.95, 0.95]);
  close(1916, [0.5, 0.5, Math.sqrt(0.95), Math.sqrt(0.95)]);
});
