import { headOutputs, type Head } from './head.js';
import { arenaBytes, type Bands } from './bands.js';
import type { Network, Operation, Tensor } from './network.js';
import { planNetwork, type MemoryPlan } from './plan.js';
import {
  Activation,
  DType,
  GRAPH_MAGIC,
  GRAPH_VERSION,
  HEAD_BYTES,
  HEADER_BYTES,
  HeadFlag,
  HeadKind,
  Layout,
  MAX_GRAPH_OUTPUTS,
  MAX_OP_INPUTS,
  MAX_OP_OUTPUTS,
  MAX_OPS,
  MAX_SEGMENTS,
  MAX_TENSORS,
  NO_TENSOR,
  OP_BYTES,
  OP_INTS,
  OpCode,
  Place,
  Target,
  TENSOR_BYTES,
} from './szg1.js';
import { layOutWeights, type WeightLayout } from './weights.js';

/** A u8 frame value u of channel c becomes the real value u * a[c] + b[c]. */
export interface InputNormalisation {
  readonly a: readonly [number, number, number, number];
  readonly b: readonly [number, number, number, number];
}

export interface GraphOptions {
  readonly head: Head | undefined;
  /** Whose kernels the weights of the network were packed for. */
  readonly target: Target;
  readonly normalisation: InputNormalisation;
  /** Aimed-at plaintext size of a weight segment. */
  readonly segmentBytes: number;
  /** Greatest plaintext size of a segment. */
  readonly mostSegmentBytes: number;
}

/** A network as the engine runs it. */
export interface PackedGraph {
  /** SZG1 (ta/tinylib/graph.h). */
  readonly bytes: Uint8Array;
  /** Plaintext weight segments. */
  readonly segments: readonly Uint8Array[];
  readonly plan: MemoryPlan;
  /** The most bytes of segments that have to be in memory at the same time where weights are streamed. */
  readonly window: number;
}

/** Plans memory and writes the graph of a network whose weights are packed (packing/pack-network.ts). */
export const writeGraph = (network: Network, options: GraphOptions): PackedGraph => {
  const { head } = options;
  const plan = planNetwork(network, head?.kind === 'reconstruction');
  const weights = layOutWeights(
    constantsOf(network, head),
    options.segmentBytes,
    options.mostSegmentBytes,
    constantsInBands(network),
  );
  const scratch = scratchTensors(plan);
  const tensors = [...plan.offsets.keys(), ...weights.places.keys(), ...scratch.values()];
  const { operations, outputs } = network;
  requireLimit('operators', operations.length, MAX_OPS);
  requireLimit('tensors', tensors.length, MAX_TENSORS);
  requireLimit('weight segments', weights.segments.length, MAX_SEGMENTS);
  requireLimit('outputs', outputs.length, MAX_GRAPH_OUTPUTS);

  const segmentTable = Math.ceil((4 * weights.segments.length) / 8) * 8;
  const length = HEADER_BYTES + segmentTable + tensors.length * TENSOR_BYTES + operations.length * OP_BYTES;
  const bytes = new Uint8Array(length);
  const view = new DataView(bytes.buffer);
  const numbers = new Map(tensors.map((tensor, i) => [tensor, i]));
  const numberOf = (tensor: Tensor | null): number => {
    if (tensor === null) return NO_TENSOR;
    const number = numbers.get(tensor);
    if (number === undefined) throw new Error(`tensor ${tensor.name} has no place`);
    return number;
  };

  const scratchOffsets = new Map([...scratch].map(([operation, t]) => [t, plan.scratch.get(operation)]));
  const offsetOf = (tensor: Tensor): number => plan.offsets.get(tensor) ?? scratchOffsets.get(tensor) ?? 0;

  writeHeader(view, length, network, weights, plan, tensors.length, options, numberOf);
  let at = HEADER_BYTES;
  for (const [i, segment] of weights.segments.entries()) view.setUint32(at + 4 * i, segment.length, true);
  at += segmentTable;
  for (const tensor of tensors) {
    writeTensor(view, at, tensor, offsetOf(tensor), weights, network.bands);
    at += TENSOR_BYTES;
  }
  for (const operation of operations) {
    writeOperation(view, at, operation, scratch.get(operation) ?? null, numberOf);
    at += OP_BYTES;
  }
  return { bytes, segments: weights.segments, plan, window: windowNeeded(network, head, weights) };
};

/** Scratch as the tensors that operators name. */
const scratchTensors = (plan: MemoryPlan): Map<Operation, Tensor> =>
  new Map(
    [...plan.scratch.keys()].map((operation): [Operation, Tensor] => [
      operation,
      {
        name: `scratch of ${operation.origin}`,
        dtype: 'i8',
        dims: [operation.scratchBytes ?? 0],
        quantisation: { scale: 1, zeroPoint: 0 },
      },
    ]),
  );

const requireLimit = (what: string, count: number, most: number): void => {
  if (count > most) throw new RangeError(`the network has ${count} ${what}, at most ${most} are possible`);
};

/** How many constants the operations in bands read: all of them are there when those run. */
const constantsInBands = ({ operations, bands }: Network): number =>
  new Set(
    operations
      .slice(0, bands?.operations ?? 0)
      .flatMap(({ inputs }) => inputs.filter((input) => input?.data !== undefined)),
  ).size;

/** Every constant once, in the order of execution; what the head needs comes last. */
const constantsOf = (network: Network, head: Head | undefined): Tensor[] => {
  const constants = network.operations.flatMap(({ inputs }) =>
    inputs.filter((input): input is Tensor => input?.data !== undefined),
  );
  return head?.kind === 'detections' ? [...constants, head.anchors] : constants;
};

/** Where a segment begins in the stream window: on a multiple of 64 bytes (ta/models/buffer.h). */
const roomFor = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** As ta/models/stream.c works it out: what one operator reads, or the operators in bands together, or the head. */
const windowNeeded = (
  { operations, bands }: Network,
  head: Head | undefined,
  { places, segments }: WeightLayout,
): number => {
  const inBands = bands?.operations ?? 0;
  const steps = [operations.slice(0, inBands), ...operations.slice(inBands).map((operation) => [operation])];
  const read = steps.map((step) => step.flatMap(({ inputs }) => inputs));
  if (head?.kind === 'detections') read.push([head.anchors]);
  const needed = read.map((tensors) => {
    const numbers = tensors.map((tensor) => (tensor === null ? undefined : places.get(tensor)?.segment));
    return [...new Set(numbers)].reduce<number>(
      (sum, number) => sum + (number === undefined ? 0 : roomFor(segments[number]?.length ?? 0)),
      0,
    );
  });
  return Math.max(0, ...needed);
};

const writeHeader = (
  view: DataView,
  length: number,
  network: Network,
  weights: WeightLayout,
  plan: MemoryPlan,
  tensorCount: number,
  { head, normalisation, target }: GraphOptions,
  numberOf: (tensor: Tensor | null) => number,
): void => {
  const u16 = (at: number, value: number): void => view.setUint16(at, value, true);
  const u32 = (at: number, value: number): void => view.setUint32(at, value, true);
  u32(0, GRAPH_MAGIC);
  u32(4, length);
  u16(8, GRAPH_VERSION);
  u16(10, Target[target]);
  u16(12, tensorCount);
  u16(14, network.operations.length);
  u16(16, weights.segments.length);
  u16(18, numberOf(network.input));
  u16(20, network.outputs.length);
  u16(22, network.bands?.operations ?? 0);
  u32(24, plan.arena);
  for (let i = 0; i < MAX_GRAPH_OUTPUTS; i++) u16(32 + 2 * i, numberOf(network.outputs[i] ?? null));
  normalisation.a.forEach((value, i) => view.setFloat32(48 + 4 * i, value, true));
  normalisation.b.forEach((value, i) => view.setFloat32(64 + 4 * i, value, true));
  if (head !== undefined && headOutputs(head).some((tensor) => !network.outputs.includes(tensor)))
    throw new RangeError("the head reads a tensor that is not one of the network's outputs");
  writeHead(view, HEADER_BYTES - HEAD_BYTES, head, numberOf);
};

const LEAST_FLOAT32 = -3.4028234663852886e38;

const writeHead = (
  view: DataView,
  at: number,
  head: Head | undefined,
  numberOf: (tensor: Tensor | null) => number,
): void => {
  const record = headRecord(head);
  view.setUint8(at, HeadKind[head?.kind ?? 'none']);
  view.setUint8(at + 1, record.flags);
  view.setUint16(at + 2, record.most, true);
  view.setUint16(at + 4, record.firstClass, true);
  for (let i = 0; i < 4; i++) view.setUint16(at + 8 + 2 * i, numberOf(record.tensors[i] ?? null), true);
  record.floats.forEach((value, i) => view.setFloat32(at + 16 + 4 * i, value, true));
};

interface HeadRecord {
  flags: number;
  most: number;
  firstClass: number;
  tensors: Tensor[];
  floats: number[];
}

const headRecord = (head: Head | undefined): HeadRecord => {
  const none = { flags: 0, most: 0, firstClass: 0, tensors: [], floats: [] };
  switch (head?.kind) {
    case undefined:
      return none;
    case 'topK': {
      const floats = [Math.max(head.minScore ?? LEAST_FLOAT32, LEAST_FLOAT32)];
      return {
        ...none,
        flags: head.softmax ? HeadFlag.softmax : 0,
        most: head.k,
        tensors: [head.scores],
        floats,
      };
    }
    case 'detections': {
      const { sigmoid, softmax, yx, expSize, weighted, perClass, cells } = HeadFlag;
      const flags =
        (head.scoreActivation === 'sigmoid' ? sigmoid : 0) |
        (head.scoreActivation === 'softmax' ? softmax : 0) |
        (head.yx ? yx : 0) |
        (head.expSize ? expSize : 0) |
        (head.weighted ? weighted : 0) |
        (head.perClass ? perClass : 0) |
        (head.cells ? cells : 0);
      return {
        flags,
        most: head.most,
        firstClass: head.firstClass,
        tensors: [head.boxes, head.scores, head.anchors],
        floats: [...head.scale, head.scoreClip, head.minScore, head.minSuppression],
      };
    }
    case 'reconstruction':
      return { ...none, most: 1, tensors: [head.output], floats: [head.threshold] };
    case 'vector':
      return { ...none, tensors: [head.output] };
  }
};

const writeTensor = (
  view: DataView,
  at: number,
  tensor: Tensor,
  arenaOffset: number,
  weights: WeightLayout,
  bands: Bands | undefined,
): void => {
  const place = weights.places.get(tensor);
  view.setUint8(at, DType[tensor.dtype]);
  view.setUint8(at + 1, place === undefined ? Place.arena : Place.weights);
  view.setUint8(at + 2, tensor.dims.length);
  view.setUint8(at + 3, Layout[bands?.lines.has(tensor) ? 'lines' : (tensor.layout ?? 'plain')]);
  view.setUint16(at + 4, place?.segment ?? 0, true);
  for (let i = 0; i < 4; i++) view.setUint32(at + 8 + 4 * i, tensor.dims[i] ?? 1, true);
  view.setFloat32(at + 24, tensor.quantisation?.scale ?? 0, true);
  view.setInt32(at + 28, tensor.quantisation?.zeroPoint ?? 0, true);
  view.setUint32(at + 32, place?.offset ?? arenaOffset, true);
  view.setUint32(at + 36, arenaBytes(tensor, bands), true);
};

const writeOperation = (
  view: DataView,
  at: number,
  operation: Operation,
  scratch: Tensor | null,
  numberOf: (tensor: Tensor | null) => number,
): void => {
  view.setUint8(at, OpCode[operation.code]);
  view.setUint8(at + 1, Activation[operation.activation]);
  view.setUint8(at + 2, operation.inputs.length);
  view.setUint8(at + 3, 1);
  view.setUint16(at + 4, numberOf(scratch), true);
  for (let i = 0; i < MAX_OP_INPUTS; i++)
    view.setUint16(at + 8 + 2 * i, numberOf(operation.inputs[i] ?? null), true);
  for (let i = 0; i < MAX_OP_OUTPUTS; i++)
    view.setUint16(at + 24 + 2 * i, numberOf(i === 0 ? operation.output : null), true);
  for (let i = 0; i < OP_INTS; i++) view.setInt32(at + 32 + 4 * i, operation.ints[i] ?? 0, true);
  operation.floats.forEach((value, i) => view.setFloat32(at + 80 + 4 * i, value, true));
};
