import type { Bands } from './bands.js';
import type { Purpose } from './preset.js';
import type { Activation, DType, OpCode } from './szg1.js';

/** real = (q - zeroPoint) * scale; scale is a float32 value. */
export interface Quantisation {
  readonly scale: number;
  readonly zeroPoint: number;
}

/** Uint8Array: packed weights (`layout`). */
export type TensorData = Float32Array | Int8Array | Int32Array | Uint8Array;

/**
 * A value in the network, compared by identity. With `data` it is a constant, in the layout in which the engine reads it
 * (ta/tinylib/graph.h). Shapes are NHWC, rank 1 to 4.
 */
export interface Tensor {
  readonly name: string;
  readonly dtype: DType;
  readonly dims: readonly number[];
  /** Present exactly for i8. */
  readonly quantisation?: Quantisation;
  readonly data?: TensorData;
  /** Weights in the order of a target's kernels, with bias and scale in them; dims are those of the weights. */
  readonly layout?: 'panels' | 'depthwise';
}

/** One operator of S-Tinylib. Passes change operations in place and rewire tensors; tensors themselves never change. */
export interface Operation {
  code: OpCode;
  activation: Activation;
  inputs: (Tensor | null)[];
  output: Tensor;
  /** Parameters in the order of graph.h; what is left out is 0. */
  ints: number[];
  floats: number[];
  /** Bytes of the arena that only this operator uses while it runs. */
  readonly scratchBytes?: number;
  /** Where it came from, for messages and `inspect`: `CONV_2D #12`. */
  readonly origin: string;
}

export interface Network {
  input: Tensor;
  outputs: Tensor[];
  /** In the order of execution. */
  operations: Operation[];
  /** Operations at the beginning that run together, row by row. */
  readonly bands?: Bands;
  /** What the file itself says about pictures and results, where it does (Darknet's); else `undefined`. */
  readonly purpose?: Partial<Omit<Purpose, 'labels'>>;
  /** How the original model's input and outputs differ from these, one entry per output. */
  readonly boundary: Boundary;
}

/** What the importer did to the types at the edges: legacy uint8 tensors are int8 here, value ^ 0x80. */
export interface Boundary {
  readonly input: { readonly type: BoundaryType; readonly quantisation?: Quantisation };
  readonly outputs: readonly { readonly type: BoundaryType; readonly quantisation?: Quantisation }[];
}
export type BoundaryType = 'f32' | 'i8' | 'u8';

export const elementCount = (tensor: Pick<Tensor, 'dims'>): number => tensor.dims.reduce((a, b) => a * b, 1);

export const elementBytes = (dtype: DType): number => (dtype === 'i8' ? 1 : 4);

export const tensorBytes = (tensor: Tensor): number =>
  tensor.layout === undefined || tensor.data === undefined
    ? elementCount(tensor) * elementBytes(tensor.dtype)
    : tensor.data.byteLength;

export const sameQuantisation = (a: Tensor, b: Tensor): boolean =>
  a.dtype === b.dtype &&
  a.quantisation?.scale === b.quantisation?.scale &&
  a.quantisation?.zeroPoint === b.quantisation?.zeroPoint;

export const sameDims = (a: Tensor, b: Tensor): boolean =>
  a.dims.length === b.dims.length && a.dims.every((dim, i) => dim === b.dims[i]);

/** Which operations read each tensor, in order; an operation that reads it twice is listed twice. */
export const consumersOf = (network: Network): Map<Tensor, Operation[]> => {
  const consumers = new Map<Tensor, Operation[]>();
  for (const operation of network.operations) {
    for (const input of operation.inputs) {
      if (input === null) continue;
      const list = consumers.get(input);
      if (list === undefined) consumers.set(input, [operation]);
      else list.push(operation);
    }
  }
  return consumers;
};
