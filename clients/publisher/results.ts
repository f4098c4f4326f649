import { SmartZoneError } from '../../protocol/errors.js';
import {
  BLAZEFACE_FULL_RANGE,
  BLAZEFACE_SHORT_RANGE,
  gridAnchors,
  SSD_MOBILENET_300,
  type AnchorLayer,
} from './anchors.js';
import type { DetectionsHead, Head } from './head.js';
import { elementCount, tensorBytes, type Network, type Tensor } from './network.js';
import { MAX_RESULTS } from './szg1.js';

/** What a label record shall contain. */
export type ResultsOption =
  /** The k best classes (default 5). `softmax`: outputs are logits; default: unless the network ends in softmax or sigmoid. */
  | {
      readonly kind: 'topK';
      readonly k?: number | undefined;
      readonly softmax?: boolean | undefined;
      readonly minScore?: number | undefined;
    }
  | ({ readonly kind: 'detections' } & DetectionOptions)
  /** Mean squared error between output and input; above `threshold` is class 1. */
  | { readonly kind: 'reconstruction'; readonly threshold?: number | undefined }
  /** The output tensor itself. */
  | { readonly kind: 'vector' };

type DetectionResults = Extract<ResultsOption, { readonly kind: 'detections' }>;

export interface DetectionOptions extends Partial<
  Omit<DetectionsHead, 'kind' | 'boxes' | 'scores' | 'anchors'>
> {
  readonly anchorLayers: readonly AnchorLayer[];
}

/** How MediaPipe's own graph reads BlazeFace, short range: 16 values per anchor in pixels of 128. */
export const BLAZEFACE_RESULTS: DetectionResults = {
  kind: 'detections',
  anchorLayers: BLAZEFACE_SHORT_RANGE,
  scale: [128, 128, 128, 128],
  most: 8,
  scoreActivation: 'sigmoid',
  scoreClip: 100,
  minScore: 0.5,
  minSuppression: 0.3,
  weighted: true,
};

/** The same for the full range: pixels of 192. */
export const BLAZEFACE_FULL_RANGE_RESULTS: DetectionResults = {
  ...BLAZEFACE_RESULTS,
  anchorLayers: BLAZEFACE_FULL_RANGE,
  scale: [192, 192, 192, 192],
  minScore: 0.6,
};

/**
 * SSD-MobileNetV2 as MediaPipe reads it: box values y, x, h, w with variances 0.1 and 0.2, sizes exponential, score column 0 "???"
 * for background. Differently: every class is suppressed by itself, as in SSD's paper, so that a person keeps its shoes; and scores
 * count from 0.4, not 0.5, with which it misses most people.
 */
export const SSD_MOBILENET_RESULTS: DetectionResults = {
  kind: 'detections',
  anchorLayers: SSD_MOBILENET_300,
  scale: [10, 10, 5, 5],
  most: 16,
  scoreActivation: 'sigmoid',
  minScore: 0.4,
  minSuppression: 0.5,
  yx: true,
  expSize: true,
  perClass: true,
  firstClass: 1,
};

const DETECTION_DEFAULTS = {
  scale: [1, 1, 1, 1],
  most: 16,
  scoreActivation: 'none',
  scoreClip: 0,
  minScore: 0.5,
  minSuppression: 0.3,
  yx: false,
  expSize: false,
  weighted: false,
  perClass: false,
  firstClass: 0,
} as const;

/** SZ_RESULTS_MAX_VECTOR in ta/models/container.h. */
const MOST_VECTOR_BYTES = 16 * 1024;

const refuse = (detail: string): SmartZoneError => new SmartZoneError('MODEL_IMPORT', `results: ${detail}`);

/** The head for one network. Throws MODEL_IMPORT where the network's outputs do not fit. */
export const headFor = (network: Network, option: ResultsOption): Head => {
  const [output] = network.outputs;
  if (output === undefined) throw refuse('the network has no output');
  switch (option.kind) {
    case 'topK': {
      const classes = elementCount(output);
      const k = Math.min(option.k ?? 5, classes);
      if (!Number.isInteger(k) || k < 1 || k > MAX_RESULTS)
        throw refuse(`k is ${k}, 1 to ${MAX_RESULTS} is possible`);
      const softmax = option.softmax ?? !endsInScores(network, output);
      const head = { kind: 'topK', scores: output, k, softmax } as const;
      return option.minScore === undefined ? head : { ...head, minScore: option.minScore };
    }
    case 'detections': {
      const { anchorLayers, kind, ...given } = option;
      const anchors = gridAnchors(anchorLayers);
      return {
        kind,
        ...DETECTION_DEFAULTS,
        ...given,
        anchors,
        ...detectionOutputs(network, anchors.dims[0] ?? 0),
      };
    }
    case 'reconstruction':
      if (elementCount(output) !== elementCount(network.input))
        throw refuse('output and input differ in size');
      return { kind: 'reconstruction', output, threshold: option.threshold ?? 0 };
    case 'vector':
      if (tensorBytes(output) > MOST_VECTOR_BYTES)
        throw refuse(
          `the output has ${tensorBytes(output)} bytes, a label takes ${MOST_VECTOR_BYTES}: what do they mean? Give a preset`,
        );
      return { kind: 'vector', output };
  }
};

/** Boxes have at least four values per anchor; of two such outputs the first is boxes. */
const detectionOutputs = (network: Network, anchors: number): { boxes: Tensor; scores: Tensor } => {
  const perAnchor = network.outputs.filter(
    ({ dims }) => dims.length === 3 && dims[0] === 1 && dims[1] === anchors,
  );
  const boxes = perAnchor.find(({ dims }) => (dims[2] ?? 0) >= 4);
  const scores = perAnchor.find((tensor) => tensor !== boxes);
  if (boxes === undefined || scores === undefined)
    throw refuse(`no outputs [1, ${anchors}, 4 or more] and [1, ${anchors}, classes]`);
  return { boxes, scores };
};

/** Do values come out of softmax or sigmoid, whatever the shape they are given afterwards? */
export const endsInScores = (network: Network, output: Tensor): boolean => {
  const producers = new Map(network.operations.map((operation) => [operation.output, operation]));
  for (let tensor: Tensor | null | undefined = output; tensor;) {
    const producer = producers.get(tensor);
    if (producer?.code === 'SOFTMAX' || producer?.code === 'LOGISTIC') return true;
    tensor = producer?.code === 'RESHAPE' || producer?.code === 'QUANTIZE' ? producer.inputs[0] : undefined;
  }
  return false;
};
