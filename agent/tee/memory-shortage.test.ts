import { memoryShortage } from './memory-shortage.js';

const KIB = 1024;

test('says how much is missing, and which arena would fit', () => {
  expect(memoryShortage(2000 * KIB, 1000 * KIB + 1, 1400 * KIB)).toBe(
    '2,000 KiB needed even with all weights streamed, 1,001 KiB free: 1,000 KiB missing; ' +
      'fits when packed in patches with an arena of at most 409601 bytes (--arena), now 1433600',
  );
});

test('does not promise an arena that no plan reaches', () => {
  const text = memoryShortage(2000 * KIB, 650 * KIB, 1400 * KIB);
  expect(text).toContain('1,350 KiB missing');
  expect(text).toContain('packing in patches alone does not make it fit');
});

test('before the plan is known it says what is missing, no more', () => {
  expect(memoryShortage(9000 * KIB, 7168 * KIB, 0)).toBe(
    '9,000 KiB needed even with all weights streamed, 7,168 KiB free: 1,832 KiB missing',
  );
});
