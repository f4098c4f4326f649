import { BLAZEFACE_SHORT_RANGE, fixedSizeAnchors } from './anchors.js';

test("BlazeFace's 896 anchors lie in the middle of their cells", () => {
  const { dims, data } = fixedSizeAnchors(BLAZEFACE_SHORT_RANGE);
  expect(dims).toEqual([896, 4]);
  const anchor = (i: number): number[] => [...(data ?? [])].slice(4 * i, 4 * i + 4);
  expect(anchor(0)).toEqual([0.5 / 16, 0.5 / 16, 1, 1]);
  expect(anchor(1)).toEqual(anchor(0));
  expect(anchor(2)).toEqual([1.5 / 16, 0.5 / 16, 1, 1]);
  expect(anchor(32)).toEqual([0.5 / 16, 1.5 / 16, 1, 1]);
  expect(anchor(512)).toEqual([0.5 / 8, 0.5 / 8, 1, 1]);
  expect(anchor(895)).toEqual([7.5 / 8, 7.5 / 8, 1, 1]);
});
