import { OperatorProblem } from './conversion.js';
import type { TfliteOperator } from './file.js';
import { PADDINGS } from './schema.js';

/** One spatial dimension of a sliding window. */
export interface WindowAxis {
  readonly input: number;
  readonly output: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
}

/**
 * Padding before and behind, in elements. SAME: the output has ceil(input / stride) elements and the odd element goes
 * behind; VALID: none. Checked against the output shape that the file states.
 */
export const windowPadding = (
  operator: TfliteOperator,
  field: number,
  axis: WindowAxis,
): [number, number] => {
  const number = operator.options?.int8(field) ?? 0;
  const scheme = PADDINGS[number];
  const { input, output, kernel, stride, dilation } = axis;
  if (scheme === undefined) throw new OperatorProblem(`has unknown padding ${number}`);
  if (stride < 1 || dilation < 1 || kernel < 1)
    throw new OperatorProblem(`has stride ${stride}, dilation ${dilation}`);
  const extent = (kernel - 1) * dilation + 1;
  const expected = Math.ceil(scheme === 'SAME' ? input / stride : (input - extent + 1) / stride);
  if (expected !== output)
    throw new OperatorProblem(`should give ${expected} elements, the file says ${output}`);
  if (scheme === 'VALID') return [0, 0];
  const total = Math.max(0, (output - 1) * stride + extent - input);
  const before = Math.floor(total / 2);
  return [before, total - before];
};
