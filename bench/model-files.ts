import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pack, type PackOptions, type SealedModel } from '../clients/publisher/index.js';
import type { Target } from '../clients/publisher/szg1.js';
import type { PackedGraph } from '../clients/publisher/write-graph.js';
import { ARCHITECTURES, type Architecture } from './nets/architectures.js';
import { engineFiles, packForEngine } from './nets/engine-graph.js';
import { unfusedNetwork, unplanned } from './nets/naive.js';
import type { Net } from './nets/net.js';
import { floatNetwork, int8Network } from './nets/network.js';
import { quantise, quantiseInput, type QuantisedNet, type Range } from './nets/quantise.js';
import { Random } from './nets/random.js';
import { SCRATCH } from './paths.js';
import { floatOnnx, int8Onnx } from './peers/onnx.js';
import { describeFloat, describeInt8 } from './peers/xnnpack-net.js';
import { Worker } from './worker.js';

export type Precision = 'float32' | 'int8';

/** A net in all forms that a suite needs, written to files on demand. */
export interface BenchNet {
  readonly name: Architecture;
  readonly net: Net;
  readonly quantised: QuantisedNet;
}

export interface EngineModel {
  readonly command: readonly string[];
  readonly graph: PackedGraph;
}

const INPUT_SEED = 777;
const CALIBRATION_INPUTS = 2;
const ENGINE_WORKER = join(SCRATCH, 'engine_worker');

const fileIn = (name: string, file: string, bytes: Uint8Array | string): string => {
  const folder = join(SCRATCH, 'models', name);
  mkdirSync(folder, { recursive: true });
  const path = join(folder, file);
  writeFileSync(path, bytes);
  return path;
};

const bytesOf = (data: Float32Array | Int8Array): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength);

/** NHWC values between -1 and 1. */
const randomInput = (net: Net, seed: number): Float32Array => {
  const { h, w, c } = net.tensors[0] ?? { h: 0, w: 0, c: 0 };
  return new Random(seed).uniforms(h * w * c, -1, 1);
};

/** Builds a net and quantises it by what it computes on a few random inputs. */
export const buildNet = async (name: Architecture): Promise<BenchNet> => {
  const net = ARCHITECTURES[name]();
  const { graph, weights } = engineFiles(packForEngine(floatNetwork(net), 'ref', true));
  const graphPath = fileIn(name, 'calibration-graph', graph);
  const weightsPath = fileIn(name, 'calibration-weights', weights);
  const ranges: Range[] = net.tensors.map(() => [0, 0]);
  ranges[0] = [-1, 1];
  for (let i = 0; i < CALIBRATION_INPUTS; i += 1) {
    const input = fileIn(name, 'calibration-input', bytesOf(randomInput(net, i + 1)));
    const worker = await Worker.start([ENGINE_WORKER, graphPath, weightsPath, input]);
    const seen = (await worker.ask('ranges', 'ranges')).map(Number);
    await worker.stop();
    for (const [index, { output }] of net.layers.entries()) {
      const [low, high] = ranges[output] ?? [0, 0];
      ranges[output] = [Math.min(low, seen[2 * index] ?? 0), Math.max(high, seen[2 * index + 1] ?? 0)];
    }
  }
  return { name, net, quantised: quantise(net, ranges) };
};

const inputBytes = ({ net, quantised }: BenchNet, precision: Precision): Float32Array | Int8Array => {
  const input = randomInput(net, INPUT_SEED);
  return precision === 'float32'
    ? input
    : quantiseInput(input, quantised.tensors[0] ?? { scale: 1, zeroPoint: 0 });
};

/** The command of a worker that runs this library in process. */
export const engineModel = (model: BenchNet, precision: Precision, target: Target): EngineModel => {
  const network = precision === 'float32' ? floatNetwork(model.net) : int8Network(model.quantised);
  const graph = packForEngine(network, target);
  const files = engineFiles(graph);
  const write = (file: string, bytes: Uint8Array): string =>
    fileIn(model.name, `${precision}-${file}`, bytes);
  return {
    command: [
      ENGINE_WORKER,
      write(`graph-${target}`, files.graph),
      write(`weights-${target}`, files.weights),
      write('input', bytesOf(inputBytes(model, precision))),
    ],
    graph,
  };
};

/** The paper's predecessors' way, float32: commands of engine_worker, of which the parameters also fit naive_worker. */
export const naiveModels = (
  model: BenchNet,
  target: Target,
): Record<'fusedUnplanned' | 'unfused' | 'unfusedUnplanned', readonly string[]> => {
  const command = (label: string, { bytes, segments }: PackedGraph): string[] => [
    ENGINE_WORKER,
    fileIn(model.name, `naive-${label}-graph`, bytes),
    fileIn(model.name, `naive-${label}-weights`, Buffer.concat(segments)),
    fileIn(model.name, 'float32-input', bytesOf(inputBytes(model, 'float32'))),
  ];
  const fused = packForEngine(floatNetwork(model.net), target);
  const unfused = packForEngine(unfusedNetwork(model.net), 'ref', true);
  return {
    fusedUnplanned: command('fused-unplanned', { ...fused, bytes: unplanned(fused.bytes) }),
    unfused: command('unfused', unfused),
    unfusedUnplanned: command('unfused-unplanned', { ...unfused, bytes: unplanned(unfused.bytes) }),
  };
};

/** The package of a net, labelled by its five best classes. */
export const sealedModel = (
  model: BenchNet,
  precision: Precision,
  target: Target,
  options: Partial<PackOptions> = {},
): Promise<SealedModel> =>
  pack(precision === 'float32' ? floatNetwork(model.net) : int8Network(model.quantised), {
    name: `${model.name} ${precision}`,
    results: { kind: 'topK', k: 5 },
    target,
    ...options,
  });

/** Parameters of bench/native/xnnpack_worker.c. */
export const xnnpackFiles = (model: BenchNet, precision: Precision): string[] => {
  const { text, weights } =
    precision === 'float32' ? describeFloat(model.net) : describeInt8(model.quantised);
  return [
    fileIn(model.name, `${precision}-xnnpack.txt`, text),
    fileIn(model.name, `${precision}-xnnpack-weights`, weights),
    fileIn(model.name, `${precision}-input`, bytesOf(inputBytes(model, precision))),
  ];
};

/** Model and input of bench/peers/ort-worker.ts: channels first, and uint8 instead of int8. */
export const onnxFiles = (model: BenchNet, precision: Precision): string[] => {
  const input = inputBytes(model, precision);
  const { h, w, c } = model.net.tensors[0] ?? { h: 0, w: 0, c: 0 };
  const planes =
    input instanceof Float32Array ? new Float32Array(input.length) : new Uint8Array(input.length);
  for (let pixel = 0; pixel < h * w; pixel += 1)
    for (let channel = 0; channel < c; channel += 1)
      planes[channel * h * w + pixel] =
        (input[pixel * c + channel] ?? 0) + (planes instanceof Uint8Array ? 128 : 0);
  return [
    fileIn(
      model.name,
      `${precision}.onnx`,
      precision === 'float32' ? floatOnnx(model.net) : int8Onnx(model.quantised),
    ),
    fileIn(model.name, `${precision}-input-nchw`, new Uint8Array(planes.buffer)),
  ];
};

/** The int8 net for raw pictures. */
export const pictureOnnxFile = (model: BenchNet): string =>
  fileIn(model.name, 'int8-pictures.onnx', int8Onnx(model.quantised, true));
