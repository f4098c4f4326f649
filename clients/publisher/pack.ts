import { BUFFER, VERSION_NUMBER } from '../../protocol/codes.js';
import { AES_GCM_KEY_LENGTH, AES_GCM_TAG_LENGTH } from '../../protocol/aes-gcm.js';
import { SmartZoneError } from '../../protocol/errors.js';
import {
  encodeContainerHeader,
  encodeGoldenTest,
  sealSegment,
  segmentEntry,
  type ContainerHeader,
  type ResultsKind,
} from '../../protocol/messages/model-container.js';
import { inputBytes, type Format, type InputShape } from '../../protocol/messages/input-shape.js';
import { systemRandomness, type Randomness } from '../../protocol/randomness.js';
import { bandNetwork } from './bands.js';
import { frameShapeOf, inputRange, noiseFrame } from './frame.js';
import { EngineTool, type GoldenRunner } from './golden.js';
import type { Head } from './head.js';
import { checkLabels } from './labels.js';
import { tensorBytes, type Network, type Tensor } from './network.js';
import { normalisationOf, type ChannelNormalisation, type PixelRange } from './normalisation.js';
import { packNetwork } from './packing/pack-network.js';
import { automaticPurpose, presetPurpose, type PresetName } from './preset.js';
import { headFor, type ResultsOption } from './results.js';
import { simplify } from './simplify.js';
import type { Target } from './szg1.js';
import { writeGraph, type GraphOptions, type PackedGraph } from './write-graph.js';

export interface PackOptions {
  /** The model's name: 1 to 64 characters. */
  readonly name: string;
  /** Default: what the network's shapes suggest. */
  readonly preset?: PresetName;
  /** Names of the classes, in the order of the output; at most 48 bytes each. */
  readonly labels?: readonly string[];
  readonly results?: ResultsOption;
  readonly pixels?: PixelRange | ChannelNormalisation;
  /** Frames of another format than u8 for pictures and the network's own type otherwise. */
  readonly format?: Format;
  /** Aimed-at plaintext size of a weight segment. Default 128 KiB; 64 KiB where `arena` is given. */
  readonly segmentBytes?: number;
  /** Whose kernels the weights are packed for (a device's hello names its own). Default `ref`, which every device runs. */
  readonly target?: Target;
  /**
   * Bytes of activations that the device has room for. Where the network needs more, its front runs row by row in line buffers:
   * nothing is computed twice, and it takes a few per cent longer. 0: the least that can be had. Not for the target `ref`.
   * Default: as many as it takes.
   */
  readonly arena?: number;
  /** Computes the golden test's expected output. Default: the engine as a program (EngineTool.find()). */
  readonly golden?: GoldenRunner;
  /** The golden test's frame. Default: noise, the same for every package. */
  readonly goldenFrame?: Uint8Array;
  /** Greatest absolute difference of the golden test; default 0 for int8 outputs, else 1e-4 of the largest value. */
  readonly tolerance?: number;
  /** Default: this release's. */
  readonly leastTaVersion?: number;
  readonly random?: Randomness;
}

/** A model sealed under a fresh content key, not yet signed. */
export interface SealedModel {
  /** Ciphertexts: header, weights, golden test. */
  readonly segments: readonly Uint8Array[];
  /** Opens all of them. Give it to devices by wrapFor() and keep it as secret as the model. */
  readonly contentKey: Uint8Array;
  readonly header: ContainerHeader;
  readonly graph: PackedGraph;
  readonly target: Target;
  /** Secure heap that a device needs at least, in bytes: with all weights streamed. */
  readonly memory: number;
  readonly leastTaVersion: number;
}

/** Where the arena is short, so is the buffer in which a convolution collects its inputs. */
const SMALL_GATHER_BYTES = 4096;
export const SEGMENT_BYTES = 128 * 1024;
/** Where memory is short a TA streams weights, and has room for the segments of one operator. */
const SMALL_SEGMENT_BYTES = 64 * 1024;
export const MOST_SEGMENT_BYTES = BUFFER.in - AES_GCM_TAG_LENGTH;
/** A head's number in the container. */
export const RESULTS_KIND: Record<Head['kind'], ResultsKind> = {
  topK: 1,
  detections: 2,
  reconstruction: 3,
  vector: 4,
};

/**
 * Simplifies, plans, lays out, seals: a network becomes the segments of a package.
 * @throws SmartZoneError MODEL_IMPORT where the options do not fit the network, or no engine is there for the golden test
 */
export const pack = async (source: Network, options: PackOptions): Promise<SealedModel> => {
  const network = simplify(source);
  const purpose = options.preset ? presetPurpose(options.preset) : automaticPurpose(network, options.labels);
  const labels = options.labels ?? purpose.labels;
  checkName(options.name);
  const head = headFor(network, options.results ?? purpose.results);
  checkLabels(labels, head);
  const suggested = frameShapeOf(network);
  const shape: InputShape = { ...suggested, format: options.format ?? purpose.format ?? suggested.format };
  const target = options.target ?? 'ref';
  const graphFor = (of: Target): PackedGraph =>
    buildGraph(network, {
      head,
      target: of,
      normalisation: normalisationOf(network, options.pixels ?? source.purpose?.pixels ?? purpose.pixels),
      segmentBytes:
        options.segmentBytes ?? (options.arena === undefined ? SEGMENT_BYTES : SMALL_SEGMENT_BYTES),
      mostSegmentBytes: MOST_SEGMENT_BYTES,
      ...(of === target && options.arena !== undefined && { arena: options.arena }),
    });
  const graph = graphFor(target);

  const frame = options.goldenFrame ?? noiseFrame(shape, undefined, inputRange(network.input.quantisation));
  if (frame.length !== inputBytes(shape))
    throw refuse(`the golden frame has ${frame.length} bytes, ${inputBytes(shape)} are needed`);
  // The reference defines what every target's kernels must give.
  const reference = target === 'ref' ? graph : graphFor('ref');
  const outputs = await (options.golden ?? EngineTool.find()).run(reference, shape.format, frame);
  const golden = encodeGoldenTest({ frame, outputs });
  const contentKey = (options.random ?? systemRandomness).bytes(AES_GCM_KEY_LENGTH);
  const weights = graph.segments.map((segment, i) => sealSegment(contentKey, i + 1, segment));
  const sealedGolden = sealSegment(contentKey, weights.length + 1, golden);
  const header: ContainerHeader = {
    graph: graph.bytes,
    weights: weights.map(segmentEntry),
    golden: segmentEntry(sealedGolden),
    input: shape,
    results: { kind: RESULTS_KIND[head.kind], most: mostResults(head) },
    labels,
    tolerance: options.tolerance ?? toleranceOf(network, outputs),
    name: options.name,
  };
  const sealedHeader = sealSegment(contentKey, 0, encodeContainerHeader(header));
  const segments = [sealedHeader, ...weights, sealedGolden];
  const long = segments.findIndex((segment) => segment.length > BUFFER.in);
  if (long >= 0)
    throw refuse(`segment ${long} has ${segments[long]?.length} bytes, at most ${BUFFER.in} can be sent`);
  return {
    segments,
    contentKey,
    header,
    graph,
    target,
    memory: memoryNeeded(sealedHeader.length, graph, network.outputs),
    leastTaVersion: options.leastTaVersion ?? VERSION_NUMBER,
  };
};

/**
 * Lays the weights of a simplified network out for the target, plans its memory, writes the graph.
 * @throws SmartZoneError MODEL_IMPORT where it does not fit the format, or the arena that was asked for
 */
export const buildGraph = (
  network: Network,
  options: GraphOptions & { readonly arena?: number },
): PackedGraph => {
  const { target, arena, head } = options;
  try {
    const packed = packNetwork(network, {
      target,
      mostBytes: partBytes(network, options),
      ...(arena !== undefined && { gatherBytes: SMALL_GATHER_BYTES }),
    });
    if (arena === undefined) return writeGraph(packed, options);
    return writeGraph(bandsWithin(packed, target, arena, head?.kind === 'reconstruction'), options);
  } catch (cause) {
    if (cause instanceof RangeError) throw new SmartZoneError('MODEL_IMPORT', cause.message, { cause });
    throw cause;
  }
};

/**
 * Greatest weights of one operator; larger ones are computed in parts. A TA that streams them has room for one part: for int8 a
 * small one costs no time (measured: none between 256 KiB and 1.5 MiB), for float32, with a quarter of the channels in as many
 * bytes, collecting the input again for every part costs several times the whole.
 */
const partBytes = (network: Network, { segmentBytes, mostSegmentBytes }: GraphOptions): number => {
  const quantised = network.operations.some(({ inputs }) =>
    inputs.some((input) => input?.data !== undefined && input.dtype === 'i8'),
  );
  return quantised ? Math.min(2 * segmentBytes, mostSegmentBytes) : mostSegmentBytes;
};

/** @throws RangeError where the arena cannot be that small */
const bandsWithin = (packed: Network, target: Target, arena: number, keepInput: boolean): Network => {
  if (target === 'ref')
    throw new RangeError('the target ref runs no row bands: name the target of the device');
  const { network, plan } = bandNetwork(packed, arena, keepInput);
  if (arena > 0 && plan.arena > arena)
    throw new RangeError(`activations need ${plan.arena} bytes even in row bands, ${arena} were allowed`);
  return network;
};

const refuse = (detail: string): SmartZoneError => new SmartZoneError('MODEL_IMPORT', detail);

const checkName = (name: string): void => {
  const size = new TextEncoder().encode(name).length;
  if (size < 1 || size > 64) throw refuse(`the model's name has ${size} bytes, 1 to 64 are possible`);
};

/** The container's "most results"; of a vector its bytes. */
export const mostResults = (head: Head): number => {
  switch (head.kind) {
    case 'topK':
      return head.k;
    case 'detections':
      return head.most;
    case 'reconstruction':
      return 1;
    case 'vector':
      return tensorBytes(head.output);
  }
};

/** Other kernels sum float32 in another order; int8 is exact everywhere. */
const toleranceOf = (network: Network, outputs: readonly Uint8Array[]): number => {
  let largest = 0;
  for (const [i, tensor] of network.outputs.entries()) {
    const bytes = outputs[i];
    if (tensor.dtype !== 'f32' || bytes === undefined) continue;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    for (let at = 0; at + 4 <= bytes.length; at += 4)
      largest = Math.max(largest, Math.abs(view.getFloat32(at, true)));
  }
  return network.outputs.every((tensor) => tensor.dtype === 'i8')
    ? 0
    : Math.fround(Math.max(largest, 1) * 1e-4);
};

/** Work buffer of the head, segment table, alignment and the allocator's own bookkeeping (ta/models/slot.c). */
const OVERHEAD = 16 * 1024;

/**
 * The least that ta/models can run a model in: header with the graph in it, arena, the weights of one step at a time, and while
 * it is loaded the golden test's expected outputs. A TA with more memory keeps weights in it.
 */
const memoryNeeded = (header: number, { plan, window }: PackedGraph, outputs: readonly Tensor[]): number =>
  header + plan.arena + window + outputs.reduce((sum, output) => sum + tensorBytes(output), 0) + OVERHEAD;
