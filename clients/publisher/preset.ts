import {
  BLAZEFACE_FULL_RANGE,
  BLAZEFACE_SHORT_RANGE,
  gridAnchors,
  SSD_MOBILENET_300,
  type AnchorLayer,
} from './anchors.js';
import { isPictureInput } from './frame.js';
import type { Format } from '../../protocol/messages/input-shape.js';
import { elementCount, sameDims, type Network } from './network.js';
import type { ChannelNormalisation, PixelRange } from './normalisation.js';
import {
  BLAZEFACE_FULL_RANGE_RESULTS,
  BLAZEFACE_RESULTS,
  endsInScores,
  SSD_MOBILENET_RESULTS,
  type ResultsOption,
} from './results.js';

/** What has to be known about a model beyond its file. */
export interface Purpose {
  readonly results: ResultsOption;
  readonly labels: readonly string[];
  /** Default: int8 networks take bytes as they are, float ones -1..1. */
  readonly pixels?: PixelRange | ChannelNormalisation;
  /** What sensors send. Default: u8 for pictures, otherwise the input's own type. */
  readonly format?: Format;
}

export const PRESETS = [
  'face-detection-full-range',
  'face-detection-short-range',
  'imagenet',
  'keyword-spotting',
  'machine-sound',
  'object-detection-oidv4',
  'person-detection',
] as const;
export type PresetName = (typeof PRESETS)[number];

/** The classes of Open Images V4 that MediaPipe's object detector tells apart, as in the label map beside it. */
const OIDV4_LABELS: readonly string[] = [
  ...['Bicycle', 'Boot', 'Laptop', 'Person', 'Chair', 'Cattle', 'Desk', 'Cat', 'Computer mouse'],
  ...['Computer monitor', 'Box', 'Mug', 'Coffee cup', 'Stationary bicycle', 'Table', 'Bottle', 'High heels'],
  ...['Vehicle', 'Footwear', 'Dog', 'Book', 'Camera', 'Car'],
];

/** The order of MLPerf Tiny's model (mlcommons/tiny, benchmark/training/keyword_spotting/get_dataset.py). */
const KEYWORDS: readonly string[] = [
  ...['down', 'go', 'left', 'no', 'off', 'on', 'right', 'stop', 'up', 'yes', 'silence', 'unknown'],
];

export const presetPurpose = (name: PresetName): Purpose => {
  switch (name) {
    case 'face-detection-full-range':
      return { results: BLAZEFACE_FULL_RANGE_RESULTS, labels: ['face'], pixels: 'signed' };
    case 'face-detection-short-range':
      return { results: BLAZEFACE_RESULTS, labels: ['face'], pixels: 'signed' };
    case 'imagenet':
      return { results: { kind: 'topK', k: 5 }, labels: [] };
    // Sensors compute features in float32 (clients/sensor/audio), whatever the network is quantised to.
    case 'keyword-spotting':
      return { results: { kind: 'topK', k: 3 }, labels: KEYWORDS, format: 'f32' };
    case 'machine-sound':
      return { results: { kind: 'reconstruction' }, labels: [], format: 'f32' };
    case 'object-detection-oidv4':
      return { results: SSD_MOBILENET_RESULTS, labels: OIDV4_LABELS, pixels: 'signed' };
    case 'person-detection':
      return { results: { kind: 'topK', k: 2 }, labels: ['no person', 'person'] };
  }
};

/**
 * What the file itself says or suggests: known detectors by their shapes, classes where the network ends in scores or there is a name for every
 * output, a reconstruction where the output is as large as an input that is no picture, else the output as it is.
 */
export const automaticPurpose = (network: Network, labels: readonly string[] = []): Purpose => ({
  ...suggestedPurpose(network, labels),
  ...network.purpose,
});

const suggestedPurpose = (network: Network, labels: readonly string[]): Purpose => {
  if (isDetector(network, 128, BLAZEFACE_SHORT_RANGE, 16, 1))
    return presetPurpose('face-detection-short-range');
  if (isDetector(network, 192, BLAZEFACE_FULL_RANGE, 16, 1))
    return presetPurpose('face-detection-full-range');
  if (isDetector(network, 300, SSD_MOBILENET_300, 4, OIDV4_LABELS.length + 1))
    return presetPurpose('object-detection-oidv4');
  const [output] = network.outputs;
  const shapes = [network.input, ...network.outputs].map(({ dims }) => dims.join('x')).join(' ');
  if (shapes === `1x49x10x1 1x${KEYWORDS.length}`) return presetPurpose('keyword-spotting');
  if (shapes === '1x640 1x640') return presetPurpose('machine-sound');
  if (output !== undefined && network.outputs.length === 1) {
    if (endsInScores(network, output) || elementCount(output) === labels.length)
      return { results: { kind: 'topK' }, labels };
    if (!isPictureInput(network) && sameDims(output, network.input))
      return { results: { kind: 'reconstruction' }, labels };
  }
  return { results: { kind: 'vector' }, labels };
};

/** Square pictures in; for each anchor `boxValues` and `classes` values out. */
const isDetector = (
  { input, outputs }: Network,
  side: number,
  layers: readonly AnchorLayer[],
  boxValues: number,
  classes: number,
): boolean => {
  const anchors = gridAnchors(layers).dims[0];
  const shapes = outputs.map(({ dims }) => dims.join('x'));
  return (
    input.dims.join('x') === `1x${side}x${side}x3` &&
    shapes.includes(`1x${anchors}x${boxValues}`) &&
    shapes.includes(`1x${anchors}x${classes}`)
  );
};
