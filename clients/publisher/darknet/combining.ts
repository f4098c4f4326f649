import type { Tensor } from '../network.js';
import { MAX_OP_INPUTS } from '../szg1.js';
import { activationOf } from './activation.js';
import type { Section } from './cfg.js';
import { type Layers, shapeOf } from './layers.js';
import { shapeProblem, SectionProblem } from './problem.js';

/** Layers that one section may name. */
const MOST_NAMED = 64;

const layersNamed = (section: Section, key: string): number[] => {
  const numbers = section.integers(key, MOST_NAMED);
  if (numbers === undefined) throw new SectionProblem(`has no ${key}: which layers?`);
  return numbers;
};

const cut = (layers: Layers, x: Tensor, from: number, channels: number): Tensor => {
  const [h, w, c] = shapeOf(x);
  if (channels === c) return x;
  return layers.emit('SLICE', [x], [h, w, channels], { ints: [0, 0, 0, from] }).output;
};

/** [route]: layers one behind the other, of each all channels or one group of them. */
export const convertRoute = (layers: Layers, section: Section): Tensor => {
  const named = layersNamed(section, 'layers');
  const groups = section.integer('groups', 1, 1, 65_536);
  const group = section.integer('group_id', 0, 0, groups - 1);
  const tensors = named.map((number) => layers.earlier(number));
  const sides = tensors.map((tensor) => shapeOf(tensor).slice(0, 2).join(' x '));
  const other = sides.find((size) => size !== sides[0]);
  if (other !== undefined) throw shapeProblem(`puts ${other} and ${sides[0]} pixels together`);
  let parts = tensors.map((tensor) => {
    const [, , c] = shapeOf(tensor);
    if (c % groups !== 0) throw shapeProblem(`divides ${c} channels into ${groups} groups`);
    return cut(layers, tensor, (c / groups) * group, c / groups);
  });
  while (parts.length > 1) {
    const first = parts.slice(0, MAX_OP_INPUTS);
    const [h, w] = shapeOf(first[0] ?? layers.input);
    const channels = first.reduce((sum, part) => sum + shapeOf(part)[2], 0);
    const joined = layers.emit('CONCAT', first, [h, w, channels], { ints: [3] }).output;
    parts = [joined, ...parts.slice(MAX_OP_INPUTS)];
  }
  return parts[0] ?? layers.input;
};

/** [shortcut]: adds earlier layers. One of another shape gives every nth pixel; what is beyond either is left out or 0. */
export const convertShortcut = (layers: Layers, section: Section): Tensor => {
  const named = layersNamed(section, 'from');
  const weights = section.text('weights_type', 'none');
  if (weights !== 'none') throw new SectionProblem(`has weights_type=${weights}, which is not supported`);
  if (section.number('alpha', 1) !== 1 || section.number('beta', 1) !== 1)
    throw new SectionProblem('has factors (alpha, beta), which are not supported');
  const activate = activationOf(section, 'linear');
  let sum = layers.previous();
  for (const number of named) {
    const fitted = fit(layers, layers.earlier(number), sum);
    sum = layers.emit('ADD', [sum, fitted], shapeOf(sum)).output;
  }
  return activate(layers, sum);
};

/** `x` in the shape of `target`. */
const fit = (layers: Layers, x: Tensor, target: Tensor): Tensor => {
  const [h, w, c] = shapeOf(x);
  const [th, tw, tc] = shapeOf(target);
  const [stride, sample] = [Math.floor(w / tw), Math.floor(tw / w)];
  if (stride !== Math.floor(h / th) || sample !== Math.floor(th / h) || sample > 1)
    throw shapeProblem(`adds ${h} x ${w} pixels to ${th} x ${tw}`);
  let y = x;
  if (stride > 1) {
    const [oh, ow] = [Math.ceil(h / stride), Math.ceil(w / stride)];
    const ints = [stride, stride, 1, 1, 0, 0, 0, 0];
    y = layers.emit('MAX_POOL_2D', [y], [oh, ow, c], { ints }).output;
  }
  const [oh, ow] = shapeOf(y);
  const common = [Math.min(oh, th), Math.min(ow, tw), Math.min(c, tc)] as const;
  if (common[0] < oh || common[1] < ow || common[2] < c)
    y = layers.emit('SLICE', [y], common, { ints: [0, 0, 0, 0] }).output;
  if (common[0] < th || common[1] < tw || common[2] < tc)
    y = layers.emit('PAD', [y], [th, tw, tc], {
      ints: [0, 0, 0, 0, 0, th - common[0], tw - common[1], tc - common[2]],
      floats: [0],
    }).output;
  return y;
};

const reorgStride = (section: Section): number => {
  section.refuse('reverse', 'flatten', 'extra');
  return section.integer('stride', 1, 1, 255);
};

/** [reorg3d]: the stride x stride pixels of a square become channels, square by square. */
export const convertReorg3d = (layers: Layers, section: Section): Tensor => {
  const stride = reorgStride(section);
  const x = layers.previous();
  const [h, w, c] = shapeOf(x);
  const [oh, ow] = [h / stride, w / stride];
  if (!Number.isInteger(oh) || !Number.isInteger(ow))
    throw shapeProblem(`divides ${h} x ${w} pixels into squares of ${stride}`);
  const rows = layers.emit('RESHAPE', [x], { dims: [oh, stride, ow, stride * c] }).output;
  const turned = layers.emit(
    'TRANSPOSE',
    [rows],
    { dims: [oh, ow, stride, stride * c] },
    { ints: [0, 2, 1, 3] },
  );
  return layers.emit('RESHAPE', [turned.output], [oh, ow, stride * stride * c]).output;
};

/**
 * [reorg] of YOLOv2. Darknet does to it what [reorg3d] does, but as if channels-first memory held c / stride² channels of h x stride by
 * w x stride pixels; trained networks rely on it.
 */
export const convertReorg = (layers: Layers, section: Section): Tensor => {
  const stride = reorgStride(section);
  const x = layers.previous();
  const [h, w, c] = shapeOf(x);
  const square = stride * stride;
  if (c % square !== 0 || h % stride !== 0 || w % stride !== 0)
    throw shapeProblem(`rearranges ${h} x ${w} x ${c} values by ${stride}`);
  if (stride === 1) return x;
  const emit = (tensor: Tensor, dims: readonly number[], ints?: number[]): Tensor =>
    layers.emit(ints === undefined ? 'RESHAPE' : 'TRANSPOSE', [tensor], { dims }, ints && { ints }).output;
  // The pixels of squares: [channel and row, y in the square, column, x in the square].
  const lines = (c / square) * h;
  const channelsFirst = emit(x, [1, c, h, w], [0, 3, 1, 2]);
  const pixels = emit(channelsFirst, [1, 1, lines * stride * w, stride]);
  const xFirst = emit(pixels, [1, 1, stride, lines * stride * w], [0, 1, 3, 2]);
  const split = emit(xFirst, [stride, lines, stride, w]);
  const yFirst = emit(split, [stride, stride, lines, w], [2, 0, 1, 3]);
  const planes = emit(yFirst, [1, c * square, h / stride, w / stride]);
  const shape = [h / stride, w / stride, c * square] as const;
  return layers.emit('TRANSPOSE', [planes], shape, { ints: [0, 2, 3, 1] }).output;
};
