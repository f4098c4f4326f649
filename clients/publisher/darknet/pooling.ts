import type { Tensor } from '../network.js';
import type { Section } from './cfg.js';
import { type Layers, shapeOf } from './layers.js';
import { shapeProblem, SectionProblem } from './problem.js';

/** Where windows begin, and how far the last one reaches beyond the end. */
const windowsOf = (
  side: number,
  size: number,
  stride: number,
  padding: number,
): { count: number; before: number; behind: number } => {
  const count = Math.floor((side + padding - size) / stride) + 1;
  const before = padding >> 1;
  const behind = Math.max(0, (count - 1) * stride + size - side - before);
  if (count < 1 || before >= size || behind >= size)
    throw shapeProblem(`has windows of ${size} with padding ${padding} over ${side}: some are empty`);
  return { count, before, behind };
};

/** [maxpool]: `padding` is that of both sides together. */
export const convertMaxPool = (layers: Layers, section: Section): Tensor => {
  const stride = section.integer('stride', 1, 1, 255);
  const strideX = section.integer('stride_x', stride, 1, 255);
  const strideY = section.integer('stride_y', stride, 1, 255);
  const size = section.integer('size', stride, 1, 255);
  const padding = section.integer('padding', size - 1, 0, 510);
  section.refuse('maxpool_depth', 'antialiasing', 'maxpool_zero_nonmax');
  const x = layers.previous();
  const [h, w, c] = shapeOf(x);
  const vertical = windowsOf(h, size, strideY, padding);
  const horizontal = windowsOf(w, size, strideX, padding);
  return layers.emit('MAX_POOL_2D', [x], [vertical.count, horizontal.count, c], {
    ints: [
      strideY,
      strideX,
      size,
      size,
      vertical.before,
      horizontal.before,
      vertical.behind,
      horizontal.behind,
    ],
  }).output;
};

/** [avgpool]: over all of height and width. */
export const convertAveragePool = (layers: Layers): Tensor => {
  const x = layers.previous();
  const [, , c] = shapeOf(x);
  return layers.emit('GLOBAL_MEAN', [x], [1, 1, c]).output;
};

/** [softmax] over all values, or over each of `groups` parts of the channels, or (`spatial`) in each pixel. */
export const convertSoftmax = (layers: Layers, section: Section): Tensor => {
  const groups = section.integer('groups', 1, 1, 65_536);
  const temperature = section.number('temperature', 1);
  const spatial = section.number('spatial', 0) !== 0;
  if (section.has('tree')) throw new SectionProblem('has a tree of classes, which is not supported');
  if (temperature <= 0) throw new SectionProblem(`has temperature=${temperature}, it must be above 0`);
  const x = layers.previous();
  const [h, w, c] = shapeOf(x);
  if (!spatial && h * w > 1)
    throw shapeProblem(`is over ${h} x ${w} pixels together, only over 1 x 1 or with spatial=1 is possible`);
  if (c % groups !== 0 || (spatial && groups > 1))
    throw shapeProblem(`divides ${c} channels into ${groups} groups`);
  const floats = [1 / temperature];
  if (groups === 1) return layers.emit('SOFTMAX', [x], [h, w, c], { floats }).output;
  const parts = layers.emit('RESHAPE', [x], [1, groups, c / groups]).output;
  const shares = layers.emit('SOFTMAX', [parts], [1, groups, c / groups], { floats }).output;
  return layers.emit('RESHAPE', [shares], [1, 1, c]).output;
};

/** [upsample]: each pixel becomes stride x stride equal ones. */
export const convertUpsample = (layers: Layers, section: Section): Tensor => {
  const stride = section.integer('stride', 2, 1, 255);
  const scale = section.number('scale', 1);
  const x = layers.previous();
  const [h, w, c] = shapeOf(x);
  const larger = layers.emit('RESIZE_NEAREST', [x], [h * stride, w * stride, c], { ints: [0, 0] }).output;
  if (scale === 1) return larger;
  const factor = layers.constant('scale', [1], Float32Array.of(scale));
  return layers.emit('MUL', [larger, factor], shapeOf(larger)).output;
};
