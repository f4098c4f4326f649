/** Triangles over the bins of a spectrum, each with its bins from `first` on. */
export interface MelFilter {
  readonly first: number;
  readonly weights: Float64Array;
}

interface MelScale {
  readonly of: (hertz: number) => number;
  readonly hertz: (mel: number) => number;
}

/** HTK's (Young et al., The HTK Book, section 5.4), as TensorFlow's tf.signal has it. */
const HTK: MelScale = {
  of: (hertz) => 1127 * Math.log(1 + hertz / 700),
  hertz: (mel) => 700 * (Math.exp(mel / 1127) - 1),
};

/** Slaney's (Auditory Toolbox, 1998), as librosa has it: linear to 1 kHz, then logarithmic, 27 mel for a factor of 6.4. */
const SLANEY: MelScale = {
  of: (hertz) => (hertz < 1000 ? (3 * hertz) / 200 : 15 + (27 * Math.log(hertz / 1000)) / Math.log(6.4)),
  hertz: (mel) => (mel < 15 ? (200 * mel) / 3 : 1000 * 6.4 ** ((mel - 15) / 27)),
};

export interface MelOptions {
  readonly filters: number;
  /** Length of the transform. */
  readonly size: number;
  /** Samples per second. */
  readonly rate: number;
  /** Hertz. */
  readonly low: number;
  readonly high: number;
}

const edges = ({ of, hertz }: MelScale, { filters, low, high }: MelOptions): number[] => {
  const [from, to] = [of(low), of(high)];
  return Array.from({ length: filters + 2 }, (_, i) => hertz(from + ((to - from) * i) / (filters + 1)));
};

/** @param unit what slopes are straight in: hertz or mel @param height of a triangle, by its edges in hertz */
const triangles = (
  { filters, size, rate }: MelOptions,
  bounds: readonly number[],
  unit: (hertz: number) => number,
  height: (low: number, high: number) => number,
): MelFilter[] =>
  Array.from({ length: filters }, (_, i) => {
    const [low = 0, centre = 0, high = 0] = bounds.slice(i, i + 3);
    const [l, c, h] = [unit(low), unit(centre), unit(high)];
    const weights: number[] = [];
    let first = 0;
    // The mean of the signal is in no filter.
    for (let bin = 1; bin <= size / 2; bin++) {
      const at = unit((bin * rate) / size);
      const weight = Math.min((at - l) / (c - l), (h - at) / (h - c));
      if (weight <= 0) continue;
      if (weights.length === 0) first = bin;
      weights.push(weight * height(low, high));
    }
    return { first, weights: Float64Array.from(weights) };
  });

/** Triangles in mel, of height 1: tf.signal.linear_to_mel_weight_matrix. */
export const htkMelFilters = (options: MelOptions): MelFilter[] =>
  triangles(options, edges(HTK, options), HTK.of, () => 1);

/** Triangles in hertz, of equal area: librosa.filters.mel with its defaults. */
export const slaneyMelFilters = (options: MelOptions): MelFilter[] =>
  triangles(
    options,
    edges(SLANEY, options),
    (hertz) => hertz,
    (low, high) => 2 / (high - low),
  );

/** What a filter lets through. */
export const filtered = ({ first, weights }: MelFilter, spectrum: ArrayLike<number>): number => {
  let sum = 0;
  for (let i = 0; i < weights.length; i++) sum += (weights[i] ?? 0) * (spectrum[first + i] ?? 0);
  return sum;
};
