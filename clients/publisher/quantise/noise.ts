import type { Network, Tensor } from '../network.js';
import type { Values } from './watcher.js';

/** How much of each operator's output is signal, how much is quantisation noise; over frames. */
export class NoiseMeter {
  readonly #signal: Float64Array;
  readonly #noise: Float64Array;
  readonly #int8: Network;

  constructor(int8: Network) {
    this.#int8 = int8;
    this.#signal = new Float64Array(int8.operations.length);
    this.#noise = new Float64Array(int8.operations.length);
  }

  /** Outputs of the float network and of the int8 one, operation for operation, for the same frame. */
  add(float: readonly Values[], int8: readonly Values[]): void {
    for (const [i, { output }] of this.#int8.operations.entries()) {
      const [real, quantised] = [float[i], int8[i]];
      if (real === undefined || quantised === undefined) continue;
      const { scale, zeroPoint } = output.quantisation ?? { scale: 1, zeroPoint: 0 };
      let [signal, noise] = [0, 0];
      for (let k = 0; k < real.length; k++) {
        const value = real[k] ?? 0;
        const difference = value - ((quantised[k] ?? 0) - zeroPoint) * scale;
        signal += value * value;
        noise += difference * difference;
      }
      this.#signal[i] = (this.#signal[i] ?? 0) + signal;
      this.#noise[i] = (this.#noise[i] ?? 0) + noise;
    }
  }

  /** Decibels; infinite where nothing is lost. */
  decibels(operation: number): number {
    const [signal, noise] = [this.#signal[operation] ?? 0, this.#noise[operation] ?? 0];
    return noise === 0 ? Infinity : 10 * Math.log10(signal / noise);
  }

  /** Of the network as a whole: the mean of its outputs, before a softmax or logistic function flattens them. */
  ofOutputs(): number {
    const { operations, outputs } = this.#int8;
    const numbers = outputs.map((output) => logitsOf(this.#int8, output)).filter((i) => i >= 0);
    const sum = numbers.reduce((total, i) => total + Math.min(200, this.decibels(i)), 0);
    return numbers.length === 0 ? this.decibels(operations.length - 1) : sum / numbers.length;
  }
}

/** The operation whose output is decisive: that of the output itself, or what its softmax or logistic function reads. */
const logitsOf = ({ operations }: Network, output: Tensor): number => {
  let index = operations.findIndex((operation) => operation.output === output);
  for (;;) {
    const operation = operations[index];
    if (operation === undefined || !['SOFTMAX', 'LOGISTIC', 'RESHAPE'].includes(operation.code)) return index;
    const before = operations.findIndex((each) => each.output === operation.inputs[0]);
    if (before < 0) return index;
    index = before;
  }
};

/** Index of the greatest value; the first of equal ones. */
export const bestOf = (values: ArrayLike<number>): number => {
  let best = 0;
  for (let i = 1; i < values.length; i++) if ((values[i] ?? 0) > (values[best] ?? 0)) best = i;
  return best;
};
