import { Conversion, fusedActivation, OperatorProblem, resolveAxis } from './conversion.js';
import type { TfliteOperator } from './file.js';
import { Field } from './schema.js';
import { windowPadding } from './windows.js';

export const convertPool =
  (code: 'AVERAGE_POOL_2D' | 'MAX_POOL_2D') =>
  (conversion: Conversion, operator: TfliteOperator): void => {
    const x = conversion.computed(operator, 0);
    const y = conversion.output(operator);
    const [, h = 0, w = 0] = x.dims;
    const [, oh = 0, ow = 0] = y.dims;
    const at = Field.pool;
    const number = (field: number): number => operator.options?.int32(field, 1) ?? 1;
    const vertical = {
      input: h,
      output: oh,
      kernel: number(at.filterHeight),
      stride: number(at.strideH),
      dilation: 1,
    };
    const horizontal = {
      input: w,
      output: ow,
      kernel: number(at.filterWidth),
      stride: number(at.strideW),
      dilation: 1,
    };
    const [top, bottom] = windowPadding(operator, at.padding, vertical);
    const [left, right] = windowPadding(operator, at.padding, horizontal);
    const window = [
      vertical.stride,
      horizontal.stride,
      vertical.kernel,
      horizontal.kernel,
      top,
      left,
      bottom,
      right,
    ];
    conversion.emit(operator, {
      code,
      activation: fusedActivation(operator, at.activation),
      inputs: [x],
      output: y,
      ints: code === 'AVERAGE_POOL_2D' ? [...window, ...meanRounding(conversion, operator)] : window,
    });
  };

/** TFLite rounds a mean in the middle up in uint8 models and away from 0 in int8 ones (graph.h, AVERAGE_POOL_2D). */
const meanRounding = (conversion: Conversion, operator: TfliteOperator): number[] =>
  conversion.sourceOf(operator, 0).type === 'UINT8' ? [1] : [];

/** The mean over height and width; other axes have no operator. */
export const convertMean = (conversion: Conversion, operator: TfliteOperator): void => {
  const x = conversion.computed(operator, 0);
  const axes = conversion.integers(operator, 1).map((axis) => resolveAxis(axis, x.dims.length));
  const spatial = [...new Set(axes)].sort().join(',') === '1,2';
  if (x.dims.length !== 4 || !spatial)
    throw new OperatorProblem(`is over axes [${axes.join(', ')}], only [1, 2] is possible`);
  conversion.emit(operator, { code: 'GLOBAL_MEAN', inputs: [x], output: conversion.output(operator) });
};
