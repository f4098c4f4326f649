import {
  elementCount,
  sameDims,
  type Operation,
  type Quantisation,
  type Tensor,
  type TensorData,
} from '../network.js';
import { MAX_RANK, type Activation, type OpCode } from '../szg1.js';
import { countOf, shapeText, type Constant } from './constant.js';
import type { OnnxNode } from './node.js';
import { OperatorProblem } from './problem.js';
import { atomsIn, dimsOf, moves, reshapeView, viewOf, withTensor, type Atom, type View } from './view.js';

/**
 * A value that the network computes. `type` is the model's: of type f32 with a tensor of type i8 it is quantised, and dequantised only
 * where an operator needs it so; u8 and i8 are the quantised integers themselves (u8 as int8: 128 less).
 */
export interface Computed {
  readonly kind: 'computed';
  readonly type: 'f32' | 'u8' | 'i8';
  readonly view: View;
}
export type Value = Constant | Computed;

/** The least that an operation needs; what is left out is none or 0. */
export interface OperationParts {
  readonly code: OpCode;
  readonly inputs: readonly (Tensor | null)[];
  readonly output: Tensor;
  readonly activation?: Activation;
  readonly ints?: readonly number[];
  readonly floats?: readonly number[];
}

/** The engine's arena is addressed with 32 bits. */
const MOST_BYTES = 2 ** 31;
/** What its coordinates can address (ta/tinylib/check_window.c). */
const MOST_DIMENSION = 2 ** 24;

/** The order in memory of the model's dimensions: channels last for pictures and sequences of vectors. */
export const usualOrder = (rank: number): number[] => {
  if (rank === 4) return [0, 2, 3, 1];
  return Array.from({ length: rank }, (_, i) => i);
};

/** The network as it grows while the nodes of a file are converted one after another. */
export class Conversion {
  readonly operations: Operation[] = [];
  readonly #values = new Map<string, Value>();
  readonly #failed = new Set<string>();
  readonly #arranged = new Map<Tensor, { readonly atoms: readonly Atom[]; readonly tensor: Tensor }[]>();
  readonly #shaped = new Map<Tensor, Tensor[]>();
  readonly #dequantised = new Map<Tensor, Tensor>();
  /** What tensors are called that are made from now on: the model's name of the value that is being computed. */
  naming = '';

  #budget: number;
  readonly #counted = new Set<TensorData>();

  /** @param budget bytes of constants that may be made of those in the file */
  constructor(
    readonly planned: ReadonlyMap<string, Quantisation>,
    budget: number,
  ) {
    this.#budget = budget;
  }

  /** No more constants can be made: there is nothing to go on with. */
  get exhausted(): boolean {
    return this.#budget < 0;
  }

  /** A small file that names one constant many times is not to fill the memory. */
  #count(data: TensorData | Constant['data']): void {
    this.#budget -= data.byteLength;
    if (this.#budget < 0) throw new OperatorProblem('makes more of the constants than they can be meant for');
  }

  set(name: string, value: Value): void {
    if (this.#values.has(name)) throw new OperatorProblem(`writes ${name}, which has a value already`);
    if (value.kind === 'constant') this.#count(value.data);
    this.#values.set(name, value);
  }

  setOutput(node: OnnxNode, value: Value, n = 0): void {
    const name = node.outputs[n] ?? '';
    if (name !== '') this.set(name, value);
  }

  value(name: string): Value {
    const value = this.#values.get(name);
    if (value === undefined) throw new OperatorProblem(`reads ${name} before it is computed`);
    return value;
  }

  knows(name: string): boolean {
    return this.#values.has(name);
  }

  operand(node: OnnxNode, n: number): Value {
    const name = node.inputs[n] ?? '';
    if (name === '') throw new OperatorProblem(`has no input ${n}`);
    return this.value(name);
  }

  optional(node: OnnxNode, n: number): Value | undefined {
    return (node.inputs[n] ?? '') === '' ? undefined : this.operand(node, n);
  }

  computed(node: OnnxNode, n: number): Computed {
    const value = this.operand(node, n);
    if (value.kind === 'constant') throw new OperatorProblem(`input ${n} (${value.name}) is a constant`);
    return value;
  }

  /** As `computed`, and its elements are real numbers. */
  real(node: OnnxNode, n: number): Computed {
    const value = this.computed(node, n);
    if (value.type !== 'f32') throw new OperatorProblem(`computes with ${value.type}, floats are expected`);
    return value;
  }

  constant(node: OnnxNode, n: number, what = `input ${n}`): Constant {
    const value = this.operand(node, n);
    if (value.kind !== 'constant')
      throw new OperatorProblem(`needs a constant ${what}, ${node.inputs[n]} is computed`);
    return value;
  }

  /** Integers that the operator needs to know now: axes, shapes, paddings. */
  integers(node: OnnxNode, n: number): number[] | undefined {
    if ((node.inputs[n] ?? '') === '') return undefined;
    return Array.from(this.constant(node, n).data);
  }

  /** After a problem: what reads these is not looked at again, it would only name the consequences. */
  fail(node: OnnxNode): void {
    for (const name of node.outputs) this.#failed.add(name);
  }

  readsFailed(node: OnnxNode): boolean {
    return node.inputs.some((name) => this.#failed.has(name));
  }

  isFailed(name: string): boolean {
    return this.#failed.has(name);
  }

  /** How the operator's output is to be quantised, if its inputs are. */
  plannedFor(node: OnnxNode, n = 0): Quantisation | undefined {
    return this.planned.get(node.outputs[n] ?? '');
  }

  /** A tensor that the network computes. */
  make(dims: readonly number[], quantisation: Quantisation | undefined, name?: string): Tensor {
    const bytes = countOf(dims) * (quantisation === undefined ? 4 : 1);
    if (dims.length > MAX_RANK)
      throw new OperatorProblem(`needs ${dims.length} dimensions: ${shapeText(dims)}`);
    if (dims.some((dim) => dim < 1)) throw new OperatorProblem(`gives nothing: ${shapeText(dims)}`);
    if (!(bytes < MOST_BYTES) || dims.some((dim) => dim > MOST_DIMENSION))
      throw new OperatorProblem(`gives ${shapeText(dims)}, which is too large`);
    const shape = dims.length === 0 ? [1] : [...dims];
    const label = name ?? this.naming;
    return quantisation === undefined
      ? { name: label, dtype: 'f32', dims: shape }
      : { name: label, dtype: 'i8', dims: shape, quantisation };
  }

  emit(node: Pick<OnnxNode, 'origin'>, parts: OperationParts): void {
    for (const input of parts.inputs)
      if (input?.data !== undefined && !this.#counted.has(input.data)) {
        this.#counted.add(input.data);
        this.#count(input.data);
      }
    this.operations.push({
      code: parts.code,
      activation: parts.activation ?? 'NONE',
      inputs: [...parts.inputs],
      output: parts.output,
      ints: [...(parts.ints ?? [])],
      floats: [...(parts.floats ?? [])],
      origin: node.origin,
    });
  }

  /** The tensor's values with other dimensions. */
  shaped(node: Pick<OnnxNode, 'origin'>, tensor: Tensor, dims: readonly number[]): Tensor {
    const shape = dims.length === 0 ? [1] : [...dims];
    if (sameDims(tensor, { ...tensor, dims: shape })) return tensor;
    const known = this.#shaped.get(tensor) ?? [];
    const there = known.find((one) => sameDims(one, { ...one, dims: shape }));
    if (there !== undefined) return there;
    const output = this.make(shape, tensor.quantisation);
    this.emit(node, { code: 'RESHAPE', inputs: [tensor], output });
    this.#shaped.set(tensor, [...known, output]);
    return output;
  }

  /** The value's elements in memory in another order of its atoms; the tensor's dims mean nothing then. */
  inOrder(node: Pick<OnnxNode, 'origin'>, { tensor, memory }: View, wanted: readonly Atom[]): Tensor {
    const known = this.#arranged.get(tensor) ?? [];
    const there = known.find(
      ({ atoms }) => atoms.length === wanted.length && atoms.every((a, i) => a === wanted[i]),
    );
    if (there !== undefined) return there.tensor;
    let result = tensor;
    for (const { dims, order } of moves(memory, wanted)) {
      const x = this.shaped(node, result, dims);
      const output = this.make(
        order.map((from) => dims[from] ?? 1),
        tensor.quantisation,
      );
      this.emit(node, {
        code: 'TRANSPOSE',
        inputs: [x],
        output,
        ints: [0, 1, 2, 3].map((i) => order[i] ?? i),
      });
      result = output;
    }
    if (result !== tensor) this.#arranged.set(tensor, [...known, { atoms: [...wanted], tensor: result }]);
    return result;
  }

  /** The value as a tensor whose dimension i is the model's dimension order[i]. */
  arranged(node: Pick<OnnxNode, 'origin'>, { view }: Computed, order: readonly number[]): Tensor {
    const dims = dimsOf(view);
    if (order.length > MAX_RANK)
      throw new OperatorProblem(`needs ${order.length} dimensions: ${shapeText(dims)}`);
    const tensor = this.inOrder(node, view, atomsIn(view, order));
    return this.shaped(
      node,
      tensor,
      order.map((axis) => dims[axis] ?? 1),
    );
  }

  /** As `arranged`, with what its dimensions mean. */
  arrangedView(node: Pick<OnnxNode, 'origin'>, value: Computed, order: readonly number[]): View {
    const tensor = this.arranged(node, value, order);
    return viewOf(tensor, dimsOf(value.view), order);
  }

  /** The same values with other dimensions of the model; nothing is moved unless they cut unevenly through a transposition. */
  reshaped(node: Pick<OnnxNode, 'origin'>, value: Computed, dims: readonly number[]): Computed {
    const { view } = value;
    if (countOf(dims) !== elementCount(view.tensor))
      throw new OperatorProblem(`makes ${shapeText(dims)} of ${shapeText(dimsOf(view))}`);
    const seen = reshapeView(view, dims);
    if (seen !== undefined) return { ...value, view: seen };
    const tensor = this.inOrder(node, view, view.axes.flat());
    return {
      ...value,
      view: viewOf(
        tensor,
        dims,
        dims.map((_, i) => i),
      ),
    };
  }

  /**
   * What an operator computes with: int8 as it is where all its values are and the result's quantisation is known (`quantisation`
   * then), otherwise float32.
   */
  numeric<T extends readonly Computed[]>(
    node: OnnxNode,
    values: T,
    possible = true,
  ): { readonly values: { [K in keyof T]: Computed }; readonly quantisation: Quantisation | undefined } {
    const planned = this.plannedFor(node);
    if (possible && planned !== undefined && values.every(({ view }) => view.tensor.dtype === 'i8'))
      return { values: values as { [K in keyof T]: Computed }, quantisation: planned };
    return {
      values: values.map((value) => this.dequantised(node, value)) as { [K in keyof T]: Computed },
      quantisation: undefined,
    };
  }

  /** As float32 in memory. */
  dequantised(node: Pick<OnnxNode, 'origin'>, value: Computed): Computed {
    const { tensor } = value.view;
    if (tensor.dtype === 'f32') return value;
    let output = this.#dequantised.get(tensor);
    if (output === undefined) {
      output = this.make(tensor.dims, undefined);
      this.emit(node, { code: 'DEQUANTIZE', inputs: [tensor], output });
      this.#dequantised.set(tensor, output);
    }
    return { ...value, view: withTensor(value.view, output) };
  }
}

/** The value of a tensor that an operator computed: its dimension i is the model's dimension order[i]. */
export const computedFrom = (
  tensor: Tensor,
  order: readonly number[],
  type: Computed['type'] = 'f32',
): Computed => {
  const dims: number[] = [];
  order.forEach((axis, i) => (dims[axis] = tensor.dims[i] ?? 1));
  return { kind: 'computed', type, view: viewOf(tensor, dims, order) };
};

export const shapeOf = (value: Value): readonly number[] =>
  value.kind === 'constant' ? value.dims : dimsOf(value.view);

/** Negative axes count from the end. */
export const resolveAxis = (axis: number, rank: number): number => {
  const resolved = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || resolved < 0 || resolved >= rank)
    throw new OperatorProblem(`has axis ${axis} for ${rank} dimensions`);
  return resolved;
};
