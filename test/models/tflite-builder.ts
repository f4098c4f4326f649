import { Builder } from 'flatbuffers';

/** Writes small .tflite files with the FlatBuffer library's builder: the importer's opposite, for tests. */

export const Type = { FLOAT32: 0, FLOAT16: 1, INT32: 2, UINT8: 3, INT8: 9 } as const;

/** BuiltinOperator and, where it has one, the number of its options in the union BuiltinOptions (schema.fbs). */
const OPERATORS = {
  ADD: [0, 11],
  AVERAGE_POOL_2D: [1, 5],
  CONCATENATION: [2, 10],
  CONV_2D: [3, 1],
  DEPTHWISE_CONV_2D: [4, 2],
  DEQUANTIZE: [6, 0],
  FLOOR: [8, 0],
  FULLY_CONNECTED: [9, 8],
  LOGISTIC: [14, 0],
  MAX_POOL_2D: [17, 5],
  MUL: [18, 21],
  RELU: [19, 0],
  RELU_N1_TO_1: [20, 0],
  RELU6: [21, 0],
  RESHAPE: [22, 17],
  RESIZE_BILINEAR: [23, 15],
  SOFTMAX: [25, 9],
  TANH: [28, 0],
  CUSTOM: [32, 0],
  PAD: [34, 0],
  TRANSPOSE: [39, 0],
  MEAN: [40, 27],
  SQUEEZE: [43, 30],
  STRIDED_SLICE: [45, 32],
  EXP: [47, 0],
  SPLIT: [49, 35],
  PRELU: [54, 0],
  SLICE: [65, 0],
  EXPAND_DIMS: [70, 0],
  RESIZE_NEAREST_NEIGHBOR: [97, 74],
  LEAKY_RELU: [98, 75],
  QUANTIZE: [114, 0],
  HARD_SWISH: [117, 0],
} as const;
export type OperatorName = keyof typeof OPERATORS;

export interface TensorSpec {
  readonly shape: readonly number[];
  readonly type?: number;
  readonly data?: Uint8Array;
  readonly scales?: readonly number[];
  readonly zeroPoints?: readonly number[];
  readonly dimension?: number;
  readonly signature?: readonly number[];
}

/** Options by field number; `i8` and `bool` take one byte, `i32` and `f32` four. */
export type OptionSpec = readonly (readonly [
  field: number,
  kind: 'i8' | 'bool' | 'i32' | 'f32',
  value: number,
])[];

export interface OperatorSpec {
  readonly name: OperatorName;
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly options?: OptionSpec;
  readonly customName?: string;
}

export interface ModelSpec {
  readonly tensors: readonly TensorSpec[];
  readonly operators: readonly OperatorSpec[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
}

export const floats = (values: readonly number[]): Uint8Array =>
  new Uint8Array(Float32Array.from(values).buffer);
export const ints = (values: readonly number[]): Uint8Array => new Uint8Array(Int32Array.from(values).buffer);
export const bytes = (values: readonly number[]): Uint8Array =>
  Uint8Array.from(values, (value) => value & 0xff);

const int32Vector = (builder: Builder, values: readonly number[]): number => {
  builder.startVector(4, values.length, 4);
  for (const value of values.toReversed()) builder.addInt32(value);
  return builder.endVector();
};

const tableVector = (builder: Builder, tables: readonly number[]): number => {
  builder.startVector(4, tables.length, 4);
  for (const table of tables.toReversed()) builder.addOffset(table);
  return builder.endVector();
};

const byteVector = (builder: Builder, values: Uint8Array): number => {
  builder.startVector(1, values.length, 16);
  for (const value of values.toReversed()) builder.addInt8(value);
  return builder.endVector();
};

const quantization = (
  builder: Builder,
  { scales = [], zeroPoints = [], dimension = 0 }: TensorSpec,
): number => {
  if (scales.length === 0) return 0;
  builder.startVector(4, scales.length, 4);
  for (const scale of scales.toReversed()) builder.addFloat32(scale);
  const scaleVector = builder.endVector();
  builder.startVector(8, scales.length, 8);
  for (let i = scales.length - 1; i >= 0; i--) builder.addInt64(BigInt(zeroPoints[i] ?? zeroPoints[0] ?? 0));
  const zeroPointVector = builder.endVector();
  builder.startObject(7);
  builder.addFieldOffset(2, scaleVector, 0);
  builder.addFieldOffset(3, zeroPointVector, 0);
  builder.addFieldInt32(6, dimension, 0);
  return builder.endObject();
};

const tensor = (builder: Builder, spec: TensorSpec, index: number): number => {
  const shape = int32Vector(builder, spec.shape);
  const signature = spec.signature ? int32Vector(builder, spec.signature) : 0;
  const name = builder.createString(`tensor-${index}`);
  const parameters = quantization(builder, spec);
  builder.startObject(9);
  builder.addFieldOffset(0, shape, 0);
  builder.addFieldInt8(1, spec.type ?? Type.FLOAT32, 0);
  builder.addFieldInt32(2, spec.data ? index + 1 : 0, 0);
  builder.addFieldOffset(3, name, 0);
  builder.addFieldOffset(4, parameters, 0);
  builder.addFieldOffset(7, signature, 0);
  return builder.endObject();
};

const operatorOptions = (builder: Builder, options: OptionSpec): number => {
  builder.startObject(8);
  for (const [field, kind, value] of options) {
    if (kind === 'f32') builder.addFieldFloat32(field, value, 0);
    else if (kind === 'i32') builder.addFieldInt32(field, value, 0);
    else builder.addFieldInt8(field, value, 0);
  }
  return builder.endObject();
};

export const buildTflite = (spec: ModelSpec): Uint8Array => {
  const builder = new Builder(4096);
  const buffers = [undefined, ...spec.tensors.map(({ data }) => data)].map((data) => {
    const vector = data ? byteVector(builder, data) : 0;
    builder.startObject(3);
    builder.addFieldOffset(0, vector, 0);
    return builder.endObject();
  });
  const tensors = spec.tensors.map((one, i) => tensor(builder, one, i));
  const codes = spec.operators.map(({ name, customName }) => {
    const [number] = OPERATORS[name];
    const custom = customName === undefined ? 0 : builder.createString(customName);
    builder.startObject(4);
    builder.addFieldInt8(0, number, 0);
    builder.addFieldOffset(1, custom, 0);
    builder.addFieldInt32(2, 1, 0);
    builder.addFieldInt32(3, number, 0);
    return builder.endObject();
  });
  const operators = spec.operators.map(({ name, inputs, outputs, options }, i) => {
    const [, union] = OPERATORS[name];
    const [inputVector, outputVector] = [int32Vector(builder, inputs), int32Vector(builder, outputs)];
    const table = union === 0 ? 0 : operatorOptions(builder, options ?? []);
    builder.startObject(9);
    builder.addFieldInt32(0, i, -1);
    builder.addFieldOffset(1, inputVector, 0);
    builder.addFieldOffset(2, outputVector, 0);
    builder.addFieldInt8(3, union, 0);
    builder.addFieldOffset(4, table, 0);
    return builder.endObject();
  });
  const [inputVector, outputVector] = [int32Vector(builder, spec.inputs), int32Vector(builder, spec.outputs)];
  const [tensorVector, operatorVector] = [tableVector(builder, tensors), tableVector(builder, operators)];
  builder.startObject(5);
  builder.addFieldOffset(0, tensorVector, 0);
  builder.addFieldOffset(1, inputVector, 0);
  builder.addFieldOffset(2, outputVector, 0);
  builder.addFieldOffset(3, operatorVector, 0);
  const graph = builder.endObject();
  const [graphs, codeVector, bufferVector] = [[graph], codes, buffers].map((tables) =>
    tableVector(builder, tables),
  );
  builder.startObject(8);
  builder.addFieldInt32(0, 3, 0);
  builder.addFieldOffset(1, codeVector ?? 0, 0);
  builder.addFieldOffset(2, graphs ?? 0, 0);
  builder.addFieldOffset(4, bufferVector ?? 0, 0);
  builder.finish(builder.endObject(), 'TFL3');
  return builder.asUint8Array();
};
