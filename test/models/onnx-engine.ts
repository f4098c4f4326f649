import { EngineTool, noiseFrame, openReference, type Network } from '../../clients/publisher/index.js';
import { normalisationOf } from '../../clients/publisher/normalisation.js';
import { importOnnxModel, type OnnxEdge } from '../../clients/publisher/onnx/import.js';
import { packNetwork } from '../../clients/publisher/packing/pack-network.js';
import { simplify } from '../../clients/publisher/simplify.js';
import { writeGraph } from '../../clients/publisher/write-graph.js';
import { originalOutputs } from './comparison.js';

/** The network's outputs, computed by the engine with this machine's kernels. */
export const compute = async (
  network: Network,
  frame: Uint8Array,
  format: 'f32' | 'i8' = network.input.dtype === 'i8' ? 'i8' : 'f32',
): Promise<number[][]> => {
  const engine = EngineTool.find();
  const target = engine.target();
  const graph = writeGraph(packNetwork(network, { target, mostBytes: 2 ** 30 }), {
    head: undefined,
    target,
    normalisation: normalisationOf(network, undefined),
    segmentBytes: 1 << 20,
    mostSegmentBytes: 2 ** 30,
  });
  const run = await engine.infer(graph, format, frame);
  // A last dequantisation is left to the head of the graph.
  const left = network.outputs.map(
    ({ dtype }, i) => dtype === 'i8' && network.boundary.outputs[i]?.type === 'f32',
  );
  const outputs = network.boundary.outputs.map((edge, i) =>
    left[i] === true ? { type: 'i8' as const } : edge,
  );
  return originalOutputs(run, { ...network.boundary, outputs }).map((values, i) => {
    const { scale, zeroPoint } = network.outputs[i]?.quantisation ?? { scale: 1, zeroPoint: 0 };
    return left[i] === true ? values.map((value) => Math.fround((value - zeroPoint) * scale)) : values;
  });
};

/** For each element of a tensor of ours where it lies in the model's order. */
const places = ({ dims, order }: OnnxEdge): number[] => {
  const theirs: number[] = [];
  order.forEach((axis, i) => (theirs[axis] = dims[i] ?? 1));
  const strides = theirs.map((_, i) => theirs.slice(i + 1).reduce((a, b) => a * b, 1));
  let all = [0];
  for (const [i, axis] of order.entries())
    all = all.flatMap((base) =>
      Array.from({ length: dims[i] ?? 1 }, (_, k) => base + k * (strides[axis] ?? 0)),
    );
  return all;
};

export interface Both {
  readonly network: Network;
  readonly ours: number[][];
  /** ONNX Runtime's, in our order. */
  readonly theirs: number[][];
}

/** A model on noise, in the engine and in ONNX Runtime. */
export const inBoth = async (model: Uint8Array, name: string): Promise<Both> => {
  const imported = importOnnxModel(model, name);
  const network = simplify(imported.network);
  const { dtype, dims } = imported.network.input;
  const frame = noiseFrame({ format: dtype === 'i8' ? 'i8' : 'f32', dims });
  const ours = await compute(network, frame, dtype === 'i8' ? 'i8' : 'f32');

  const size = dtype === 'i8' ? 1 : 4;
  const flip = imported.network.boundary.input.type === 'u8' ? 0x80 : 0;
  const input = new Uint8Array(frame.length);
  for (const [i, at] of places(imported.input).entries())
    for (let byte = 0; byte < size; byte++) input[at * size + byte] = (frame[i * size + byte] ?? 0) ^ flip;
  const reference = await openReference(model, `${name}.onnx`);
  const results = await reference.run(input);
  const theirs = results.map((values, k) => {
    const edge = imported.outputs[k];
    return edge === undefined ? [] : places(edge).map((at) => Number(values[at]));
  });
  return { network, ours, theirs };
};
