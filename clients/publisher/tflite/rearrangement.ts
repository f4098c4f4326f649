import { elementCount, type Tensor } from '../network.js';
import { MAX_OP_INPUTS } from '../szg1.js';
import { Conversion, fusedActivation, OperatorProblem, resolveAxis } from './conversion.js';
import type { TfliteOperator } from './file.js';
import { Field } from './schema.js';

/** RESHAPE, SQUEEZE, EXPAND_DIMS: the file states the resulting shape, which is all there is to know. */
export const convertReshape = (conversion: Conversion, operator: TfliteOperator): void => {
  const x = conversion.operand(operator, 0);
  const y = conversion.output(operator);
  if (elementCount(x) !== elementCount(y))
    throw new OperatorProblem(`makes [${y.dims.join(', ')}] of [${x.dims.join(', ')}]`);
  if (x.data !== undefined) {
    conversion.setOutput(operator, { ...x, dims: y.dims });
    return;
  }
  conversion.emit(operator, { code: 'RESHAPE', inputs: [x], output: y });
};

export const convertPad = (conversion: Conversion, operator: TfliteOperator): void => {
  const x = conversion.computed(operator, 0);
  const rank = x.dims.length;
  const amounts = conversion.integers(operator, 1);
  if (amounts.length !== 2 * rank || amounts.some((amount) => amount < 0))
    throw new OperatorProblem(`has paddings [${amounts.join(', ')}] for ${rank} dimensions`);
  const y = conversion.output(operator);
  const before = [0, 1, 2, 3].map((i) => amounts[2 * i] ?? 0);
  const behind = [0, 1, 2, 3].map((i) => amounts[2 * i + 1] ?? 0);
  if (x.dims.some((dim, i) => dim + (before[i] ?? 0) + (behind[i] ?? 0) !== y.dims[i]))
    throw new OperatorProblem(`gives [${y.dims.join(', ')}]`);
  conversion.emit(operator, {
    code: 'PAD',
    inputs: [x],
    output: y,
    ints: [...before, ...behind],
    floats: [padValue(conversion, operator, x)],
  });
};

/** PADV2 names a value. The engine pads int8 with the zero point, which is real 0. */
const padValue = (conversion: Conversion, operator: TfliteOperator, x: Tensor): number => {
  const value = conversion.optional(operator, 2);
  if (value === undefined) return 0;
  const number = value.data?.[0];
  if (number === undefined) throw new OperatorProblem('pads with a computed value');
  if (x.dtype === 'f32') return number;
  if (number !== x.quantisation?.zeroPoint)
    throw new OperatorProblem('pads int8 with something else than zero');
  return 0;
};

export const convertConcatenation = (conversion: Conversion, operator: TfliteOperator): void => {
  const inputs = operator.inputs.map((_, n) => conversion.computed(operator, n));
  const y = conversion.output(operator);
  const axis = resolveAxis(operator.options?.int32(Field.concatenation.axis) ?? 0, y.dims.length);
  if (fusedActivation(operator, Field.concatenation.activation) !== 'NONE')
    throw new OperatorProblem('has a fused activation');
  if (inputs.length < 1 || inputs.length > MAX_OP_INPUTS)
    throw new OperatorProblem(`has ${inputs.length} inputs, at most ${MAX_OP_INPUTS} are possible`);
  const fits = (x: Tensor): boolean =>
    x.dims.length === y.dims.length && x.dims.every((dim, i) => i === axis || dim === y.dims[i]);
  const total = inputs.reduce((sum, x) => sum + (x.dims[axis] ?? 0), 0);
  if (!inputs.every(fits) || total !== y.dims[axis])
    throw new OperatorProblem(`does not add up to [${y.dims.join(', ')}] along ${axis}`);
  conversion.emit(operator, { code: 'CONCAT', inputs, output: y, ints: [axis] });
};

export const convertResize =
  (code: 'RESIZE_NEAREST' | 'RESIZE_BILINEAR') =>
  (conversion: Conversion, operator: TfliteOperator): void => {
    const x = conversion.computed(operator, 0);
    const at = code === 'RESIZE_BILINEAR' ? Field.resizeBilinear : Field.resizeNearest;
    const flags = [at.alignCorners, at.halfPixelCenters].map((field) =>
      Number(operator.options?.bool(field) ?? false),
    );
    if (flags[0] === 1 && flags[1] === 1) throw new OperatorProblem('aligns both corners and pixel centres');
    conversion.emit(operator, { code, inputs: [x], output: conversion.output(operator), ints: flags });
  };

export const convertTranspose = (conversion: Conversion, operator: TfliteOperator): void => {
  const x = conversion.computed(operator, 0);
  const rank = x.dims.length;
  const order = conversion.integers(operator, 1).map((axis) => resolveAxis(axis, rank));
  if (order.length !== rank || new Set(order).size !== rank)
    throw new OperatorProblem(`has order [${order.join(', ')}] for ${rank} dimensions`);
  const y = conversion.output(operator);
  if (order.some((from, to) => x.dims[from] !== y.dims[to]))
    throw new OperatorProblem(`gives [${y.dims.join(', ')}]`);
  const ints = [0, 1, 2, 3].map((i) => order[i] ?? i);
  conversion.emit(operator, { code: 'TRANSPOSE', inputs: [x], output: y, ints });
};

const emitSlice = (
  conversion: Conversion,
  operator: TfliteOperator,
  x: Tensor,
  y: Tensor,
  begin: number[],
): void => {
  const inside = y.dims.every((dim, i) => (begin[i] ?? 0) >= 0 && (begin[i] ?? 0) + dim <= (x.dims[i] ?? 0));
  if (x.dims.length !== y.dims.length || !inside)
    throw new OperatorProblem(
      `cuts [${y.dims.join(', ')}] at [${begin.join(', ')}] from [${x.dims.join(', ')}]`,
    );
  conversion.emit(operator, { code: 'SLICE', inputs: [x], output: y, ints: begin });
};

export const convertSlice = (conversion: Conversion, operator: TfliteOperator): void => {
  const x = conversion.computed(operator, 0);
  const begin = conversion.integers(operator, 1);
  emitSlice(conversion, operator, x, conversion.output(operator), begin);
};

/** Only what a plain slice can do: steps of 1 and no dimension added or dropped. */
export const convertStridedSlice = (conversion: Conversion, operator: TfliteOperator): void => {
  const x = conversion.computed(operator, 0);
  const begin = conversion.integers(operator, 1);
  const steps = conversion.integers(operator, 3);
  const at = Field.stridedSlice;
  const mask = (field: number): number => operator.options?.int32(field) ?? 0;
  if (steps.some((step) => step !== 1)) throw new OperatorProblem(`has steps [${steps.join(', ')}]`);
  if (mask(at.ellipsisMask) !== 0 || mask(at.newAxisMask) !== 0 || mask(at.shrinkAxisMask) !== 0)
    throw new OperatorProblem('adds or drops dimensions');
  const first = begin.map((value, i) => {
    if (mask(at.beginMask) & (1 << i)) return 0;
    return value < 0 ? value + (x.dims[i] ?? 0) : value;
  });
  emitSlice(conversion, operator, x, conversion.output(operator), first);
};

/** A slice for each output. */
export const convertSplit = (conversion: Conversion, operator: TfliteOperator): void => {
  const x = conversion.computed(operator, 1);
  const [axisValue = 0] = conversion.integers(operator, 0);
  const axis = resolveAxis(axisValue, x.dims.length);
  let at = 0;
  for (let n = 0; n < operator.outputs.length; n++) {
    const y = conversion.output(operator, n);
    const begin = x.dims.map((_, i) => (i === axis ? at : 0));
    emitSlice(conversion, operator, x, y, begin);
    at += y.dims[axis] ?? 0;
  }
};
