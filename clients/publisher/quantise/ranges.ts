import type { Quantisation } from '../network.js';
import type { Histogram } from './histogram.js';

export type RangeMethod = 'extremes' | 'percentile' | 'error';

export interface Range {
  readonly low: number;
  readonly high: number;
  readonly method: RangeMethod;
}

/** Shares of values that a percentile leaves out on each side. */
const PERCENTILES = [1e-5, 1e-4, 1e-3];
/** How far the range is made smaller in the search for the least error. */
const STEPS = 24;
const LEAST_SHARE = 0.3;

/**
 * The range that gives the least squared error with 256 levels: everything that was seen, without the rarest values, or less.
 * Values outside are clipped, those inside are off by step^2 / 12 in the mean.
 */
export const chooseRange = (histogram: Histogram): Range => {
  const full = withZero(histogram.min, histogram.max, 'extremes');
  const { centres, counts } = histogram.bins();
  const error = ({ low, high }: Range): number => {
    const step = (high - low) / 255;
    const inside = (step * step) / 12;
    let sum = 0;
    for (let i = 0; i < centres.length; i++) {
      const centre = centres[i] ?? 0;
      const off = centre < low ? low - centre : centre > high ? centre - high : 0;
      sum += (counts[i] ?? 0) * (off * off + inside);
    }
    return sum;
  };
  let best = full;
  let least = error(full);
  const consider = (range: Range): void => {
    const value = error(range);
    if (value >= least) return;
    best = range;
    least = value;
  };
  for (const share of PERCENTILES) consider(percentile(histogram, share));
  for (let i = 0; i < STEPS; i++) {
    const shareLow = full.low === 0 ? 1 : 1 - ((1 - LEAST_SHARE) * i) / STEPS;
    for (let k = 0; k < STEPS; k++) {
      const shareHigh = full.high === 0 ? 1 : 1 - ((1 - LEAST_SHARE) * k) / STEPS;
      consider({ low: full.low * shareLow, high: full.high * shareHigh, method: 'error' });
      if (full.high === 0) break;
    }
    if (full.low === 0) break;
  }
  return best;
};

const percentile = (histogram: Histogram, share: number): Range => {
  const { centres, counts } = histogram.bins();
  const most = histogram.count * share;
  const from = (indices: readonly number[]): number => {
    let left = 0;
    for (const i of indices) {
      left += counts[i] ?? 0;
      if (left > most) return centres[i] ?? 0;
    }
    return 0;
  };
  const indices = [...centres.keys()];
  const [low, high] = [from(indices), from(indices.toReversed())];
  return withZero(Math.max(low, histogram.min), Math.min(high, histogram.max), 'percentile');
};

/** Zero is a value that every tensor has to have exactly: of padding. */
const withZero = (low: number, high: number, method: RangeMethod): Range => {
  const ends = { low: Math.min(0, low), high: Math.max(0, high), method };
  return ends.high > ends.low ? ends : { low: 0, high: 1, method };
};

/** Zero point and float32 scale such that the range fits the 256 levels. */
export const quantisationFor = ({ low, high }: Pick<Range, 'low' | 'high'>): Quantisation => {
  const exact = (high - low) / 255;
  const zeroPoint = Math.min(127, Math.max(-128, Math.round(-128 - low / exact)));
  return { scale: Math.fround(exact), zeroPoint };
};

/** For real values that are all known and equally likely, as the 256 of a picture's channel. */
export const quantisationOfLevels = (levels: readonly number[]): Quantisation => {
  const [low, high] = [Math.min(0, ...levels), Math.max(0, ...levels)];
  const error = ({ scale, zeroPoint }: Quantisation): number =>
    levels.reduce((sum, level) => {
      const q = Math.min(127, Math.max(-128, Math.round(level / scale) + zeroPoint));
      return sum + ((q - zeroPoint) * scale - level) ** 2;
    }, 0);
  // A grid that is a little wider or narrower than the levels often meets them better.
  const candidates = Array.from({ length: 41 }, (_, i) => {
    const stretch = 1 + (i - 20) / 5000;
    return quantisationFor({ low: low * stretch, high: high * stretch });
  });
  return candidates.reduce((best, each) => (error(each) < error(best) ? each : best));
};
