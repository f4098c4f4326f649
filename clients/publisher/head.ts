import type { Tensor } from './network.js';

/** What the raw outputs mean; the engine turns them into results (graph.h, "What the raw outputs mean"). */
export type Head = TopKHead | DetectionsHead | ReconstructionHead | VectorHead;

/** The k best classes of one score tensor. */
export interface TopKHead {
  readonly kind: 'topK';
  readonly scores: Tensor;
  readonly k: number;
  /** Scores are logits: softmax first. */
  readonly softmax: boolean;
  /** Results below are left out; undefined for none. */
  readonly minScore?: number;
}

/** Boxes relative to anchors, then non-maximum suppression. */
export interface DetectionsHead {
  readonly kind: 'detections';
  /** [1, N, at least 4] */
  readonly boxes: Tensor;
  /** [1, N, classes]; of cells the same as `boxes`. */
  readonly scores: Tensor;
  /** A constant [N, 4]: centre x, centre y, width, height, as fractions of the picture; of cells [N, 6]: and reach x, reach y. */
  readonly anchors: Tensor;
  /** By which x, y, width and height values are divided. */
  readonly scale: readonly [number, number, number, number];
  readonly most: number;
  readonly scoreActivation: 'none' | 'sigmoid' | 'softmax';
  /** Raw scores are clamped to plus and minus this; 0: not. */
  readonly scoreClip: number;
  readonly minScore: number;
  /** Boxes whose overlap (IoU) with a better one is above this are suppressed. */
  readonly minSuppression: number;
  /** Box values are y, x, h, w. */
  readonly yx: boolean;
  /** Size is exp(value / scale) times the anchor's, not value / scale times. */
  readonly expSize: boolean;
  /** Suppressed boxes are averaged into the better one, by score. */
  readonly weighted: boolean;
  /** Only boxes of the same class suppress each other. */
  readonly perClass: boolean;
  /** Score columns before it are "background"; of cells 5. */
  readonly firstClass: number;
  /** Values as YOLO's layers give them: x, y, w, h, objectness, classes (graph.h, SZ_HEAD_CELLS). */
  readonly cells: boolean;
}

/** Mean squared error between the (dequantised) output and the input. */
export interface ReconstructionHead {
  readonly kind: 'reconstruction';
  readonly output: Tensor;
  /** Errors above are class 1, others class 0. */
  readonly threshold: number;
}

/** The output tensor itself. */
export interface VectorHead {
  readonly kind: 'vector';
  readonly output: Tensor;
}

/** Graph outputs that the head reads. */
export const headOutputs = (head: Head): Tensor[] => {
  switch (head.kind) {
    case 'topK':
      return [head.scores];
    case 'detections':
      return head.cells ? [head.boxes] : [head.boxes, head.scores];
    case 'reconstruction':
    case 'vector':
      return [head.output];
  }
};
