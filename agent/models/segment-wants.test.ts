import { jest } from '@jest/globals';
import { decodeModelWant } from '../../protocol/messages/model.js';
import { SegmentWants } from './segment-wants.js';

beforeEach(() => {
  jest.useFakeTimers();
});
afterEach(() => {
  jest.useRealTimers();
});

const DIGEST = 'ab'.repeat(32);

/** Segments come one after the other, each so long after the one before. */
async function fetched(
  segments: number,
  every: number,
): Promise<{ asked: () => number; wants: SegmentWants }> {
  const missing = Array.from({ length: segments }, (_, i) => i);
  let asked = 0;
  const wants = new SegmentWants((message) => {
    asked += 1;
    expect(decodeModelWant(message).segments).toEqual(missing);
  });
  wants.start(DIGEST, () => missing);
  while (missing.length > 0) {
    await jest.advanceTimersByTimeAsync(every);
    missing.shift();
    wants.answered();
  }
  return { asked: () => asked, wants };
}

test('asks once where segments come quickly', async () => {
  const { asked, wants } = await fetched(600, 5);
  wants.stop();
  expect(asked()).toBe(1);
});

test('learns how slow segments are, and does not ask for those under way each time', async () => {
  const { asked, wants } = await fetched(100, 4_000);
  wants.stop();
  // After one, two and four seconds (each up to half as much more), then never again.
  expect(asked()).toBeGreaterThan(1);
  expect(asked()).toBeLessThanOrEqual(4);
});

test('asks again for a lost segment within a second and a half, then twice as long each time, a minute and a half at most', async () => {
  const times: number[] = [];
  const start = performance.now();
  const wants = new SegmentWants(() => times.push(performance.now() - start));
  wants.start(DIGEST, () => [7]);
  await jest.advanceTimersByTimeAsync(3_600_000);
  const waits = times.slice(1).map((at, i) => at - (times[i] ?? 0));
  for (const [i, wait] of waits.entries()) {
    const least = Math.min(1_000 * 2 ** i, 60_000);
    expect(wait).toBeGreaterThanOrEqual(least);
    expect(wait).toBeLessThanOrEqual(1.5 * least + 1);
  }
  expect(waits.length).toBeGreaterThan(40);
  const asked = times.length;
  wants.stop();
  await jest.advanceTimersByTimeAsync(3_600_000);
  expect(times.length).toBe(asked);
});

test('is quick again once segments are', async () => {
  const { asked, wants } = await fetched(20, 4_000);
  for (let i = 0; i < 200; i++) {
    await jest.advanceTimersByTimeAsync(5);
    wants.answered();
  }
  const before = asked();
  expect(before).toBeLessThanOrEqual(4);
  await jest.advanceTimersByTimeAsync(1_600);
  wants.stop();
  expect(asked()).toBe(before + 1);
});
