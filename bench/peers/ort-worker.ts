/**
 * onnxruntime-node on one thread, as a worker of the bench (bench/native/worker.h):
 *
 *     node ort-worker.js PACKAGE MODEL INPUT
 *
 * PACKAGE is the package.json beside whose node_modules the runtime is installed; INPUT the input tensor, NCHW, as it is.
 */
import { readFile, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import type { OnnxRuntime } from './onnxruntime.js';

const [packageJson = '', model = '', inputPath = ''] = process.argv.slice(2);
const ort = createRequire(packageJson)('onnxruntime-node') as OnnxRuntime;
const session = await ort.InferenceSession.create(model, {
  executionProviders: ['cpu'],
  graphOptimizationLevel: 'all',
  intraOpNumThreads: 1,
  interOpNumThreads: 1,
  executionMode: 'sequential',
});
const [metadata] = session.inputMetadata;
if (metadata?.isTensor !== true) throw new Error('the model has no input');
const bytes = await readFile(inputPath);
const buffer = bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length);
const dims = metadata.shape.map(Number);
const input =
  metadata.type === 'float32'
    ? new ort.Tensor('float32', new Float32Array(buffer), dims)
    : new ort.Tensor('uint8', new Uint8Array(buffer), dims);
let output: ArrayBufferView = new Uint8Array(0);

const infer = async (): Promise<number> => {
  const start = performance.now();
  const results = await session.run({ input });
  const ms = performance.now() - start;
  const tensor = results['output'];
  if (tensor === undefined) throw new Error('the model has no output');
  output = tensor.data;
  return ms;
};

console.log('ready');
for await (const line of createInterface(process.stdin)) {
  const [command, value = ''] = line.split(' ');
  if (command === 'run') {
    const times: string[] = [];
    for (let i = 0; i < Number(value); i += 1) times.push((await infer()).toFixed(5));
    console.log(`times ${times.join(' ')}`);
  } else if (command === 'output') {
    await writeFile(value, new Uint8Array(output.buffer, output.byteOffset, output.byteLength));
    console.log('written');
  } else throw new Error(`unknown command ${line}`);
}
