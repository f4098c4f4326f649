import { OnnxGraph } from '../../bench/peers/onnx-graph.js';

export const bytesOf = (values: Float32Array): Uint8Array =>
  new Uint8Array(values.buffer, values.byteOffset, values.byteLength);

/** An ONNX model whose nodes and constants have numbers for names. */
export class OnnxLayers {
  readonly #graph = new OnnxGraph('darknet');
  #count = 0;

  node(operator: string, inputs: string[], attributes: Parameters<OnnxGraph['node']>[3] = {}): string {
    return this.#graph.node(operator, inputs, `${operator}${this.#count++}`, attributes);
  }

  constant(values: Float32Array, dims: readonly number[]): string {
    return this.#graph.constant(`c${this.#count++}`, 'float', dims, bytesOf(values));
  }

  integers(values: readonly number[]): string {
    const bytes = new Uint8Array(BigInt64Array.from(values, BigInt).buffer);
    return this.#graph.constant(`c${this.#count++}`, 'int64', [values.length], bytes);
  }

  activate(x: string, activation: string): string {
    switch (activation) {
      case 'linear':
        return x;
      case 'relu':
        return this.node('Relu', [x]);
      case 'relu6':
        return this.node('Clip', [
          x,
          this.constant(Float32Array.of(0), []),
          this.constant(Float32Array.of(6), []),
        ]);
      case 'leaky':
        return this.node('LeakyRelu', [x], { alpha: { float: 0.1 } });
      case 'logistic':
        return this.node('Sigmoid', [x]);
      case 'tanh':
        return this.node('Tanh', [x]);
      case 'swish':
        return this.node('Mul', [x, this.node('Sigmoid', [x])]);
      default:
        throw new Error(activation);
    }
  }

  finish(...edges: Parameters<OnnxGraph['finish']>): Uint8Array {
    return this.#graph.finish(...edges);
  }
}
