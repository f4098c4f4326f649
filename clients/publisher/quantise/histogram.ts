const BINS = 2048;

/**
 * How often values occur, in bins of equal width with an edge at 0. The range doubles when a value falls outside: no value has to
 * be seen twice.
 */
export class Histogram {
  /** Values lie in -limit .. limit. */
  #limit = 0;
  #counts = new Float64Array(BINS);
  min = Infinity;
  max = -Infinity;
  count = 0;

  add(values: Float32Array): void {
    let [min, max] = [this.min, this.max];
    for (let i = 0; i < values.length; i++) {
      const value = values[i] ?? 0;
      if (value < min) min = value;
      if (value > max) max = value;
    }
    this.min = min;
    this.max = max;
    this.count += values.length;
    const magnitude = Math.max(-min, max);
    if (!(magnitude > 0) || !Number.isFinite(magnitude)) return this.#addZeros(values.length);
    if (this.#limit === 0) {
      // Zeros seen so far stay in the middle.
      this.#limit = magnitude;
    }
    while (this.#limit < magnitude) this.#double();
    const counts = this.#counts;
    const scale = BINS / 2 / this.#limit;
    for (let i = 0; i < values.length; i++) {
      const bin = ((values[i] ?? 0) * scale + BINS / 2) | 0;
      const at = bin < BINS ? bin : BINS - 1;
      counts[at] = (counts[at] ?? 0) + 1;
    }
  }

  /** Centres and counts of the bins that are not empty. */
  bins(): { readonly centres: Float64Array; readonly counts: Float64Array; readonly width: number } {
    const width = (2 * this.#limit) / BINS;
    const used = [...this.#counts.keys()].filter((i) => (this.#counts[i] ?? 0) > 0);
    return {
      centres: Float64Array.from(used, (i) => (i + 0.5 - BINS / 2) * width),
      counts: Float64Array.from(used, (i) => this.#counts[i] ?? 0),
      width,
    };
  }

  #addZeros(count: number): void {
    this.#counts[BINS / 2] = (this.#counts[BINS / 2] ?? 0) + count;
  }

  #double(): void {
    const wider = new Float64Array(BINS);
    for (let i = 0; i < BINS; i++) {
      const at = BINS / 4 + (i >> 1);
      wider[at] = (wider[at] ?? 0) + (this.#counts[i] ?? 0);
    }
    this.#counts = wider;
    this.#limit *= 2;
  }
}
