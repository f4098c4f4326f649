import { ModelImportError } from '../import-error.js';
import type { Format } from '../../../protocol/messages/input-shape.js';
import type { EdgeTensor, GraphEdges } from '../read-edges.js';
import type { ReferenceTensor, ReferenceValues } from './reference.js';

/** A frame's real values, as the engine makes them (ta/tinylib/input.c). */
export const realInput = (
  { input, normalisation }: GraphEdges,
  format: Format,
  frame: Uint8Array,
): number[] => {
  const channels = input.dims.at(-1) ?? 1;
  switch (format) {
    case 'u8':
      return Array.from(frame, (value, i) => {
        const c = channels <= 4 ? i % channels : 0;
        const product = Math.fround(value * Math.fround(normalisation.a[c] ?? 0));
        return Math.fround(product + Math.fround(normalisation.b[c] ?? 0));
      });
    case 'i8':
      return Array.from(frame, (value) => (((value << 24) >> 24) - input.zeroPoint) * input.scale);
    case 'f32': {
      const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
      return Array.from({ length: frame.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
    }
  }
};

const stored = (value: number, { scale, zeroPoint }: EdgeTensor): number =>
  Math.min(127, Math.max(-128, Math.round(value / scale) + zeroPoint));

/** The real values that are left of an input once it is stored: of int8, one of 256. */
export const storedInput = ({ input }: GraphEdges, real: readonly number[]): readonly number[] =>
  input.dtype === 'i8' ? real.map((value) => (stored(value, input) - input.zeroPoint) * input.scale) : real;

const isNchwOf = (theirs: readonly number[], [n, h, w, c]: readonly number[]): boolean =>
  theirs.length === 4 && [n, c, h, w].every((dim, i) => theirs[i] === dim);

const isSame = (a: readonly number[], b: readonly number[]): boolean =>
  a.length === b.length && a.every((dim, i) => dim === b[i]);

/** Where element i of an NHWC tensor lies in NCHW. */
const nchwIndex = ([, h = 1, w = 1, c = 1]: readonly number[]): ((i: number) => number) => {
  return (i) => {
    const channel = i % c;
    const pixel = Math.floor(i / c) % (h * w);
    const image = Math.floor(i / (c * h * w));
    return (image * c + channel) * h * w + pixel;
  };
};

/** The bytes of a reference's input tensor for real values in the graph's order. */
export const referenceInput = (
  real: readonly number[],
  ours: EdgeTensor,
  theirs: ReferenceTensor,
  name: string,
): Uint8Array => {
  if (theirs.dims.reduce((a, b) => a * b, 1) !== real.length)
    throw new ModelImportError(name, [
      `its input is ${theirs.type} ${theirs.dims.join('x')}, the package's ${ours.dims.join('x')}: another model?`,
    ]);
  const place =
    !isSame(theirs.dims, ours.dims) && isNchwOf(theirs.dims, ours.dims)
      ? nchwIndex(ours.dims)
      : (i: number): number => i;
  if (theirs.type === 'f32') {
    const values = new Float32Array(real.length);
    real.forEach((value, i) => (values[place(i)] = value));
    return new Uint8Array(values.buffer);
  }
  if (theirs.type === 'i32' || ours.dtype !== 'i8')
    throw new ModelImportError(name, [
      `takes ${theirs.type}, the package's network ${ours.dtype}: another model?`,
    ]);
  const bytes = new Uint8Array(real.length);
  // A legacy uint8 model is int8 in the package: 128 less.
  const flip = theirs.type === 'u8' ? 0x80 : 0;
  real.forEach((value, i) => (bytes[place(i)] = (stored(value, ours) & 0xff) ^ flip));
  return bytes;
};

/** Real values of a reference's output in the order of the graph's. */
export const referenceOutput = (
  values: ReferenceValues,
  theirs: ReferenceTensor,
  ours: EdgeTensor,
  name: string,
): number[] => {
  const count = ours.dims.reduce((a, b) => a * b, 1);
  if (values.length !== count)
    throw new ModelImportError(name, [
      `output ${theirs.name} is ${theirs.dims.join('x')}, the package's ${ours.dims.join('x')}: another model?`,
    ]);
  const place =
    !isSame(theirs.dims, ours.dims) && isNchwOf(theirs.dims, ours.dims)
      ? nchwIndex(ours.dims)
      : (i: number): number => i;
  const real = (value: number): number => {
    if (theirs.type === 'f32') return value;
    return ((theirs.type === 'u8' ? value - 128 : value) - ours.zeroPoint) * ours.scale;
  };
  return Array.from({ length: count }, (_, i) => real(values[place(i)] ?? NaN));
};

/** Real values of one of the engine's output tensors. */
export const engineOutput = (bytes: Uint8Array, { dtype, scale, zeroPoint }: EdgeTensor): number[] => {
  if (dtype === 'i8') return Array.from(bytes, (value) => (((value << 24) >> 24) - zeroPoint) * scale);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / 4 }, (_, i) => view.getFloat32(4 * i, true));
};
