import { Random } from './random.js';

/** Height, width and channels of a tensor; the batch is always one picture. */
export interface Shape {
  readonly h: number;
  readonly w: number;
  readonly c: number;
}

/** Rows and columns put around the input. */
export interface Pads {
  readonly top: number;
  readonly left: number;
  readonly bottom: number;
  readonly right: number;
}

export type Clamp = 'none' | 'relu' | 'relu6';

interface Windowed {
  readonly input: number;
  readonly output: number;
  /** Height and width of the window. */
  readonly window: number;
  readonly stride: number;
  readonly pads: Pads;
}

/** A convolution with its batch norm folded in. */
export interface Convolution extends Windowed {
  readonly op: 'conv' | 'depthwise';
  readonly clamp: Clamp;
  readonly weightCount: number;
  /** conv: [O, KH, KW, C]; depthwise: [KH, KW, C]. */
  readonly weights: Float32Array;
  readonly bias: Float32Array;
}

/** A convolution whose weights are made when they are first asked for. */
class RandomConvolution implements Convolution {
  #weights: Float32Array | undefined;
  readonly bias: Float32Array;

  constructor(
    readonly op: Convolution['op'],
    readonly input: number,
    readonly output: number,
    readonly window: number,
    readonly stride: number,
    readonly pads: Pads,
    readonly clamp: Clamp,
    channels: number,
    readonly fanIn: number,
    readonly seed: number,
  ) {
    this.bias = new Random(seed + 1).uniforms(channels, -0.05, 0.05);
  }

  get weightCount(): number {
    return this.bias.length * this.fanIn;
  }

  get weights(): Float32Array {
    const deviation = Math.sqrt((this.clamp === 'none' ? 1 : 2) / this.fanIn);
    return (this.#weights ??= new Random(this.seed).normals(this.weightCount, deviation));
  }
}

export interface MaxPool extends Windowed {
  readonly op: 'maxPool';
}

/** One step of a net; tensors are numbered, 0 is the input. */
export type Layer =
  | Convolution
  | MaxPool
  /** Every second row and column. */
  | { readonly op: 'subsample'; readonly input: number; readonly output: number; readonly stride: number }
  /** Zero channels behind those of the input. */
  | { readonly op: 'padChannels'; readonly input: number; readonly output: number; readonly added: number }
  | { readonly op: 'leaky'; readonly input: number; readonly output: number; readonly slope: number }
  | { readonly op: 'add' | 'concat'; readonly inputs: readonly [number, number]; readonly output: number }
  | { readonly op: 'globalMean' | 'softmax'; readonly input: number; readonly output: number };

/** A network in the terms that all engines share. */
export interface Net {
  readonly name: string;
  readonly tensors: readonly Shape[];
  readonly layers: readonly Layer[];
  /** Multiply-accumulate operations of its convolutions. */
  readonly macs: number;
}

export const inputsOf = (layer: Layer): readonly number[] =>
  'inputs' in layer ? layer.inputs : [layer.input];

const NO_PADS: Pads = { top: 0, left: 0, bottom: 0, right: 0 };

/** Output size and padding on both sides of a dimension, such that the output has ceil(n / stride) (TensorFlow's SAME). */
const same = (n: number, window: number, stride: number): [before: number, after: number, out: number] => {
  const out = Math.ceil(n / stride);
  const pad = Math.max(0, (out - 1) * stride + window - n);
  return [pad >> 1, pad - (pad >> 1), out];
};

/** Builds a net step by step; every step returns the number of its output. Weights are He-normal. */
export class NetBuilder {
  readonly #name: string;
  readonly #random: Random;
  readonly #tensors: Shape[];
  readonly #layers: Layer[] = [];
  #macs = 0;

  constructor(name: string, input: Shape, seed: number) {
    this.#name = name;
    this.#tensors = [input];
    this.#random = new Random(seed);
  }

  /** @param pad 'same', or so many rows and columns on every side */
  conv(
    input: number,
    channels: number,
    window: number,
    stride: number,
    clamp: Clamp,
    pad: 'same' | number = 'same',
  ): number {
    const { c } = this.shape(input);
    return this.#convolution('conv', input, channels, window, stride, clamp, pad, window * window * c);
  }

  depthwise(input: number, window: number, stride: number, clamp: Clamp): number {
    const { c } = this.shape(input);
    return this.#convolution('depthwise', input, c, window, stride, clamp, 'same', window * window);
  }

  #convolution(
    op: Convolution['op'],
    input: number,
    channels: number,
    window: number,
    stride: number,
    clamp: Clamp,
    pad: 'same' | number,
    fanIn: number,
  ): number {
    const [pads, h, w] = this.#windows(input, window, stride, pad);
    const output = this.#tensor({ h, w, c: channels });
    const layer = new RandomConvolution(
      op,
      input,
      output,
      window,
      stride,
      pads,
      clamp,
      channels,
      fanIn,
      this.#random.next(),
    );
    this.#macs += layer.weightCount * h * w;
    this.#layers.push(layer);
    return output;
  }

  maxPool(input: number, window: number, stride: number, pad: 'same' | number = 0): number {
    const [pads, h, w] = this.#windows(input, window, stride, pad);
    const output = this.#tensor({ h, w, c: this.shape(input).c });
    this.#layers.push({ op: 'maxPool', input, output, window, stride, pads });
    return output;
  }

  subsample(input: number, stride: number): number {
    const { h, w, c } = this.shape(input);
    const output = this.#tensor({ h: Math.ceil(h / stride), w: Math.ceil(w / stride), c });
    this.#layers.push({ op: 'subsample', input, output, stride });
    return output;
  }

  padChannels(input: number, added: number): number {
    const { h, w, c } = this.shape(input);
    const output = this.#tensor({ h, w, c: c + added });
    this.#layers.push({ op: 'padChannels', input, output, added });
    return output;
  }

  leaky(input: number, slope: number): number {
    const output = this.#tensor(this.shape(input));
    this.#layers.push({ op: 'leaky', input, output, slope });
    return output;
  }

  add(a: number, b: number): number {
    const output = this.#tensor(this.shape(a));
    this.#layers.push({ op: 'add', inputs: [a, b], output });
    return output;
  }

  /** Over the channels. */
  concat(a: number, b: number): number {
    const { h, w, c } = this.shape(a);
    const output = this.#tensor({ h, w, c: c + this.shape(b).c });
    this.#layers.push({ op: 'concat', inputs: [a, b], output });
    return output;
  }

  globalMean(input: number): number {
    const output = this.#tensor({ h: 1, w: 1, c: this.shape(input).c });
    this.#layers.push({ op: 'globalMean', input, output });
    return output;
  }

  softmax(input: number): number {
    const output = this.#tensor(this.shape(input));
    this.#layers.push({ op: 'softmax', input, output });
    return output;
  }

  shape(tensor: number): Shape {
    const shape = this.#tensors[tensor];
    if (shape === undefined) throw new RangeError(`no tensor ${tensor}`);
    return shape;
  }

  build(): Net {
    return { name: this.#name, tensors: this.#tensors, layers: this.#layers, macs: this.#macs };
  }

  #tensor(shape: Shape): number {
    return this.#tensors.push(shape) - 1;
  }

  #windows(
    input: number,
    window: number,
    stride: number,
    pad: 'same' | number,
  ): [pads: Pads, h: number, w: number] {
    const { h, w } = this.shape(input);
    if (pad === 'same') {
      const [top, bottom, outH] = same(h, window, stride);
      const [left, right, outW] = same(w, window, stride);
      return [{ top, left, bottom, right }, outH, outW];
    }
    const out = (n: number): number => Math.floor((n + 2 * pad - window) / stride) + 1;
    const pads = pad === 0 ? NO_PADS : { top: pad, left: pad, bottom: pad, right: pad };
    return [pads, out(h), out(w)];
  }
}
