import { Random } from '../../bench/nets/random.js';
import { OnnxGraph } from '../../bench/peers/onnx-graph.js';

export interface Rounding {
  readonly scale: number;
  readonly zero: number;
  readonly type?: 'int8' | 'uint8';
}

/** Nodes are written with the names of what they read; constants are random. */
export class Graph {
  readonly #graph = new OnnxGraph('graph');
  readonly #random = new Random(7);
  #count = 0;

  weights(...dims: number[]): string {
    const values = this.#random.normals(
      dims.reduce((a, b) => a * b, 1),
      0.3,
    );
    return this.floats(dims, [...values]);
  }

  floats(dims: readonly number[], values: readonly number[]): string {
    const bytes = new Uint8Array(Float32Array.from(values).buffer);
    return this.#graph.constant(`c${this.#count++}`, 'float', dims, bytes);
  }

  integers(...values: number[]): string {
    const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    return this.#graph.constant(`c${this.#count++}`, 'int64', [values.length], bytes);
  }

  index(value: number): string {
    const bytes = new Uint8Array(BigInt64Array.of(BigInt(value)).buffer);
    return this.#graph.constant(`c${this.#count++}`, 'int64', [], bytes);
  }

  node(
    operator: string,
    inputs: readonly string[],
    attributes: Parameters<OnnxGraph['node']>[3] = {},
  ): string {
    return this.#graph.node(operator, inputs, `v${this.#count++}`, attributes);
  }

  /** Rounded to 8 bits and back. */
  rounded(x: string, { scale, zero, type = 'uint8' }: Rounding): string {
    const operands = (): string[] => [
      this.floats([], [scale]),
      this.#graph.constant(`c${this.#count++}`, type, [], Uint8Array.of(zero & 0xff)),
    ];
    return this.node('DequantizeLinear', [this.node('QuantizeLinear', [x, ...operands()]), ...operands()]);
  }

  /** int8 or uint8 weights with scales along `axis`, or with one for all. */
  quantisedWeights(
    dims: readonly number[],
    axis?: number,
    type: 'int8' | 'uint8' = 'int8',
    zero = 0,
  ): string {
    const count = dims.reduce((a, b) => a * b, 1);
    const least = type === 'int8' ? -127 : 0;
    const values = Uint8Array.from(
      this.#random.uniforms(count, least, least + 254),
      (value) => Math.round(value) & 0xff,
    );
    const scales = axis === undefined ? 1 : (dims[axis] ?? 1);
    const shape = axis === undefined ? [] : [scales];
    const operands = [
      this.#graph.constant(`c${this.#count++}`, type, dims, values),
      this.floats(shape, [...this.#random.uniforms(scales, 0.002, 0.01)]),
      this.#graph.constant(`c${this.#count++}`, type, shape, new Uint8Array(scales).fill(zero)),
    ];
    return this.node('DequantizeLinear', operands, axis === undefined ? {} : { axis });
  }

  /** int32, in units of the products of input and weights where these have one scale. */
  quantisedBias(count: number, scales: readonly number[]): string {
    const values = Int32Array.from(this.#random.uniforms(count, -3000, 3000), Math.round);
    const bytes = new Uint8Array(values.buffer);
    const operands = [
      this.#graph.constant(`c${this.#count++}`, 'int32', [count], bytes),
      this.floats(scales.length === 1 ? [] : [count], scales),
    ];
    return this.node('DequantizeLinear', operands, scales.length === 1 ? {} : { axis: 0 });
  }

  conv(x: string, from: number, to: number, k = 3): string {
    const pad = k >> 1;
    return this.node('Conv', [x, this.weights(to, from, k, k)], { pads: [pad, pad, pad, pad] });
  }

  finish(input: readonly number[], output: string, dims: readonly number[]): Uint8Array {
    return this.#graph.finish(
      { name: 'x', type: 'float', dims: input },
      { name: output, type: 'float', dims },
    );
  }
}
