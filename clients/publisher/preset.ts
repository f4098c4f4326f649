import { BLAZEFACE_SHORT_RANGE, fixedSizeAnchors } from './anchors.js';
import { isPictureInput } from './frame.js';
import { elementCount, sameDims, type Network } from './network.js';
import type { ChannelNormalisation, PixelRange } from './normalisation.js';
import { BLAZEFACE_RESULTS, endsInScores, type ResultsOption } from './results.js';

/** What has to be known about a model beyond its file. */
export interface Purpose {
  readonly results: ResultsOption;
  readonly labels: readonly string[];
  /** Default: int8 networks take bytes as they are, float ones -1..1. */
  readonly pixels?: PixelRange | ChannelNormalisation;
}

export type PresetName = 'face-detection-short-range' | 'imagenet' | 'person-detection';
export const PRESETS: readonly PresetName[] = ['face-detection-short-range', 'imagenet', 'person-detection'];

export const presetPurpose = (name: PresetName): Purpose => {
  switch (name) {
    case 'face-detection-short-range':
      return { results: BLAZEFACE_RESULTS, labels: ['face'], pixels: 'signed' };
    case 'imagenet':
      return { results: { kind: 'topK', k: 5 }, labels: [] };
    case 'person-detection':
      return { results: { kind: 'topK', k: 2 }, labels: ['no person', 'person'] };
  }
};

/**
 * What the file itself suggests: BlazeFace by its shapes, classes where the network ends in scores or there is a name for every
 * output, a reconstruction where the output is as large as an input that is no picture, else the output as it is.
 */
export const automaticPurpose = (network: Network, labels: readonly string[] = []): Purpose => {
  if (isBlazeFace(network)) return presetPurpose('face-detection-short-range');
  const [output] = network.outputs;
  if (output !== undefined && network.outputs.length === 1) {
    if (endsInScores(network, output) || elementCount(output) === labels.length)
      return { results: { kind: 'topK' }, labels };
    if (!isPictureInput(network) && sameDims(output, network.input))
      return { results: { kind: 'reconstruction' }, labels };
  }
  return { results: { kind: 'vector' }, labels };
};

const isBlazeFace = ({ input, outputs }: Network): boolean => {
  const anchors = fixedSizeAnchors(BLAZEFACE_SHORT_RANGE).dims[0];
  const shapes = outputs.map(({ dims }) => dims.join('x'));
  return (
    input.dims.join('x') === '1x128x128x3' &&
    shapes.includes(`1x${anchors}x16`) &&
    shapes.includes(`1x${anchors}x1`)
  );
};
