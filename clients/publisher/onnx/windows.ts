import type { OnnxNode } from './node.js';
import { OperatorProblem } from './problem.js';

/** A sliding window along one dimension of the input. */
export interface WindowAxis {
  readonly input: number;
  readonly kernel: number;
  readonly stride: number;
  readonly dilation: number;
  readonly before: number;
  readonly behind: number;
  /** Elements behind the padding that only the last window of ceil_mode reaches. */
  readonly beyond: number;
  readonly output: number;
}

/** The engine's window operators take two dimensions; sequences get a first one of 1. */
const SPATIAL = 2;

/** The engine's largest stride, dilation, window and padding (ta/tinylib/check_window.c). */
const MOST_STEP = 4096;

const STILL: WindowAxis = {
  input: 1,
  kernel: 1,
  stride: 1,
  dilation: 1,
  before: 0,
  behind: 0,
  beyond: 0,
  output: 1,
};

/**
 * Strides, dilations and padding of a node for an input [N, C, ...spatial], height and width.
 * @throws OperatorProblem where the window does not fit, or the input has more than two spatial dimensions
 */
export const windowsOf = (
  node: OnnxNode,
  spatial: readonly number[],
  kernels: readonly number[],
): readonly [WindowAxis, WindowAxis] => {
  const rank = spatial.length;
  if (rank < 1 || rank > SPATIAL)
    throw new OperatorProblem(`slides along ${rank} dimensions, at most 2 are possible`);
  const list = (name: string, otherwise: number, length: number): readonly number[] => {
    const given = node.ints(name);
    if (given === undefined || given.length === 0) return new Array<number>(length).fill(otherwise);
    if (given.length !== length)
      throw new OperatorProblem(`has ${name} [${given.join(', ')}] for ${rank} dimensions`);
    return given;
  };
  const strides = list('strides', 1, rank);
  const dilations = list('dilations', 1, rank);
  const pads = list('pads', 0, 2 * rank);
  const autoPad = node.text('auto_pad', 'NOTSET');
  const ceil = node.int('ceil_mode', 0) !== 0;
  if (kernels.length !== rank)
    throw new OperatorProblem(`has a window of ${kernels.length} dimensions for ${rank}`);
  const axes = spatial.map((input, i): WindowAxis => {
    const kernel = kernels[i] ?? 1;
    const stride = strides[i] ?? 1;
    const dilation = dilations[i] ?? 1;
    if (!(
      kernel >= 1 &&
      stride >= 1 &&
      dilation >= 1 &&
      kernel <= MOST_STEP &&
      dilation <= MOST_STEP &&
      stride <= MOST_STEP
    ))
      throw new OperatorProblem(`has window ${kernel}, stride ${stride}, dilation ${dilation}`);
    const extent = (kernel - 1) * dilation + 1;
    let before = pads[i] ?? 0;
    let behind = pads[i + rank] ?? 0;
    if (autoPad === 'SAME_UPPER' || autoPad === 'SAME_LOWER') {
      const total = Math.max(0, (Math.ceil(input / stride) - 1) * stride + extent - input);
      const less = Math.floor(total / 2);
      before = autoPad === 'SAME_UPPER' ? less : total - less;
      behind = total - before;
    } else if (autoPad === 'VALID') {
      before = behind = 0;
    } else if (autoPad !== 'NOTSET') {
      throw new OperatorProblem(`has unknown auto_pad ${autoPad}`);
    }
    if (!(before >= 0 && behind >= 0 && before <= MOST_STEP && behind <= MOST_STEP))
      throw new OperatorProblem(`pads with ${before} and ${behind}`);
    const room = input + before + behind - extent;
    if (room < 0)
      throw new OperatorProblem(`has a window of ${extent} over ${input + before + behind} elements`);
    let output = Math.floor(room / stride) + 1;
    let beyond = 0;
    if (ceil && room % stride !== 0) {
      // One more window, unless it would begin behind the input.
      if (output * stride < input + before) {
        output++;
        beyond = stride - (room % stride);
      }
    }
    return { input, kernel, stride, dilation, before, behind, beyond, output };
  });
  const [first = STILL, second] = axes;
  return second === undefined ? [STILL, first] : [first, second];
};
