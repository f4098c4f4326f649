import { elementCount, type Boundary, type Operation, type Quantisation, type Tensor } from '../network.js';
import { MAX_RANK, type Activation, type OpCode } from '../szg1.js';
import type { TfliteFile, TfliteOperator, TfliteTensor } from './file.js';
import { halfToFloat } from './float16.js';
import { ACTIVATIONS } from './schema.js';

/** Why one operator cannot be converted; collected, so that one run names them all. */
export class OperatorProblem extends Error {}

/** The least that an operation needs; what is left out is none or 0. */
export interface OperationParts {
  readonly code: OpCode;
  readonly inputs: readonly (Tensor | null)[];
  readonly output: Tensor;
  readonly activation?: Activation;
  readonly ints?: readonly number[];
  readonly floats?: readonly number[];
}

/**
 * The network as it grows while the operators of a file are converted one after another. Legacy uint8 tensors become int8
 * here, exactly: value ^ 0x80, zero point - 128.
 */
export class Conversion {
  readonly operations: Operation[] = [];
  readonly #file: TfliteFile;
  readonly #values = new Map<number, Tensor>();
  readonly #failed = new Set<number>();

  constructor(file: TfliteFile) {
    this.#file = file;
  }

  /** The graph's input. */
  addInput(index: number): Tensor {
    const tensor = this.#activation(index);
    this.#values.set(index, tensor);
    return tensor;
  }

  /** The value of the operator's nth input: computed earlier, or a constant of the file. */
  operand(operator: TfliteOperator, n: number): Tensor {
    const index = operator.inputs[n] ?? -1;
    if (index < 0) throw new OperatorProblem(`has no input ${n}`);
    return this.value(index);
  }

  optional(operator: TfliteOperator, n: number): Tensor | undefined {
    return (operator.inputs[n] ?? -1) < 0 ? undefined : this.operand(operator, n);
  }

  /** As `operand`, but it must be computed by the network rather than stored in the file. */
  computed(operator: TfliteOperator, n: number): Tensor {
    const tensor = this.operand(operator, n);
    if (tensor.data !== undefined) throw new OperatorProblem(`input ${n} (${tensor.name}) is a constant`);
    if (tensor.dtype === 'i32') throw new OperatorProblem(`input ${n} (${tensor.name}) holds integers`);
    return tensor;
  }

  value(index: number): Tensor {
    const known = this.#values.get(index);
    if (known !== undefined) return known;
    const source = this.source(index);
    if (source.data === undefined) throw new OperatorProblem(`reads ${source.name} before it is computed`);
    const constant = constantTensor(source);
    this.#values.set(index, constant);
    return constant;
  }

  /** The tensor as the file describes it: per-channel scales, for example. */
  source(index: number): TfliteTensor {
    const tensor = this.#file.tensors[index];
    if (tensor === undefined) throw new OperatorProblem(`reads missing tensor ${index}`);
    if (tensor.peculiarity !== undefined)
      throw new OperatorProblem(`${tensor.name} has ${tensor.peculiarity}`);
    return tensor;
  }

  sourceOf(operator: TfliteOperator, n: number): TfliteTensor {
    return this.source(operator.inputs[n] ?? -1);
  }

  /** Integers that the operator needs to know now: axes, paddings, permutations. */
  integers(operator: TfliteOperator, n: number): number[] {
    const { data, type, name } = this.sourceOf(operator, n);
    if (data === undefined) throw new OperatorProblem(`input ${n} (${name}) is not a constant`);
    const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
    if (type === 'INT32')
      return Array.from({ length: data.length / 4 }, (_, i) => view.getInt32(4 * i, true));
    if (type === 'INT64')
      return Array.from({ length: data.length / 8 }, (_, i) => Number(view.getBigInt64(8 * i, true)));
    throw new OperatorProblem(`input ${n} (${name}) is ${type}, integers are expected`);
  }

  /** Makes the operator's nth output; its shape and type are the file's. */
  output(operator: TfliteOperator, n = 0): Tensor {
    const index = operator.outputs[n] ?? -1;
    const known = this.#values.get(index);
    if (known !== undefined || this.source(index).data !== undefined)
      throw new OperatorProblem(`writes ${this.source(index).name}, which has a value already`);
    const tensor = this.#activation(index);
    this.#values.set(index, tensor);
    return tensor;
  }

  /** The operator's output is a known value: constant folding. */
  setOutput(operator: TfliteOperator, tensor: Tensor): void {
    this.#values.set(operator.outputs[0] ?? -1, tensor);
  }

  /** After a problem: later operators are still looked at, with outputs of the shapes that the file gives. */
  declareOutputs(operator: TfliteOperator): void {
    for (const [n, index] of operator.outputs.entries()) {
      if (this.#values.has(index)) continue;
      try {
        this.output(operator, n);
      } catch (error) {
        if (!(error instanceof OperatorProblem)) throw error;
      }
      this.#failed.add(index);
    }
  }

  /** Does it read what an earlier problem left without a value? Then its own problem is only a consequence. */
  readsFailed(operator: TfliteOperator): boolean {
    return operator.inputs.some((index) => this.#failed.has(index));
  }

  emit(operator: TfliteOperator, parts: OperationParts): void {
    this.operations.push({
      code: parts.code,
      activation: parts.activation ?? 'NONE',
      inputs: [...parts.inputs],
      output: parts.output,
      ints: [...(parts.ints ?? [])],
      floats: [...(parts.floats ?? [])],
      origin: `${operator.name} #${operator.index}`,
    });
  }

  boundaryOf(index: number): Boundary['input'] {
    const { type, scales, zeroPoints } = this.source(index);
    if (type === 'FLOAT32') return { type: 'f32' };
    const quantisation = { scale: scales[0] ?? 0, zeroPoint: zeroPoints[0] ?? 0 };
    return { type: type === 'UINT8' ? 'u8' : 'i8', quantisation };
  }

  #activation(index: number): Tensor {
    const source = this.source(index);
    const dims = dimsOf(source);
    if (dims.some((dim) => dim < 1))
      throw new OperatorProblem(`${source.name} is empty: [${dims.join(', ')}]`);
    if (source.type === 'FLOAT32') return { name: source.name, dtype: 'f32', dims };
    if (source.type === 'INT8' || source.type === 'UINT8')
      return { name: source.name, dtype: 'i8', dims, quantisation: quantisationOf(source) };
    throw new OperatorProblem(`${source.name} is ${source.type}`);
  }
}

const dimsOf = (source: TfliteTensor): number[] => {
  if (source.shape.length > MAX_RANK)
    throw new OperatorProblem(
      `${source.name} has ${source.shape.length} dimensions, at most ${MAX_RANK} are possible`,
    );
  return source.shape.length === 0 ? [1] : [...source.shape];
};

/** Per-tensor quantisation, as int8. */
export const quantisationOf = (source: TfliteTensor): Quantisation => {
  const [scale] = source.scales;
  const zeroPoint = (source.zeroPoints[0] ?? 0) - (source.type === 'UINT8' ? 128 : 0);
  if (scale === undefined || source.scales.length !== 1)
    throw new OperatorProblem(`${source.name} has ${source.scales.length} scales where one is needed`);
  if (!Number.isFinite(scale) || scale <= 0) throw new OperatorProblem(`${source.name} has scale ${scale}`);
  if (zeroPoint < -128 || zeroPoint > 127)
    throw new OperatorProblem(`${source.name} has zero point ${zeroPoint}`);
  return { scale, zeroPoint };
};

/** The file's bytes as int8 values. */
export const int8Values = (source: TfliteTensor): Int8Array => {
  const data = source.data ?? new Uint8Array(0);
  if (source.type === 'INT8') return new Int8Array(data);
  if (source.type === 'UINT8') return new Int8Array(data.map((value) => value ^ 0x80));
  throw new OperatorProblem(`${source.name} is ${source.type}, int8 or uint8 is expected`);
};

const constantTensor = (source: TfliteTensor): Tensor => {
  const data = source.data ?? new Uint8Array(0);
  const { name, type } = source;
  const dims = dimsOf(source);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const count = elementCount({ dims });
  const floats = (read: (i: number) => number): Tensor => {
    return { name, dtype: 'f32', dims, data: Float32Array.from({ length: count }, (_, i) => read(i)) };
  };
  if (type === 'FLOAT32') return floats((i) => view.getFloat32(4 * i, true));
  if (type === 'FLOAT16') return floats((i) => halfToFloat(view.getUint16(2 * i, true)));
  if (type === 'INT32') {
    const data = Int32Array.from({ length: count }, (_, i) => view.getInt32(4 * i, true));
    return { name, dtype: 'i32', dims, data };
  }
  if (type === 'INT8' || type === 'UINT8') {
    // Per-channel weights have no single quantisation: their user reads the scales from the source.
    const quantisation = source.scales.length === 1 ? quantisationOf(source) : { scale: 1, zeroPoint: 0 };
    return { name, dtype: 'i8', dims, data: int8Values(source), quantisation };
  }
  throw new OperatorProblem(`${name} is ${type}`);
};

/** An operator's fused activation. */
export const fusedActivation = (operator: TfliteOperator, field: number): Activation => {
  const number = operator.options?.int8(field) ?? 0;
  const name = ACTIVATIONS[number];
  if (name === 'TANH' || name === 'SIGN_BIT' || name === undefined)
    throw new OperatorProblem(`has fused activation ${name ?? number}`);
  return name;
};

/** Negative axes count from the end. */
export const resolveAxis = (axis: number, rank: number): number => {
  const resolved = axis < 0 ? axis + rank : axis;
  if (resolved < 0 || resolved >= rank) throw new OperatorProblem(`has axis ${axis} for ${rank} dimensions`);
  return resolved;
};
