import { halfToFloat } from '../tflite/float16.js';
import { OperatorProblem } from './problem.js';
import type { TensorMessage } from './schema.js';

/** Types of elements that are understood; integers of 64 bits are numbers here, exact to 2^53. */
export type ElementType = 'f32' | 'f64' | 'i64' | 'i32' | 'i8' | 'u8' | 'bool';
export type Numbers = Float32Array | Float64Array | Int32Array | Int8Array | Uint8Array;

/** real = (q - zeroPoint) * scale, one of each or one for each index along `axis`. */
export interface ConstantQuantisation {
  readonly scales: readonly number[];
  readonly zeroPoints: readonly number[];
  readonly axis: number;
}

/** A value that is known when the model is imported. */
export interface Constant {
  readonly kind: 'constant';
  readonly name: string;
  readonly dims: readonly number[];
  readonly type: ElementType;
  readonly data: Numbers;
  /** Then `data` are integers, and the values are real numbers (type f32). */
  readonly quantisation?: ConstantQuantisation;
}

/** What folding may make of a small file: 2^24 elements, 64 MiB of floats. */
const MOST_FOLDED = 2 ** 24;

export const countOf = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

export const shapeText = (dims: readonly number[]): string => `[${dims.join(', ')}]`;

const TYPE_NAMES: readonly string[] = [
  'undefined',
  'float',
  'uint8',
  'int8',
  'uint16',
  'int16',
  'int32',
  'int64',
  'string',
  'bool',
  'float16',
  'double',
  'uint32',
  'uint64',
  'complex64',
  'complex128',
  'bfloat16',
  'float8e4m3fn',
  'float8e4m3fnuz',
  'float8e5m2',
  'float8e5m2fnuz',
  'uint4',
  'int4',
];

/** TensorProto.DataType */
export const typeName = (number: number): string => TYPE_NAMES[number] ?? `type ${number}`;

const ELEMENT_TYPES: ReadonlyMap<number, ElementType> = new Map<number, ElementType>([
  [1, 'f32'],
  [2, 'u8'],
  [3, 'i8'],
  [6, 'i32'],
  [7, 'i64'],
  [9, 'bool'],
  [10, 'f32'],
  [11, 'f64'],
]);

/** @throws OperatorProblem for types that have no place in the engine and are not needed to describe a network */
const elementType = (number: number): ElementType => {
  const type = ELEMENT_TYPES.get(number);
  if (type === undefined) throw new OperatorProblem(`is of type ${typeName(number)}, which is not supported`);
  return type;
};

const makeNumbers = (type: ElementType, length: number): Numbers => {
  switch (type) {
    case 'f32':
      return new Float32Array(length);
    case 'f64':
    case 'i64':
      return new Float64Array(length);
    case 'i32':
      return new Int32Array(length);
    case 'i8':
      return new Int8Array(length);
    case 'u8':
    case 'bool':
      return new Uint8Array(length);
  }
};

/** @throws OperatorProblem where it would be too large to be meant */
export const makeConstant = (
  name: string,
  type: ElementType,
  dims: readonly number[],
  value: (i: number) => number,
): Constant => {
  const count = countOf(dims);
  if (!Number.isInteger(count) || !(count <= MOST_FOLDED) || dims.some((dim) => !(dim >= 0)))
    throw new OperatorProblem(`makes a constant of ${shapeText(dims)}`);
  const data = makeNumbers(type, count);
  for (let i = 0; i < count; i++) data[i] = value(i);
  return { kind: 'constant', name, dims: [...dims], type, data };
};

const FLOAT16 = 10;
const RAW_BYTES: ReadonlyMap<number, number> = new Map([
  [1, 4],
  [2, 1],
  [3, 1],
  [6, 4],
  [7, 8],
  [9, 1],
  [FLOAT16, 2],
  [11, 8],
]);

const fromRaw = (type: number, raw: Uint8Array, count: number): Numbers => {
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength);
  const values = makeNumbers(elementType(type), count);
  for (let i = 0; i < count; i++) {
    switch (type) {
      case 1:
        values[i] = view.getFloat32(4 * i, true);
        break;
      case 6:
        values[i] = view.getInt32(4 * i, true);
        break;
      case 7:
        values[i] = Number(view.getBigInt64(8 * i, true));
        break;
      case FLOAT16:
        values[i] = halfToFloat(view.getUint16(2 * i, true));
        break;
      case 11:
        values[i] = view.getFloat64(8 * i, true);
        break;
      default:
        values[i] = raw[i] ?? 0;
    }
  }
  return values;
};

/** The list in which the file keeps values of this type, where they are not raw bytes. */
const listOf = ({ type, floats, int32s, int64s, doubles }: TensorMessage): readonly number[] => {
  if (type === 1) return floats;
  if (type === 7) return int64s;
  if (type === 11) return doubles;
  return type === FLOAT16 ? int32s.map(halfToFloat) : int32s;
};

/**
 * @param raw its bytes where they are in another file
 * @throws OperatorProblem where shape, type and number of values do not fit
 */
export const readConstant = (tensor: TensorMessage, raw: Uint8Array = tensor.raw): Constant => {
  const { name, type } = tensor;
  const dims = tensor.dims.map(Number);
  if (dims.length > 8 || dims.some((dim) => !(dim >= 0 && dim < 2 ** 31)))
    throw new OperatorProblem(`has the impossible shape ${shapeText(dims)}`);
  const count = countOf(dims);
  const bytes = RAW_BYTES.get(type) ?? 0;
  const kind = elementType(type);
  const list = raw.length > 0 ? undefined : listOf(tensor);
  if (list === undefined ? raw.length !== count * bytes : list.length !== count)
    throw new OperatorProblem(
      `is ${typeName(type)} ${shapeText(dims)}, but the file has ${list === undefined ? `${raw.length} bytes` : `${list.length} values`} for it`,
    );
  let data: Numbers;
  if (list === undefined) {
    data = fromRaw(type, raw, count);
  } else {
    data = makeNumbers(kind, count);
    data.set(list);
  }
  return { kind: 'constant', name, dims, type: kind, data };
};

/** The values as real numbers. */
export const realValues = ({ data, dims, quantisation }: Constant): Float32Array => {
  if (quantisation === undefined) return data instanceof Float32Array ? data : Float32Array.from(data);
  const { scales, zeroPoints, axis } = quantisation;
  const inner = scales.length === 1 ? data.length : countOf(dims.slice(axis + 1));
  return Float32Array.from(data, (q, i) => {
    const channel = scales.length === 1 ? 0 : Math.floor(i / inner) % scales.length;
    return Math.fround((q - (zeroPoints[channel] ?? 0)) * (scales[channel] ?? 0));
  });
};

/** The constant with real numbers as data. */
export const expanded = (constant: Constant): Constant => {
  const { kind, name, dims, type } = constant;
  return { kind, name, dims, type, data: realValues(constant) };
};

/** The same values with their dimensions in another order: dimension i of the result is dimension `order[i]`. */
export const permuteConstant = (constant: Constant, order: readonly number[]): Constant => {
  const { dims, quantisation } = constant;
  const strides = dims.map((_, i) => countOf(dims.slice(i + 1)));
  const shape = order.map((from) => dims[from] ?? 1);
  const steps = order.map((from) => strides[from] ?? 0);
  const count = constant.data.length;
  const data = constant.data.slice();
  const at = shape.map(() => 0);
  for (let i = 0, source = 0; i < count; i++) {
    data[i] = constant.data[source] ?? 0;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      source += steps[axis] ?? 0;
      at[axis] = (at[axis] ?? 0) + 1;
      if ((at[axis] ?? 0) < (shape[axis] ?? 0)) break;
      source -= (steps[axis] ?? 0) * (shape[axis] ?? 0);
      at[axis] = 0;
    }
  }
  const result = { ...constant, dims: shape, data };
  return quantisation === undefined
    ? result
    : { ...result, quantisation: { ...quantisation, axis: Math.max(0, order.indexOf(quantisation.axis)) } };
};
