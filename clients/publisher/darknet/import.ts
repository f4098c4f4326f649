import { CELL_VALUES, joinMaps } from '../cells.js';
import { ModelImportError } from '../import-error.js';
import { elementCount, type Network, type Tensor } from '../network.js';
import { MAX_OP_INPUTS, MAX_OPS } from '../szg1.js';
import { CfgError, readCfg, type Section } from './cfg.js';
import { convertReorg, convertReorg3d, convertRoute, convertShortcut } from './combining.js';
import { convertConnected, convertConvolutional } from './convolution.js';
import { convertRegion, convertYolo } from './detection.js';
import { Layers, MOST_ELEMENTS, MOST_SIDE, type Shape } from './layers.js';
import { convertAveragePool, convertMaxPool, convertSoftmax, convertUpsample } from './pooling.js';
import { SectionProblem } from './problem.js';
import { readWeights, WeightsError } from './weights-file.js';

/** undefined: the layer gives only detections. */
type Converter = (layers: Layers, section: Section) => Tensor | undefined;

/** Layers that only matter in training. */
const passOn: Converter = (layers) => layers.previous();

const only =
  (convert: (layers: Layers, section: Section) => void): Converter =>
  (layers, section) => {
    convert(layers, section);
    return undefined;
  };

const CONVERTERS: ReadonlyMap<string, Converter> = new Map<string, Converter>([
  ['avgpool', convertAveragePool],
  ['connected', convertConnected],
  ['convolutional', convertConvolutional],
  ['cost', passOn],
  ['dropout', passOn],
  ['maxpool', convertMaxPool],
  ['region', only(convertRegion)],
  ['reorg', convertReorg],
  ['reorg3d', convertReorg3d],
  ['route', convertRoute],
  ['shortcut', convertShortcut],
  ['softmax', convertSoftmax],
  ['upsample', convertUpsample],
  ['yolo', only(convertYolo)],
]);
/** Other names of them. */
const ALIASES: Readonly<Record<string, string>> = {
  avg: 'avgpool',
  conn: 'connected',
  conv: 'convolutional',
  max: 'maxpool',
  soft: 'softmax',
};

/** Darknet's sections that can be imported, without [net]. */
export const SUPPORTED_SECTIONS: readonly string[] = [...CONVERTERS.keys()];

/** Boxes of all maps together: their anchors are kept in memory. */
const MOST_BOXES = 2 ** 18;

/**
 * Reads a Darknet network: batch normalisation folded into the weights, channels last. Pictures are expected as 0..1 for each channel;
 * [yolo] and [region] become one output that the head of detections reads.
 *
 * @param cfg the .cfg file
 * @param weights the .weights file; neither is kept
 * @param name for messages, usually the .cfg file's name
 * @throws ModelImportError naming every section that stands in the way with its line, or what is wrong with a file
 */
export const importDarknet = (
  cfg: string | Uint8Array,
  weights: Uint8Array | undefined,
  name = 'model',
): Network => {
  try {
    return build(readCfg(cfg), weights, name);
  } catch (error) {
    if (error instanceof CfgError || error instanceof WeightsError)
      throw new ModelImportError(name, [error.message]);
    throw error;
  }
};

const build = (sections: readonly Section[], weights: Uint8Array | undefined, name: string): Network => {
  const [net, ...layerSections] = sections;
  if (net === undefined || (net.type !== 'net' && net.type !== 'network'))
    throw new CfgError('it does not begin with [net]');
  /** Lines of each problem: a network often has one in many sections. */
  const problems = new Map<string, number[]>();
  const report = (section: Section, error: unknown, quiet = false): void => {
    if (!(error instanceof SectionProblem)) throw error;
    const problem = `[${section.type}] ${error.message}`;
    if (!quiet) problems.set(problem, [...(problems.get(problem) ?? []), section.line]);
  };
  let shape: Shape = [1, 1, 1];
  try {
    shape = pictureOf(net);
  } catch (error) {
    report(net, error);
  }
  const layers = new Layers(shape);
  const uncertain = problems.size > 0;
  for (const section of layerSections) {
    layers.begin(section);
    const converter = CONVERTERS.get(ALIASES[section.type] ?? section.type);
    const certain = layers.operations.length;
    try {
      if (converter === undefined) throw new SectionProblem('is not supported');
      layers.outputs.push(converter(layers, section));
    } catch (error) {
      // After a first problem shapes are guesses.
      const guessed = uncertain || problems.size > 0;
      report(section, error, guessed && error instanceof SectionProblem && error.ofShapes);
      layers.operations.length = certain;
      layers.guess();
    }
  }
  if (problems.size > 0) {
    const lines = (numbers: readonly number[]): string =>
      `line${numbers.length > 1 ? 's' : ''} ${numbers.join(', ')}`;
    throw new ModelImportError(
      name,
      [...problems].map(([problem, numbers]) => `${lines(numbers)}: ${problem}`),
    );
  }
  if (layers.operations.length + layers.detections.length === 0)
    throw new CfgError('no layer computes anything');
  fillWeights(layers, weights);
  return finish(layers);
};

const pictureOf = (net: Section): Shape => {
  const side = (key: string): number => net.integer(key, 0, 1, 16_384);
  const shape = [side('height'), side('width'), net.integer('channels', 0, 1, MOST_SIDE)] as const;
  if (shape.includes(0))
    throw new SectionProblem('has no height, width and channels: only pictures are possible');
  const [h, w, c] = shape;
  if (h * w * c > MOST_ELEMENTS) throw new SectionProblem(`has pictures of ${h} x ${w} x ${c} values`);
  return shape;
};

/** Reads the values that layers wait for, once all of them are there. */
const fillWeights = (layers: Layers, weights: Uint8Array | undefined): void => {
  const expected = layers.wanted.reduce((sum, { count }) => sum + count, 0);
  if (expected === 0 && weights === undefined) return;
  if (weights === undefined)
    throw new CfgError(
      `its weights are missing: the layers take ${expected.toLocaleString('en')} values of a .weights file`,
    );
  const { values, transposed } = readWeights(weights, expected);
  let at = 0;
  for (const { count, fill } of layers.wanted) {
    const own = values.subarray(at, at + count);
    fill(own, transposed);
    at += count;
  }
  for (const { inputs, origin } of layers.operations)
    for (const input of inputs)
      if (input?.data !== undefined && !input.data.every((value) => Number.isFinite(value)))
        throw new WeightsError(`${input.name} (${origin}) are not all numbers: weights of another network?`);
};

const finish = (layers: Layers): Network => {
  const { detections, input, operations } = layers;
  const boundary = { input: { type: 'f32' }, outputs: [{ type: 'f32' }] } as const;
  if (detections.length === 0) {
    const output = layers.outputs.at(-1);
    if (output === undefined) throw new CfgError('its last layer gives nothing');
    requireOperators(operations.length);
    return { input, outputs: [output], operations, boundary, purpose: { pixels: 'unit' } };
  }
  const [{ classes, scoreActivation } = { classes: 0, scoreActivation: 'sigmoid' as const }] = detections;
  const other = detections.find((one) => one.classes !== classes || one.scoreActivation !== scoreActivation);
  if (other !== undefined)
    throw new CfgError(
      `${other.origin} detects other classes than the first detection layer: only one list is possible`,
    );
  if (detections.length > MAX_OP_INPUTS)
    throw new CfgError(`it has ${detections.length} detection layers, at most ${MAX_OP_INPUTS} are possible`);
  const values = CELL_VALUES + classes;
  const boxes = detections.reduce((sum, { tensor }) => sum + elementCount(tensor) / values, 0);
  if (boxes > MOST_BOXES) throw new CfgError(`it has ${boxes} boxes, at most ${MOST_BOXES} are possible`);
  const joined = joinMaps(detections, values);
  const maps = detections.map(({ map }) => map);
  requireOperators(operations.length + joined.operations.length);
  return {
    input,
    outputs: [joined.output],
    operations: [...operations, ...joined.operations],
    boundary,
    purpose: { pixels: 'unit', results: { kind: 'cells', maps, scoreActivation } },
  };
};

const requireOperators = (count: number): void => {
  if (count > MAX_OPS) throw new CfgError(`it has ${count} operators, at most ${MAX_OPS} are possible`);
};
