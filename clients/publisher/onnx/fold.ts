import {
  countOf,
  makeConstant,
  readConstant,
  shapeText,
  type Constant,
  type ElementType,
} from './constant.js';
import { resolveAxis, shapeOf, type Conversion, type Value } from './conversion.js';
import { broadcastDims } from './elementwise.js';
import type { OnnxNode } from './node.js';
import { OperatorProblem } from './problem.js';
import { piecesOf } from './slicing.js';

/** Computes a node whose inputs are all known. */
type Fold = (conversion: Conversion, node: OnnxNode) => Value;

const isInteger = (type: ElementType): boolean => type !== 'f32' && type !== 'f64';

/** Expanded, if it is quantised. */
const plain = (constant: Constant): ((i: number) => number) => {
  const { data, quantisation, dims } = constant;
  if (quantisation === undefined) return (i) => data[i] ?? 0;
  const { scales, zeroPoints, axis } = quantisation;
  const inner = countOf(dims.slice(axis + 1));
  return (i) => {
    const c = scales.length === 1 ? 0 : Math.floor(i / inner) % scales.length;
    return Math.fround(((data[i] ?? 0) - (zeroPoints[c] ?? 0)) * (scales[c] ?? 0));
  };
};

const binary =
  (compute: (a: number, b: number, integers: boolean) => number): Fold =>
  (conversion, node) => {
    const [a, b] = [conversion.constant(node, 0), conversion.constant(node, 1)];
    const dims = broadcastDims(a.dims, b.dims);
    const reader = (constant: Constant): ((i: number) => number) => {
      const value = plain(constant);
      const own = [...new Array<number>(dims.length - constant.dims.length).fill(1), ...constant.dims];
      return (i) => {
        let at = 0;
        let step = 1;
        for (let axis = dims.length - 1, rest = i; axis >= 0; axis--) {
          const dim = dims[axis] ?? 1;
          if (own[axis] !== 1) at += (rest % dim) * step;
          step *= own[axis] ?? 1;
          rest = Math.floor(rest / dim);
        }
        return value(at);
      };
    };
    const [p, q] = [reader(a), reader(b)];
    const integers = isInteger(a.type);
    return makeConstant(node.outputs[0] ?? '', a.type, dims, (i) => compute(p(i), q(i), integers));
  };

const unary =
  (compute: (x: number) => number): Fold =>
  (conversion, node) => {
    const x = conversion.constant(node, 0);
    const value = plain(x);
    return makeConstant(node.outputs[0] ?? '', x.type, x.dims, (i) => compute(value(i)));
  };

const CAST_TYPES: ReadonlyMap<number, ElementType> = new Map<number, ElementType>([
  [1, 'f32'],
  [2, 'u8'],
  [3, 'i8'],
  [6, 'i32'],
  [7, 'i64'],
  [9, 'bool'],
  [10, 'f32'],
  [11, 'f64'],
]);

const cast: Fold = (conversion, node) => {
  const x = conversion.constant(node, 0);
  const type = CAST_TYPES.get(node.int('to', 0));
  if (type === undefined) throw new OperatorProblem(`turns a constant into type ${node.int('to', 0)}`);
  const value = plain(x);
  return makeConstant(node.outputs[0] ?? '', type, x.dims, (i) =>
    type === 'bool' ? Number(value(i) !== 0) : isInteger(type) ? Math.trunc(value(i)) : value(i),
  );
};

const numbers = (node: OnnxNode, values: readonly number[], dims = [values.length]): Constant =>
  makeConstant(node.outputs[0] ?? '', 'i64', dims, (i) => values[i] ?? 0);

/** A shape is known though the value is not. */
const shape: Fold = (conversion, node) => {
  const dims = shapeOf(conversion.operand(node, 0));
  const rank = dims.length;
  const bound = (at: number): number => Math.min(rank, Math.max(0, at < 0 ? at + rank : at));
  return numbers(node, dims.slice(bound(node.int('start', 0)), bound(node.int('end', rank))));
};

const size: Fold = (conversion, node) => numbers(node, [countOf(shapeOf(conversion.operand(node, 0)))], []);

const constant: Fold = (_, node) => {
  const name = node.outputs[0] ?? '';
  const tensor = node.tensor('value');
  if (tensor !== undefined) return { ...readConstant(tensor), name };
  const lists = [
    ['f32', node.has('value_float') ? [node.float('value_float', 0)] : undefined, []],
    ['f32', node.floats('value_floats'), undefined],
    ['i64', node.has('value_int') ? [node.int('value_int', 0)] : undefined, []],
    ['i64', node.ints('value_ints'), undefined],
  ] as const;
  const given = lists.find(([, values]) => values !== undefined);
  if (given?.[1] === undefined) throw new OperatorProblem('holds neither numbers nor a tensor');
  const [type, values, dims] = given;
  return makeConstant(name, type, dims ?? [values.length], (i) => values[i] ?? 0);
};

const constantOfShape: Fold = (conversion, node) => {
  const dims = conversion.integers(node, 0) ?? [];
  const tensor = node.tensor('value');
  const value = tensor && readConstant(tensor);
  return makeConstant(node.outputs[0] ?? '', value?.type ?? 'f32', dims, () => value?.data[0] ?? 0);
};

const range: Fold = (conversion, node) => {
  const [start, limit, step] = [0, 1, 2].map((n) => conversion.constant(node, n));
  const [from = 0, to = 0, by = 1] = [start, limit, step].map((one) => one?.data[0] ?? 0);
  const count = Math.max(0, Math.ceil((to - from) / by));
  return makeConstant(node.outputs[0] ?? '', start?.type ?? 'i64', [count], (i) => from + i * by);
};

const gather: Fold = (conversion, node) => {
  const x = conversion.constant(node, 0);
  const indices = conversion.constant(node, 1);
  const axis = resolveAxis(node.int('axis', 0), x.dims.length);
  const dim = x.dims[axis] ?? 1;
  const inner = countOf(x.dims.slice(axis + 1));
  const count = indices.data.length;
  const value = plain(x);
  const dims = [...x.dims.slice(0, axis), ...indices.dims, ...x.dims.slice(axis + 1)];
  return makeConstant(node.outputs[0] ?? '', x.type, dims, (i) => {
    const outer = Math.floor(i / (inner * count));
    const place = resolveAxis(indices.data[Math.floor(i / inner) % count] ?? 0, dim);
    return value((outer * dim + place) * inner + (i % inner));
  });
};

const concat: Fold = (conversion, node) => {
  const parts = node.inputs.map((_, n) => conversion.constant(node, n));
  const [first] = parts;
  if (first === undefined) throw new OperatorProblem('has no input');
  const axis = resolveAxis(node.int('axis', 1), first.dims.length);
  const fits = ({ dims }: Constant): boolean =>
    dims.length === first.dims.length && dims.every((dim, i) => i === axis || dim === first.dims[i]);
  if (!parts.every(fits))
    throw new OperatorProblem(`joins ${parts.map(({ dims }) => shapeText(dims)).join(', ')}`);
  const inner = countOf(first.dims.slice(axis + 1));
  const total = parts.reduce((sum, { dims }) => sum + (dims[axis] ?? 0), 0);
  const values = parts.map(plain);
  const dims = first.dims.map((dim, i) => (i === axis ? total : dim));
  const place: [part: number, at: number][] = parts.flatMap((part, n) =>
    Array.from({ length: part.dims[axis] ?? 0 }, (_, at): [number, number] => [n, at]),
  );
  return makeConstant(node.outputs[0] ?? '', first.type, dims, (i) => {
    const [part, at] = place[Math.floor(i / inner) % total] ?? [0, 0];
    const outer = Math.floor(i / (inner * total));
    return values[part]?.((outer * (parts[part]?.dims[axis] ?? 1) + at) * inner + (i % inner)) ?? 0;
  });
};

const slice: Fold = (conversion, node) => {
  const x = conversion.constant(node, 0);
  const pieces = piecesOf(conversion, node, x.dims);
  const value = plain(x);
  const dims = pieces.map(({ count }) => count);
  return makeConstant(node.outputs[0] ?? '', x.type, dims, (i) => {
    let at = 0;
    let step = 1;
    for (let axis = dims.length - 1, rest = i; axis >= 0; axis--) {
      const { start, step: stride, count } = pieces[axis] ?? { start: 0, step: 1, count: 1 };
      at += (start + (rest % count) * stride) * step;
      step *= x.dims[axis] ?? 1;
      rest = Math.floor(rest / count);
    }
    return value(at);
  });
};

const expand: Fold = (conversion, node) => {
  const x = conversion.constant(node, 0);
  const dims = broadcastDims(x.dims, conversion.integers(node, 1) ?? []);
  const value = plain(x);
  const own = [...new Array<number>(dims.length - x.dims.length).fill(1), ...x.dims];
  return makeConstant(node.outputs[0] ?? '', x.type, dims, (i) => {
    let at = 0;
    let step = 1;
    for (let axis = dims.length - 1, rest = i; axis >= 0; axis--) {
      const dim = dims[axis] ?? 1;
      if (own[axis] !== 1) at += (rest % dim) * step;
      step *= own[axis] ?? 1;
      rest = Math.floor(rest / dim);
    }
    return value(at);
  });
};

/** Folded whatever their inputs are: they need no value, or have no input. */
export const ALWAYS_FOLDED: ReadonlyMap<string, Fold> = new Map<string, Fold>([
  ['Constant', constant],
  ['ConstantOfShape', constantOfShape],
  ['Range', range],
  ['Shape', shape],
  ['Size', size],
]);

/** Folded where all inputs are constants. */
export const FOLDED: ReadonlyMap<string, Fold> = new Map<string, Fold>([
  ['Abs', unary(Math.abs)],
  ['Add', binary((a, b) => a + b)],
  ['Cast', cast],
  ['Ceil', unary(Math.ceil)],
  ['Concat', concat],
  ['Div', binary((a, b, integers) => (integers ? Math.trunc(a / b) : a / b))],
  ['Equal', binary((a, b) => Number(a === b))],
  ['Exp', unary(Math.exp)],
  ['Expand', expand],
  ['Floor', unary(Math.floor)],
  ['Gather', gather],
  ['Max', binary((a, b) => Math.max(a, b))],
  ['Min', binary((a, b) => Math.min(a, b))],
  ['Mul', binary((a, b) => a * b)],
  ['Neg', unary((x) => -x)],
  ['Pow', binary((a, b) => a ** b)],
  ['Reciprocal', unary((x) => 1 / x)],
  ['Slice', slice],
  ['Sqrt', unary(Math.sqrt)],
  ['Sub', binary((a, b) => a - b)],
]);
