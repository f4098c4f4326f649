import {
  DType,
  GRAPH_MAGIC,
  HEAD_BYTES,
  HeadKind,
  HEADER_BYTES,
  MAX_OP_INPUTS,
  NO_TENSOR,
  OP_BYTES,
  OpCode,
  Place,
  TENSOR_BYTES,
} from './szg1.js';

/** One operator of a graph. */
export interface Layer {
  /** Its name and place in the order of execution: `CONV_2D 3`. */
  readonly name: string;
  readonly operator: string;
  readonly type: string;
  readonly input: readonly number[];
  readonly output: readonly number[];
  /** Multiply-accumulates, borders counted as inside. */
  readonly macs: number;
  /** Bytes of its weights, as they are packed. */
  readonly weights: number;
  /** Segments that it reads, ascending. */
  readonly segments: readonly number[];
  /** It runs together with the others that do, row by row. */
  readonly inBands: boolean;
}

/** A graph's operators, and what is read when. */
export interface GraphLayers {
  readonly layers: readonly Layer[];
  /** Plaintext bytes of each weight segment. */
  readonly segmentBytes: readonly number[];
  /** The segments of each step: what is read together has to be in memory together. The last one is the head. */
  readonly steps: readonly (readonly number[])[];
}

const CODES = new Map<number, OpCode>(Object.entries(OpCode).map(([name, code]) => [code, name as OpCode]));
const TYPES = new Map<number, string>(Object.entries(DType).map(([name, code]) => [code, name]));
const MULTIPLYING: readonly OpCode[] = ['CONV_2D', 'DEPTHWISE_2D', 'FULLY_CONNECTED'];

const product = (dims: readonly number[]): number => dims.reduce((a, b) => a * b, 1);

/** @throws RangeError where the bytes are no whole graph */
export const readLayers = (graph: Uint8Array): GraphLayers => {
  const view = new DataView(graph.buffer, graph.byteOffset, graph.byteLength);
  const u16 = (at: number): number => view.getUint16(at, true);
  const u32 = (at: number): number => view.getUint32(at, true);
  if (u32(0) !== GRAPH_MAGIC || u32(4) !== graph.length) throw new RangeError('these bytes are no graph');
  const [tensorCount, opCount, segmentCount, bands] = [u16(12), u16(14), u16(16), u16(22)];
  const tensorsAt = HEADER_BYTES + Math.ceil((4 * segmentCount) / 8) * 8;
  const tensor = (number: number) => {
    const at = tensorsAt + number * TENSOR_BYTES;
    const rank = Math.min(view.getUint8(at + 2), 4);
    return {
      type: TYPES.get(view.getUint8(at)) ?? '?',
      isWeights: view.getUint8(at + 1) === Place.weights,
      segment: u16(at + 4),
      dims: Array.from({ length: rank }, (_, i) => u32(at + 8 + 4 * i)),
      bytes: u32(at + 36),
    };
  };
  const layers = Array.from({ length: opCount }, (_, i): Layer => {
    const at = tensorsAt + tensorCount * TENSOR_BYTES + i * OP_BYTES;
    const code = CODES.get(view.getUint8(at));
    const inputs = Array.from({ length: MAX_OP_INPUTS }, (_, k) => u16(at + 8 + 2 * k))
      .filter((number) => number !== NO_TENSOR)
      .map(tensor);
    const weights = inputs.filter(({ isWeights }) => isWeights);
    const output = tensor(u16(at + 24));
    // The weights' elements are used once for each pixel of the output.
    const pixels = product(output.dims.slice(0, -1));
    const multiplies = code !== undefined && MULTIPLYING.includes(code);
    return {
      name: `${code ?? '?'} ${i}`,
      operator: code ?? '?',
      type: output.type,
      input: inputs[0]?.dims ?? [],
      output: output.dims,
      macs: multiplies ? pixels * product(weights[0]?.dims ?? [0]) : 0,
      weights: weights.reduce((sum, { bytes }) => sum + bytes, 0),
      segments: ascending(weights.map(({ segment }) => segment)),
      inBands: i < bands,
    };
  });
  const together = layers.filter(({ inBands }) => inBands).flatMap(({ segments }) => segments);
  const steps = layers.map(({ inBands, segments }, i) => {
    if (!inBands) return segments;
    return i === 0 ? ascending(together) : [];
  });
  const headAt = HEADER_BYTES - HEAD_BYTES;
  const anchors = u16(headAt + 12);
  const isDetector = view.getUint8(headAt) === HeadKind.detections && anchors !== NO_TENSOR;
  return {
    layers,
    segmentBytes: Array.from({ length: segmentCount }, (_, i) => u32(HEADER_BYTES + 4 * i)),
    steps: [...steps, isDetector ? [tensor(anchors).segment] : []],
  };
};

const ascending = (segments: readonly number[]): number[] => [...new Set(segments)].sort((a, b) => a - b);
