export interface Summary {
  readonly median: number;
  readonly min: number;
  readonly runs: number;
}

/** The middle value, or the mean of the two in the middle. @throws RangeError without values */
export const median = (values: readonly number[]): number => {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  const high = sorted[middle];
  const low = sorted[sorted.length % 2 === 0 ? middle - 1 : middle];
  if (high === undefined || low === undefined) throw new RangeError('no values');
  return (low + high) / 2;
};

export const summarise = (values: readonly number[]): Summary => ({
  median: median(values),
  min: Math.min(...values),
  runs: values.length,
});

/** Order of the engines in each round: every engine is as often first as any other, and not always behind the same one. */
export const roundOrder = <T>(engines: readonly T[], round: number): T[] => {
  const start = (round >> 1) % Math.max(1, engines.length);
  const rotated = [...engines.slice(start), ...engines.slice(0, start)];
  return round % 2 === 0 ? rotated : rotated.reverse();
};

/**
 * How many times as long one engine takes as another: in each round the ratio of their medians, over all rounds the median of
 * these. What slows the machine for some rounds slows both engines there.
 */
export const ratioOfRounds = (
  ours: readonly (readonly number[])[],
  theirs: readonly (readonly number[])[],
): number => median(ours.map((round, i) => median(round) / median(theirs[i] ?? [])));
