import { median, ratioOfRounds, roundOrder, summarise } from './statistics.js';

describe('statistics', () => {
  it('takes the middle value, of an even number the mean of both', () => {
    expect(median([5, 1, 3])).toBe(3);
    expect(median([4, 1, 3, 2])).toBe(2.5);
    expect(median([10, 9, 100])).toBe(10);
    expect(() => median([])).toThrow(RangeError);
  });

  it('summarises', () => {
    expect(summarise([3, 1, 2])).toEqual({ median: 2, min: 1, runs: 3 });
  });

  it('takes ratios round by round', () => {
    // Twice as slow as the other, in a round in which the machine was ten times slower too.
    expect(ratioOfRounds([[2, 2, 9], [20], [2]], [[1], [10, 10], [1]])).toBe(2);
    expect(() => ratioOfRounds([[1]], [])).toThrow(RangeError);
  });

  it('interleaves engines such that each is at each place equally often', () => {
    const orders = Array.from({ length: 6 }, (_, round) => roundOrder(['a', 'b', 'c'], round));
    expect(orders.slice(0, 3)).toEqual([
      ['a', 'b', 'c'],
      ['c', 'b', 'a'],
      ['b', 'c', 'a'],
    ]);
    for (const place of [0, 1, 2])
      for (const engine of ['a', 'b', 'c'])
        expect(orders.filter((order) => order[place] === engine)).toHaveLength(2);
  });
});
