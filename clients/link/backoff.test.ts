import { Backoff } from './backoff.js';

describe('Backoff', () => {
  test('doubles up to the cap and starts over after a reset', () => {
    const backoff = new Backoff({ base: 100, cap: 1000, random: () => 0.999999 });
    expect([
      backoff.next(),
      backoff.next(),
      backoff.next(),
      backoff.next(),
      backoff.next(),
      backoff.next(),
    ]).toEqual([100, 200, 400, 800, 1000, 1000]);
    backoff.reset();
    expect(backoff.next()).toBe(100);
  });

  test('jitter spreads over the upper half of the delay', () => {
    expect(new Backoff({ base: 1000, random: () => 0 }).next()).toBe(500);
    expect(new Backoff({ base: 1000, random: () => 0.5 }).next()).toBe(750);
  });

  test('stays finite after very many attempts', () => {
    const backoff = new Backoff({ base: 250, cap: 30_000, random: () => 0 });
    for (let i = 0; i < 5000; i++) backoff.next();
    expect(backoff.next()).toBe(15_000);
  });
});
