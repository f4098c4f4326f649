import {
  DType,
  GRAPH_MAGIC,
  HEAD_BYTES,
  HEAD_FLOATS,
  HEADER_BYTES,
  HeadFlag,
  HeadKind,
  NO_TENSOR,
  TENSOR_BYTES,
  type HeadKind as HeadKindName,
} from './szg1.js';

/** An input or output tensor as a graph describes it. */
export interface EdgeTensor {
  readonly dtype: 'f32' | 'i8';
  readonly dims: readonly number[];
  /** real = (q - zeroPoint) * scale, of i8. */
  readonly scale: number;
  readonly zeroPoint: number;
}

/** How outputs become results (graph.h, "What the raw outputs mean"); outputs by their number among the graph's. */
export type ReadHead =
  | { readonly kind: 'none' }
  | {
      readonly kind: 'topK';
      readonly scores: number;
      readonly most: number;
      readonly softmax: boolean;
      readonly minScore: number;
    }
  | ReadDetectionsHead
  | { readonly kind: 'reconstruction'; readonly output: number }
  | { readonly kind: 'vector'; readonly output: number };

export interface ReadDetectionsHead {
  readonly kind: 'detections';
  readonly boxes: number;
  readonly scores: number;
  /** Centre x, centre y, width, height of each anchor; of cells also reach x, reach y. */
  readonly anchors: Float32Array;
  readonly scale: readonly [number, number, number, number];
  readonly scoreClip: number;
  readonly minScore: number;
  readonly minSuppression: number;
  readonly most: number;
  readonly firstClass: number;
  readonly flags: Readonly<Record<keyof typeof HeadFlag, boolean>>;
}

/** What goes into a graph and what comes out. */
export interface GraphEdges {
  readonly input: EdgeTensor;
  /** A u8 frame's real values are u * a[c] + b[c]. */
  readonly normalisation: { readonly a: readonly number[]; readonly b: readonly number[] };
  readonly outputs: readonly EdgeTensor[];
  readonly head: ReadHead;
}

const KINDS = new Map<number, HeadKindName>(
  Object.entries(HeadKind).map(([name, code]) => [code, name as HeadKindName]),
);

/**
 * @param segments the plaintext weights: anchors are among them
 * @throws RangeError where the bytes are no whole graph
 */
export const readEdges = (graph: Uint8Array, segments: readonly Uint8Array[]): GraphEdges => {
  const view = new DataView(graph.buffer, graph.byteOffset, graph.byteLength);
  const u16 = (at: number): number => view.getUint16(at, true);
  const u32 = (at: number): number => view.getUint32(at, true);
  const f32 = (at: number): number => view.getFloat32(at, true);
  if (u32(0) !== GRAPH_MAGIC || u32(4) !== graph.length) throw new RangeError('these bytes are no graph');
  const tensorsAt = HEADER_BYTES + Math.ceil((4 * u16(16)) / 8) * 8;
  const record = (number: number): number => tensorsAt + number * TENSOR_BYTES;
  const edge = (number: number): EdgeTensor => {
    const at = record(number);
    return {
      dtype: view.getUint8(at) === DType.i8 ? 'i8' : 'f32',
      dims: Array.from({ length: Math.min(view.getUint8(at + 2), 4) }, (_, i) => u32(at + 8 + 4 * i)),
      scale: f32(at + 24),
      zeroPoint: view.getInt32(at + 28, true),
    };
  };
  const outputs = Array.from({ length: Math.min(u16(20), 8) }, (_, i) => u16(32 + 2 * i));
  const four = (at: number): number[] => [0, 4, 8, 12].map((i) => f32(at + i));

  const at = HEADER_BYTES - HEAD_BYTES;
  const output = (i: number): number => outputs.indexOf(u16(at + 8 + 2 * i));
  const floats = Array.from({ length: HEAD_FLOATS }, (_, i) => f32(at + 16 + 4 * i));
  const [x = 1, y = 1, w = 1, h = 1, scoreClip = 0, minScore = 0, minSuppression = 0] = floats;
  const bits = view.getUint8(at + 1);
  const flag = (name: keyof typeof HeadFlag): boolean => (bits & HeadFlag[name]) !== 0;
  const headOf = (): ReadHead => {
    const kind = KINDS.get(view.getUint8(at));
    const most = u16(at + 2);
    switch (kind) {
      case 'topK':
        return { kind, scores: output(0), most, softmax: flag('softmax'), minScore: x };
      case 'detections': {
        const anchor = u16(at + 12);
        if (anchor === NO_TENSOR) throw new RangeError('detections without anchors');
        const from = record(anchor);
        const segment = segments[u16(from + 4)] ?? new Uint8Array(0);
        return {
          kind,
          boxes: output(0),
          scores: output(1),
          anchors: new Float32Array(segment.slice(u32(from + 32), u32(from + 32) + u32(from + 36)).buffer),
          scale: [x, y, w, h],
          scoreClip,
          minScore,
          minSuppression,
          most,
          firstClass: u16(at + 4),
          flags: {
            softmax: flag('softmax'),
            sigmoid: flag('sigmoid'),
            yx: flag('yx'),
            expSize: flag('expSize'),
            weighted: flag('weighted'),
            perClass: flag('perClass'),
            cells: flag('cells'),
          },
        };
      }
      case 'reconstruction':
      case 'vector':
        return { kind, output: output(0) };
      case 'none':
      case undefined:
        return { kind: 'none' };
    }
  };
  return {
    input: edge(u16(18)),
    normalisation: { a: four(48), b: four(64) },
    outputs: outputs.map(edge),
    head: headOf(),
  };
};
