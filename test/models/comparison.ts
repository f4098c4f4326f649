import {
  EngineTool,
  importTflite,
  type Boundary,
  type EngineRun,
  type Network,
  type PixelRange,
} from '../../clients/publisher/index.js';
import { normalisationOf } from '../../clients/publisher/normalisation.js';
import { packNetwork } from '../../clients/publisher/packing/pack-network.js';
import { simplify } from '../../clients/publisher/simplify.js';
import type { Target } from '../../clients/publisher/szg1.js';
import {
  writeGraph,
  type InputNormalisation,
  type PackedGraph,
} from '../../clients/publisher/write-graph.js';
import type { Format } from '../../protocol/messages/input-shape.js';

/** A model as the engine runs it, with what is needed to feed and read another runtime. */
export interface Imported {
  readonly network: Network;
  readonly graph: PackedGraph;
  readonly normalisation: InputNormalisation;
}

/** @param target whose kernels run it; weights are then also divided, as those of large models are */
export const importModel = (
  bytes: Uint8Array,
  name: string,
  pixels?: PixelRange,
  target: Target = 'ref',
): Imported => {
  const network = simplify(importTflite(bytes, name));
  const normalisation = normalisationOf(network, pixels);
  // Segments of any size: what can be sent to a device is not in question here.
  const packed = packNetwork(network, { target, mostBytes: target === 'ref' ? 2 ** 30 : 300_000 });
  const graph = writeGraph(packed, {
    head: undefined,
    target,
    normalisation,
    segmentBytes: 128 * 1024,
    mostSegmentBytes: 2 ** 30,
  });
  return { network, graph, normalisation };
};

/** Outputs as the original model has them: uint8 again where it was uint8. */
export const originalOutputs = ({ outputs }: EngineRun, boundary: Boundary): number[][] =>
  outputs.map((bytes, i) => {
    const type = boundary.outputs[i]?.type;
    if (type === 'u8') return Array.from(bytes, (value) => value ^ 0x80);
    if (type === 'i8') return Array.from(new Int8Array(bytes.buffer, bytes.byteOffset, bytes.length));
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
    return Array.from({ length: bytes.length / 4 }, (_, k) => view.getFloat32(4 * k, true));
  });

/** A u8 frame as the original model's input tensor. */
export const originalInput = (frame: Uint8Array, { network, normalisation }: Imported): Uint8Array => {
  const { type, quantisation } = network.boundary.input;
  const channels = network.input.dims.at(-1) ?? 1;
  const real = (value: number, i: number): number => {
    const channel = channels <= 4 ? i % channels : 0;
    const product = Math.fround(value * Math.fround(normalisation.a[channel] ?? 0));
    return Math.fround(product + Math.fround(normalisation.b[channel] ?? 0));
  };
  if (type === 'f32') {
    const floats = Float32Array.from(frame, real);
    return new Uint8Array(floats.buffer);
  }
  const { scale, zeroPoint } = quantisation ?? { scale: 1, zeroPoint: 0 };
  const least = type === 'u8' ? 0 : -128;
  return Uint8Array.from(frame, (value, i) => {
    const quantised = Math.round(real(value, i) / scale) + zeroPoint;
    return Math.min(least + 255, Math.max(least, quantised)) & 0xff;
  });
};

export const runEngine = async (
  { network, graph }: Imported,
  format: Format,
  frame: Uint8Array,
): Promise<number[][]> =>
  originalOutputs(await EngineTool.find().infer(graph, format, frame), network.boundary);

export const greatestDifference = (a: readonly number[], b: readonly number[]): number => {
  if (a.length !== b.length) throw new Error(`${a.length} values against ${b.length}`);
  return a.reduce((most, value, i) => Math.max(most, Math.abs(value - (b[i] ?? NaN))), 0);
};

export const magnitude = (values: readonly number[]): number =>
  values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** Indices of the best value and of the one after it. */
export const bestTwo = (values: readonly number[]): { best: number; margin: number } => {
  let best = 0;
  values.forEach((value, i) => {
    if (value > (values[best] ?? -Infinity)) best = i;
  });
  const second = values.reduce((most, value, i) => (i === best ? most : Math.max(most, value)), -Infinity);
  return { best, margin: (values[best] ?? 0) - second };
};
