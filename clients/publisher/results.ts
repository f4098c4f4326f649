import { SmartZoneError } from '../../protocol/errors.js';
import {
  BLAZEFACE_FULL_RANGE,
  BLAZEFACE_SHORT_RANGE,
  gridAnchors,
  SSD_MOBILENET_300,
  type AnchorLayer,
} from './anchors.js';
import { CELL_VALUES, cellAnchors, type CellMap } from './cells.js';
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
  | ({ readonly kind: 'cells' } & CellOptions)
  /** Mean squared error between output and input; above `threshold` is class 1. */
  | { readonly kind: 'reconstruction'; readonly threshold?: number | undefined }
  /** The output tensor itself. */
  | { readonly kind: 'vector' };

type DetectionResults = Extract<ResultsOption, { readonly kind: 'detections' }>;

export interface DetectionOptions extends Partial<
  Omit<DetectionsHead, 'kind' | 'boxes' | 'scores' | 'anchors' | 'cells'>
> {
  readonly anchorLayers: readonly AnchorLayer[];
}

/**
 * The values of YOLO's layers as they come out of the last convolutions (Redmon & Farhadi, 2016, arXiv:1612.08242, section 2; 2018,
 * arXiv:1804.02767, section 2): one output [1, N, 5 + classes] with x, y, w, h, objectness and classes for each anchor.
 */
export interface CellOptions {
  /** In the order in which they follow each other in the output. */
  readonly maps: readonly CellMap[];
  /** sigmoid: a box may be of several classes (default, since version 3); softmax: of one. */
  readonly scoreActivation?: 'sigmoid' | 'softmax' | undefined;
  /** Least objectness x class score; default 0.25. */
  readonly minScore?: number | undefined;
  /** Default 0.45. */
  readonly minSuppression?: number | undefined;
  /** Default 16. */
  readonly most?: number | undefined;
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
  cells: false,
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
    case 'cells':
      return cellsHead(output, option);
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

const cellsHead = (values: Tensor, option: CellOptions): DetectionsHead => {
  const anchors = cellAnchors(option.maps);
  const [one, rows, columns = 0] = values.dims;
  if (values.dims.length !== 3 || one !== 1 || rows !== anchors.dims[0] || columns <= CELL_VALUES)
    throw refuse(
      `the output is [${values.dims.join(', ')}], cells are [1, ${anchors.dims[0]}, 5 + the number of classes]`,
    );
  return {
    ...DETECTION_DEFAULTS,
    kind: 'detections',
    boxes: values,
    scores: values,
    anchors,
    most: option.most ?? DETECTION_DEFAULTS.most,
    scoreActivation: option.scoreActivation ?? 'sigmoid',
    minScore: option.minScore ?? 0.25,
    minSuppression: option.minSuppression ?? 0.45,
    expSize: true,
    perClass: true,
    firstClass: CELL_VALUES,
    cells: true,
  };
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
