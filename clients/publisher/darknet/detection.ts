import { CELL_VALUES } from '../cells.js';
import type { Section } from './cfg.js';
import { type Layers, shapeOf } from './layers.js';
import { shapeProblem, SectionProblem } from './problem.js';

/** Anchors in one layer's list. */
const MOST_ANCHORS = 256;

/** Pairs of width and height. */
const anchorsOf = (section: Section, count: number): [number, number][] => {
  const numbers = section.numbers('anchors', 2 * MOST_ANCHORS);
  if (numbers === undefined) throw new SectionProblem('has no anchors');
  if (numbers.length < 2 * count || numbers.some((number) => number <= 0))
    throw new SectionProblem(
      `has ${numbers.length} values for ${count} anchors, two above 0 are needed for each`,
    );
  return Array.from({ length: count }, (_, i) => [numbers[2 * i] ?? 0, numbers[2 * i + 1] ?? 0]);
};

const detect = (
  layers: Layers,
  sizes: readonly (readonly [number, number])[],
  classes: number,
  rest: { readonly reach: number; readonly scoreActivation: 'sigmoid' | 'softmax' },
): void => {
  const tensor = layers.previous();
  const [rows, columns, channels] = shapeOf(tensor);
  const expected = sizes.length * (CELL_VALUES + classes);
  if (channels !== expected)
    throw shapeProblem(
      `reads ${channels} channels, ${sizes.length} anchors x (5 + ${classes} classes) are ${expected}`,
    );
  const { reach, scoreActivation } = rest;
  const { origin } = layers;
  layers.detections.push({ tensor, origin, map: { rows, columns, sizes, reach }, classes, scoreActivation });
};

/** [region], YOLOv2: anchors in cells. */
export const convertRegion = (layers: Layers, section: Section): void => {
  const classes = section.integer('classes', 20, 1, 65_000);
  const count = section.integer('num', 1, 1, MOST_ANCHORS);
  const anchors = anchorsOf(section, count);
  if (section.has('tree') || section.has('map'))
    throw new SectionProblem('has a tree of classes, which is not supported');
  section.refuse('background');
  if (section.integer('coords', 4, 0, 1024) !== 4) throw new SectionProblem('has other than 4 coords');
  const [rows, columns] = shapeOf(layers.previous());
  const sizes = anchors.map(([width, height]) => [width / columns, height / rows] as const);
  const scoreActivation = section.flag('softmax') ? 'softmax' : 'sigmoid';
  detect(layers, sizes, classes, { reach: 1, scoreActivation });
};

/** [yolo], versions 3 and 4: anchors in pixels of the network's picture, of which `mask` picks some. */
export const convertYolo = (layers: Layers, section: Section): void => {
  const classes = section.integer('classes', 20, 1, 65_000);
  const total = section.integer('num', 1, 1, MOST_ANCHORS);
  const anchors = anchorsOf(section, total);
  const mask = section.integers('mask', MOST_ANCHORS) ?? anchors.map((_, i) => i);
  section.refuse('new_coords');
  const suppression = section.text('nms_kind', 'default');
  if (suppression === 'diounms')
    throw new SectionProblem(`has nms_kind=${suppression}, which is not supported`);
  const reach = section.number('scale_x_y', 1);
  if (!(reach > 0 && reach < 100)) throw new SectionProblem(`has scale_x_y=${reach}`);
  const [height, width] = shapeOf(layers.input);
  const sizes = mask.map((index) => {
    const anchor = anchors[index];
    if (anchor === undefined) throw new SectionProblem(`has ${index} in its mask of ${total} anchors`);
    return [anchor[0] / width, anchor[1] / height] as const;
  });
  detect(layers, sizes, classes, { reach, scoreActivation: 'sigmoid' });
};
