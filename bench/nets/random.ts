/** Marsaglia's xorshift32 ("Xorshift RNGs", 2003): the same weights and frames on every machine. */
export class Random {
  #state: number;

  /** @param seed any integer but 0 */
  constructor(seed: number) {
    this.#state = seed >>> 0 || 1;
  }

  /** An integer, 1 to 2^32 - 1. */
  next(): number {
    let x = this.#state;
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    this.#state = x >>> 0;
    return this.#state;
  }

  /** Between 0 and 1. */
  uniform(): number {
    return this.next() / 2 ** 32;
  }

  /** Normally distributed values with this standard deviation (Box and Muller: two at a time). */
  normals(count: number, deviation: number): Float32Array {
    const values = new Float32Array(count);
    for (let i = 0; i < count; i += 2) {
      const radius = deviation * Math.sqrt(-2 * Math.log(this.uniform()));
      const angle = 2 * Math.PI * this.uniform();
      values[i] = radius * Math.cos(angle);
      if (i + 1 < count) values[i + 1] = radius * Math.sin(angle);
    }
    return values;
  }

  /** Values between `low` and `high`. */
  uniforms(count: number, low: number, high: number): Float32Array {
    const values = new Float32Array(count);
    for (let i = 0; i < count; i += 1) values[i] = low + (high - low) * this.uniform();
    return values;
  }
}
