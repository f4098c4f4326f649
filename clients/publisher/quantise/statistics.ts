import type { Network, Operation, Quantisation, Tensor } from '../network.js';
import { fixedQuantisation, groupTensors, isMoving } from './groups.js';
import { Histogram } from './histogram.js';
import { floatKernel } from './kernels.js';
import { chooseRange, quantisationFor, type RangeMethod } from './ranges.js';
import type { Values } from './watcher.js';

/** Sums of a tensor's values per channel, over all frames. */
class ChannelSums {
  readonly #sums: Float64Array;
  #count = 0;

  constructor(readonly channels: number) {
    this.#sums = new Float64Array(channels);
  }

  add(values: Values): void {
    const { channels } = this;
    const sums = new Float64Array(channels);
    for (let at = 0; at < values.length; at += channels)
      for (let c = 0; c < channels; c++) sums[c] = (sums[c] ?? 0) + (values[at + c] ?? 0);
    const rows = values.length / channels;
    for (let c = 0; c < channels; c++) this.#sums[c] = (this.#sums[c] ?? 0) + (sums[c] ?? 0);
    this.#count += rows;
  }

  means(): Float64Array {
    return this.#sums.map((sum) => sum / Math.max(1, this.#count));
  }
}

/** The mean inputs of the operations with weights, per channel. */
export class InputMeans {
  /** By tensor and number of channels. */
  readonly #sums = new Map<Tensor, Map<number, ChannelSums>>();
  readonly #network: Network;

  constructor(network: Network) {
    this.#network = network;
    for (const operation of network.operations) {
      const channels = floatKernel(operation)?.inputs;
      const [x] = operation.inputs;
      if (channels === undefined || !x) continue;
      const sums = this.#sums.get(x) ?? new Map<number, ChannelSums>();
      this.#sums.set(x, sums.set(channels, sums.get(channels) ?? new ChannelSums(channels)));
    }
  }

  add(input: Float32Array, outputs: readonly Values[]): void {
    for (const sums of this.#sums.get(this.#network.input)?.values() ?? []) sums.add(input);
    for (const [i, { output }] of this.#network.operations.entries()) {
      const values = outputs[i];
      if (values === undefined) continue;
      for (const sums of this.#sums.get(output)?.values() ?? []) sums.add(values);
    }
  }

  /** Of the network's nth operation. */
  of(n: number): Float64Array {
    const operation = this.#network.operations[n];
    const channels = (operation && floatKernel(operation)?.inputs) ?? 0;
    const x = operation?.inputs[0];
    return (x && this.#sums.get(x)?.get(channels)?.means()) ?? new Float64Array(channels);
  }
}

/** What was seen of a float network on the calibration frames. */
export class Statistics {
  readonly means: InputMeans;
  readonly #groups: { tensors: Set<Tensor>; fixed: Quantisation | undefined; histogram: Histogram }[];
  readonly #histograms = new Map<Tensor, Histogram>();
  readonly #maxima = new Map<Tensor, Float32Array>();
  readonly #network: Network;

  constructor(network: Network) {
    this.#network = network;
    this.means = new InputMeans(network);
    for (const { code, inputs } of network.operations) {
      const [x] = inputs;
      if (code === 'DEPTHWISE_2D' && x) this.#maxima.set(x, new Float32Array(x.dims.at(-1) ?? 1));
    }
    const producers = new Map(network.operations.map((operation) => [operation.output, operation]));
    this.#groups = groupTensors(network).map((tensors) => {
      const sources = [...tensors].filter((tensor) => isSource(producers.get(tensor)));
      const fixed = sources.map((tensor) => {
        const producer = producers.get(tensor);
        return producer && fixedQuantisation(producer);
      });
      const histogram = new Histogram();
      const [first] = fixed;
      const same = first !== undefined && fixed.every((each) => each?.scale === first.scale);
      if (!same) for (const tensor of sources) this.#histograms.set(tensor, histogram);
      return { tensors, fixed: same ? first : undefined, histogram };
    });
  }

  add(input: Float32Array, outputs: readonly Values[]): void {
    this.#histograms.get(this.#network.input)?.add(input);
    for (const [i, { output }] of this.#network.operations.entries()) {
      const values = outputs[i];
      if (!(values instanceof Float32Array)) continue;
      this.#histograms.get(output)?.add(values);
      const maxima = this.#maxima.get(output);
      if (maxima !== undefined) addMaxima(maxima, values);
    }
    this.means.add(input, outputs);
  }

  /** Greatest magnitude per channel, of what depthwise convolutions read. */
  maxima(): Map<Tensor, Float32Array> {
    return this.#maxima;
  }

  /** The quantisation of each tensor, and by which method its range was found. */
  quantisations(): { quantisations: Map<Tensor, Quantisation>; methods: Map<Tensor, RangeMethod | 'fixed'> } {
    const quantisations = new Map<Tensor, Quantisation>();
    const methods = new Map<Tensor, RangeMethod | 'fixed'>();
    for (const { tensors, fixed, histogram } of this.#groups) {
      const range = fixed === undefined ? chooseRange(histogram) : undefined;
      const quantisation = fixed ?? quantisationFor(range ?? { low: 0, high: 1 });
      for (const tensor of tensors) {
        quantisations.set(tensor, quantisation);
        methods.set(tensor, range?.method ?? 'fixed');
      }
    }
    return { quantisations, methods };
  }
}

const addMaxima = (maxima: Float32Array, values: Float32Array): void => {
  const channels = maxima.length;
  for (let at = 0; at < values.length; at += channels)
    for (let c = 0; c < channels; c++) {
      const magnitude = Math.abs(values[at + c] ?? 0);
      if (magnitude > (maxima[c] ?? 0)) maxima[c] = magnitude;
    }
};

/** The input, or computed rather than moved from elsewhere. */
const isSource = (producer: Operation | undefined): boolean => producer === undefined || !isMoving(producer);
