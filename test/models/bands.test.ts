import { existsSync } from 'node:fs';
import path from 'node:path';
import {
  EngineTool,
  importTflite,
  type Network,
  type Operation,
  type Tensor,
} from '../../clients/publisher/index.js';
import { noiseFrame } from '../../clients/publisher/frame.js';
import { buildGraph } from '../../clients/publisher/pack.js';
import { readPlan } from '../../clients/publisher/plan-lives.js';
import { simplify } from '../../clients/publisher/simplify.js';
import { HEADER_BYTES, TENSOR_BYTES, type OpCode, type Target } from '../../clients/publisher/szg1.js';
import type { PackedGraph } from '../../clients/publisher/write-graph.js';
import { shared, sharedFile } from './shared.js';

/* Networks whose front runs in row bands against the same networks in one go, on this machine's kernels. */

const engine = existsSync('build/ctest/engine_run') ? EngineTool.find('build/ctest/engine_run') : undefined;
const own: Target = engine?.target() ?? 'ref';
if (own === 'ref') console.log('skipped: no engine with kernels of this machine (make -C ta/test)');

const build = (network: Network, target: Target, arena?: number): PackedGraph =>
  buildGraph(network, {
    head: undefined,
    target,
    normalisation: { a: [1, 1, 1, 1], b: [0, 0, 0, 0] },
    segmentBytes: 128 * 1024,
    mostSegmentBytes: 2 ** 20,
    ...(arena !== undefined && { arena }),
  });

const run = async (graph: PackedGraph, { input }: Network): Promise<string[]> => {
  const format = input.dtype === 'i8' ? 'i8' : 'f32';
  const frame = noiseFrame({ format, dims: input.dims }, 3);
  const outputs = (await engine?.run(graph, format, frame)) ?? [];
  return outputs.map((bytes) => Buffer.from(bytes).toString('hex'));
};

/** Half as many rows and fewer channels come out as go in. */
const front = (): Network => {
  const tensor = (name: string, dims: readonly number[], data?: Float32Array): Tensor => ({
    name,
    dtype: 'f32',
    dims,
    ...(data && { data }),
  });
  const weights = (...dims: number[]): Tensor =>
    tensor(
      'w',
      dims,
      Float32Array.from({ length: dims.reduce((a, b) => a * b, 1) }, (_, i) => Math.sin(i)),
    );
  const operation = (code: OpCode, x: Tensor, w: Tensor, y: Tensor, ints: number[]): Operation => ({
    code,
    activation: 'RELU6',
    inputs: [x, w, null],
    output: y,
    ints,
    floats: [],
    origin: code,
  });
  const input = tensor('x', [1, 32, 32, 8]);
  const [wide, next] = [tensor('wide', [1, 16, 16, 64]), tensor('next', [1, 16, 16, 64])];
  const output = tensor('y', [1, 16, 16, 4]);
  return {
    input,
    outputs: [output],
    operations: [
      operation('CONV_2D', input, weights(3, 3, 8, 64), wide, [2, 2, 1, 1, 0, 0, 1, 1, 1]),
      operation('DEPTHWISE_2D', wide, weights(1, 3, 3, 64), next, [1, 1, 1, 1, 1, 1, 1, 1, 1]),
      operation('CONV_2D', next, weights(1, 1, 64, 4), output, [1, 1, 1, 1, 0, 0, 0, 0, 1]),
    ],
    boundary: { input: { type: 'f32' }, outputs: [{ type: 'f32' }] },
  };
};

(own === 'ref' ? describe.skip : describe)('an output over the input that it is made of', () => {
  const network = front();
  const graph = build(network, own, 0);
  const { lives } = readPlan(graph.bytes);
  const [input, output] = ['input', 'output'].map((kind) => lives.find((life) => life.kind === kind));

  test('is as exact as one apart', async () => {
    expect(output?.offset).toBe(input?.offset);
    expect(graph.plan.arena).toBeLessThan(
      (input?.bytes ?? 0) + (output?.bytes ?? 0) + 3 * 18 * 64 * 4 + 12_288,
    );
    expect(await run(graph, network)).toEqual(await run(build(network, own), network));
  });

  /** The graph with its output so many rows of the input further on. */
  const moved = (rows: number): PackedGraph => {
    const bytes = graph.bytes.slice();
    const view = new DataView(bytes.buffer);
    const tensorsAt = HEADER_BYTES + Math.ceil((4 * view.getUint16(16, true)) / 8) * 8;
    const at = tensorsAt + view.getUint16(32, true) * TENSOR_BYTES + 32;
    expect(view.getUint32(at, true)).toBe(output?.offset);
    view.setUint32(at, (output?.offset ?? 0) + rows * 1024, true);
    return { ...graph, bytes };
  };

  // Its first row is made when two rows of the first convolution are there, and the input's row 4 is read next.
  test('may be some rows further on', async () => {
    expect(await run(moved(3), network)).toEqual(await run(graph, network));
  });

  test.each([4, 16, 28])('is refused %i rows further on, where rows are still to be read', async (rows) => {
    await expect(run(moved(rows), network)).rejects.toThrow('status 13');
  });
});

const model = 'models/tf2_mobilenet_v2_1.0_224_ptq.tflite';
const isThere = existsSync(path.join(shared, model));
if (!isThere) console.log(`skipped: ${model} is not there (SMART_ZONE_SHARED)`);

(isThere && own !== 'ref' ? test : test.skip)(
  'MobileNetV2 224 int8 in 256 KiB is the same to the last bit',
  async () => {
    const network = simplify(importTflite(sharedFile(model)));
    const [whole, banded] = [build(network, own), build(network, own, 256 * 1024)];
    expect(whole.plan.arena).toBeLessThanOrEqual(1372 * 1024);
    expect(banded.plan.arena).toBeLessThanOrEqual(256 * 1024);
    expect(banded.bytes.length).toBe(whole.bytes.length - TENSOR_BYTES * depthwiseIn(banded));
    expect(await run(banded, network)).toEqual(await run(whole, network));
  },
);

/** Depthwise convolutions in bands have no scratch of their own. */
const depthwiseIn = ({ bytes }: PackedGraph): number => {
  const { operations, bands } = readPlan(bytes);
  return operations.slice(0, bands).filter((name) => name.startsWith('DEPTHWISE')).length;
};
