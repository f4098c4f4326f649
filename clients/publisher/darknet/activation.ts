import type { Tensor } from '../network.js';
import type { Section } from './cfg.js';
import { type Layers, shapeOf } from './layers.js';
import { SectionProblem } from './problem.js';

type Activate = (layers: Layers, x: Tensor) => Tensor;

/** Darknet's leaky ReLU has this slope, always. */
const LEAKY_SLOPE = 0.1;

const unary =
  (code: 'LOGISTIC' | 'TANH'): Activate =>
  (layers, x) =>
    layers.emit(code, [x], shapeOf(x)).output;

const clamp =
  (activation: 'RELU' | 'RELU6'): Activate =>
  (layers, x) =>
    layers.emit('RELU', [x], shapeOf(x), { activation }).output;

const ACTIVATIONS: ReadonlyMap<string, Activate> = new Map<string, Activate>([
  ['linear', (_, x) => x],
  ['relu', clamp('RELU')],
  ['relu6', clamp('RELU6')],
  ['leaky', (layers, x) => layers.emit('LEAKY_RELU', [x], shapeOf(x), { floats: [LEAKY_SLOPE] }).output],
  ['logistic', unary('LOGISTIC')],
  ['tanh', unary('TANH')],
  // x times its own logistic function.
  ['swish', (layers, x) => layers.emit('MUL', [x, unary('LOGISTIC')(layers, x)], shapeOf(x)).output],
]);

/** What a section's `activation` does to a tensor. */
export const activationOf = (section: Section, otherwise: string): Activate => {
  const name = section.text('activation', otherwise);
  const activate = ACTIVATIONS.get(name);
  if (activate === undefined)
    throw new SectionProblem(`has activation=${name}, known are ${[...ACTIVATIONS.keys()].join(', ')}`);
  return activate;
};
