/** Hann window of one period (Harris, 1978): the next one begins where it ends. */
export const hannWindow = (length: number): Float64Array =>
  Float64Array.from({ length }, (_, n) => 0.5 - 0.5 * Math.cos((2 * Math.PI * n) / length));

/**
 * Magnitudes of the discrete Fourier transform of windowed samples: `size / 2 + 1` of them, frequency 0 to half the sample rate. The
 * transform is radix 2 in place (Cooley and Tukey, 1965); samples beyond the window are zeros.
 */
export class Spectrum {
  readonly #re: Float64Array;
  readonly #im: Float64Array;
  readonly #cos: Float64Array;
  readonly #sin: Float64Array;
  readonly #reversed: Uint32Array;
  readonly #magnitudes: Float64Array;

  /**
   * @param window weights of the samples
   * @param size of the transform: a power of two, at least as long as the window
   */
  constructor(
    readonly window: Float64Array,
    readonly size: number,
  ) {
    const bits = Math.log2(size);
    if (!Number.isInteger(bits) || size < window.length)
      throw new RangeError(`a transform of ${size} for ${window.length} samples`);
    this.#re = new Float64Array(size);
    this.#im = new Float64Array(size);
    const angle = (k: number): number => (2 * Math.PI * k) / size;
    this.#cos = Float64Array.from({ length: size / 2 }, (_, k) => Math.cos(angle(k)));
    this.#sin = Float64Array.from({ length: size / 2 }, (_, k) => -Math.sin(angle(k)));
    this.#reversed = Uint32Array.from({ length: size }, (_, i) => {
      let reversed = 0;
      for (let bit = 0; bit < bits; bit++) reversed |= ((i >>> bit) & 1) << (bits - 1 - bit);
      return reversed;
    });
    this.#magnitudes = new Float64Array(size / 2 + 1);
  }

  /** Of the samples that begin at `from`; valid until the next call. */
  magnitudes(samples: Float32Array, from: number): Float64Array {
    const { window } = this;
    const [re, im] = [this.#re, this.#im];
    re.fill(0);
    im.fill(0);
    for (let i = 0; i < window.length; i++)
      re[this.#reversed[i] ?? 0] = (samples[from + i] ?? 0) * (window[i] ?? 0);
    this.#transform(re, im);
    for (let k = 0; k < this.#magnitudes.length; k++)
      this.#magnitudes[k] = Math.sqrt((re[k] ?? 0) ** 2 + (im[k] ?? 0) ** 2);
    return this.#magnitudes;
  }

  #transform(re: Float64Array, im: Float64Array): void {
    const [cos, sin] = [this.#cos, this.#sin];
    for (let half = 1; half < this.size; half *= 2) {
      const stride = this.size / (2 * half);
      for (let start = 0; start < this.size; start += 2 * half)
        for (let k = 0; k < half; k++) {
          const [a, b] = [start + k, start + k + half];
          const [c, s] = [cos[k * stride] ?? 0, sin[k * stride] ?? 0];
          const [x, y] = [re[b] ?? 0, im[b] ?? 0];
          const [u, v] = [x * c - y * s, x * s + y * c];
          re[b] = (re[a] ?? 0) - u;
          im[b] = (im[a] ?? 0) - v;
          re[a] = (re[a] ?? 0) + u;
          im[a] = (im[a] ?? 0) + v;
        }
    }
  }
}
