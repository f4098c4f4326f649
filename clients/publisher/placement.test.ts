import { lowerBound, placeBlocks, type Block } from './placement.js';

/** Small deterministic random numbers (mulberry32). */
const random = (seed: number) => (): number => {
  seed = (seed + 0x6d2b79f5) | 0;
  let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
  t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
  return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
};

const overlaps = (a: Block, b: Block, offsets: ReadonlyMap<Block, number>): boolean => {
  const [at, bt] = [offsets.get(a) ?? NaN, offsets.get(b) ?? NaN];
  const inTime = a.first <= b.last && b.first <= a.last;
  return inTime && at < bt + b.bytes && bt < at + a.bytes;
};

test('blocks alive at the same time never overlap, whatever their sizes', () => {
  const next = random(1);
  for (let round = 0; round < 50; round++) {
    const blocks = Array.from({ length: 30 }, () => {
      const first = Math.floor(next() * 20);
      return { bytes: 1 + Math.floor(next() * 10_000), first, last: first + Math.floor(next() * 6) };
    });
    const bound = lowerBound(blocks, 30);
    const { offsets, size } = placeBlocks(blocks, bound);
    for (const [i, a] of blocks.entries())
      for (const b of blocks.slice(i + 1)) expect(overlaps(a, b, offsets)).toBe(false);
    expect(size).toBeGreaterThanOrEqual(bound);
    expect(Math.max(...blocks.map((block) => (offsets.get(block) ?? 0) + block.bytes))).toBeLessThanOrEqual(
      size,
    );
    expect([...offsets.values()].every((offset) => offset % 64 === 0)).toBe(true);
  }
});

test('a chain of tensors needs its two largest neighbours', () => {
  const sizes = [640, 6400, 1280, 64];
  const blocks = sizes.map((bytes, i) => ({ bytes, first: i, last: i + 1 }));
  const bound = lowerBound(blocks, sizes.length);
  expect(bound).toBe(6400 + 1280);
  expect(placeBlocks(blocks, bound).size).toBe(bound);
});
