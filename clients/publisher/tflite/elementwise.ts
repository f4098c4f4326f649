import { elementCount, sameDims, type Tensor } from '../network.js';
import type { Activation } from '../szg1.js';
import { Conversion, fusedActivation, OperatorProblem } from './conversion.js';
import type { TfliteOperator } from './file.js';
import { Field } from './schema.js';

/** Broadcast that the engine knows: the same shape, one element, or a vector over the last dimension. */
const broadcastable = (a: Tensor, b: Tensor): boolean =>
  sameDims(a, b) ||
  elementCount(b) === 1 ||
  (elementCount(b) === a.dims.at(-1) && b.dims.at(-1) === a.dims.at(-1));

export const convertBinary =
  (code: 'ADD' | 'MUL') =>
  (conversion: Conversion, operator: TfliteOperator): void => {
    const operands = [conversion.operand(operator, 0), conversion.operand(operator, 1)] as const;
    const y = conversion.output(operator);
    const [first, second] = operands;
    // The first operand must be computed and have the output's shape: both operators are commutative.
    const swap = first.data !== undefined || !sameDims(first, y);
    const [a, b] = swap ? [second, first] : [first, second];
    if (a.data !== undefined || !sameDims(a, y) || !broadcastable(a, b))
      throw new OperatorProblem(`broadcasts [${b.dims.join(', ')}] over [${a.dims.join(', ')}]`);
    if (a.dtype !== b.dtype || a.dtype !== y.dtype || a.dtype === 'i32')
      throw new OperatorProblem(`mixes ${a.dtype}, ${b.dtype} and ${y.dtype}`);
    conversion.emit(operator, {
      code,
      activation: fusedActivation(operator, Field.binary.activation),
      inputs: [a, b],
      output: y,
    });
  };

/** Operators of one input and no parameter, element by element. */
export const convertUnary =
  (code: 'LOGISTIC' | 'TANH' | 'HARD_SWISH') =>
  (conversion: Conversion, operator: TfliteOperator): void => {
    const x = conversion.computed(operator, 0);
    conversion.emit(operator, { code, inputs: [x], output: conversion.output(operator) });
  };

export const convertActivation =
  (activation: Activation) =>
  (conversion: Conversion, operator: TfliteOperator): void => {
    const x = conversion.computed(operator, 0);
    conversion.emit(operator, { code: 'RELU', activation, inputs: [x], output: conversion.output(operator) });
  };

export const convertLeakyRelu = (conversion: Conversion, operator: TfliteOperator): void => {
  const x = conversion.computed(operator, 0);
  const alpha = operator.options?.float32(Field.leakyRelu.alpha) ?? 0;
  conversion.emit(operator, {
    code: 'LEAKY_RELU',
    inputs: [x],
    output: conversion.output(operator),
    floats: [alpha],
  });
};

export const convertPrelu = (conversion: Conversion, operator: TfliteOperator): void => {
  const x = conversion.computed(operator, 0);
  const alpha = conversion.operand(operator, 1);
  const count = elementCount(alpha);
  if (alpha.data === undefined || (count !== 1 && (count !== x.dims.at(-1) || alpha.dims.at(-1) !== count)))
    throw new OperatorProblem(`has slopes [${alpha.dims.join(', ')}] for [${x.dims.join(', ')}]`);
  const slopes = { ...alpha, dims: [count] };
  conversion.emit(operator, { code: 'PRELU', inputs: [x, slopes], output: conversion.output(operator) });
};

export const convertSoftmax = (conversion: Conversion, operator: TfliteOperator): void => {
  const x = conversion.computed(operator, 0);
  const beta = operator.options?.float32(Field.softmax.beta) ?? 0;
  if (!(beta > 0)) throw new OperatorProblem(`has beta ${beta}`);
  conversion.emit(operator, {
    code: 'SOFTMAX',
    inputs: [x],
    output: conversion.output(operator),
    floats: [beta],
  });
};

export const convertQuantize = (conversion: Conversion, operator: TfliteOperator): void => {
  const x = conversion.computed(operator, 0);
  const y = conversion.output(operator);
  if (y.dtype !== 'i8') throw new OperatorProblem(`gives ${y.dtype}`);
  conversion.emit(operator, { code: 'QUANTIZE', inputs: [x], output: y });
};

export const convertDequantize = (conversion: Conversion, operator: TfliteOperator): void => {
  const x = conversion.operand(operator, 0);
  if (x.data === undefined) {
    if (x.dtype !== 'i8') throw new OperatorProblem(`reads ${x.dtype}`);
    conversion.emit(operator, { code: 'DEQUANTIZE', inputs: [x], output: conversion.output(operator) });
    return;
  }
  // Weights that are stored smaller than they are used: float16, or int8 with one scale.
  if (x.dtype === 'f32') {
    conversion.setOutput(operator, x);
  } else if (x.data instanceof Int8Array && conversion.sourceOf(operator, 0).scales.length === 1) {
    const { scale, zeroPoint } = x.quantisation ?? { scale: 1, zeroPoint: 0 };
    const data = Float32Array.from(x.data, (value) => (value - zeroPoint) * scale);
    conversion.setOutput(operator, { name: x.name, dtype: 'f32', dims: x.dims, data });
  } else {
    throw new OperatorProblem(`reads constant ${x.name}, which is ${x.dtype} with scales per channel`);
  }
};
