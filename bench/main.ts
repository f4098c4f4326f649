import { Command, InvalidArgumentError } from 'commander';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../agent/package-root.js';
import { importTflite, pack, type PresetName, type SealedModel } from '../clients/publisher/index.js';
import { measureEndToEnd, type EndToEnd } from './e2e.js';

interface BenchModel {
  readonly name: string;
  readonly dtype: string;
  readonly path: string;
  readonly preset: PresetName;
}

const root = packageRoot();
const shared = process.env['SMART_ZONE_SHARED'] ?? join(root, '..', 'shared');
const MODELS: readonly BenchModel[] = [
  {
    name: 'BlazeFace short range 128',
    dtype: 'float32',
    path: join(root, 'node_modules/@mediapipe/face_detection/face_detection_short_range.tflite'),
    preset: 'face-detection-short-range',
  },
  {
    name: 'MobileNetV1 0.25 128',
    dtype: 'int8',
    path: join(shared, 'models/mobilenet_v1_0.25_128_quant.tflite'),
    preset: 'imagenet',
  },
  {
    name: 'MobileNetV2 1.0 224',
    dtype: 'int8',
    path: join(shared, 'models/mobilenet_v2_1.0_224_quant.tflite'),
    preset: 'imagenet',
  },
];

const KIB = 1024;
const fixed = (value: number, digits = 1): string => value.toFixed(digits);

const load = async ({ name, path, preset }: BenchModel): Promise<SealedModel> =>
  pack(importTflite(new Uint8Array(await readFile(path)), path), { name, preset });

/** One object per line and figure: suite, model, dtype, engine, unit, median, min, runs. */
const jsonLines = ({ name, dtype }: BenchModel, result: EndToEnd): object[] => {
  const base = {
    suite: 'e2e',
    model: name,
    dtype,
    engine: 'smart-zone (software TEE, reference kernels)',
    runs: result.frames,
  };
  const { median, min, p99 } = result.latencyMs;
  return [
    { ...base, figure: 'latency', unit: 'ms', median, min, p99 },
    { ...base, figure: 'throughput', unit: 'labels/s', median: result.labelsPerSecond },
    { ...base, figure: 'not inference', unit: 'share', median: result.notInference },
    ...Object.entries(result.stagesMs).map(([stage, ms]) => ({
      ...base,
      figure: `stage: ${stage}`,
      unit: 'ms',
      mean: ms,
    })),
    ...[...result.memory].map(([what, bytes]) => ({
      ...base,
      suite: 'memory',
      figure: what,
      unit: 'bytes',
      median: bytes,
    })),
  ];
};

const table = (
  model: BenchModel,
  { frames, latencyMs, labelsPerSecond, stagesMs, notInference, memory }: EndToEnd,
): string => {
  const kib = (name: string): number => Math.round((memory.get(name) ?? 0) / KIB);
  const stages = Object.entries(stagesMs).map(([stage, ms]) => `${stage} ${fixed(ms, 2)}`);
  return [
    `${model.name} ${model.dtype}, ${frames} frames`,
    `  frame → label      median ${fixed(latencyMs.median)} ms, min ${fixed(latencyMs.min)}, p99 ${fixed(latencyMs.p99)}`,
    `  labels per second  ${fixed(labelsPerSecond, 0)} (8 frames under way)`,
    `  stages, mean ms    ${stages.join(', ')}`,
    `  not inference      ${fixed(100 * notInference, 0)} % of the median latency`,
    `  secure memory      ${kib('image') + kib('stack_peak') + kib('heap_peak')} KiB at its peak: code and data ${kib('image')}, ` +
      `stack ${kib('stack_peak')}, heap ${kib('heap_peak')} of ${kib('heap_size')} (model ${kib('model')}, of it arena ${kib('arena')})`,
  ].join('\n');
};

const count = (text: string): number => {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('a whole number from 1');
  return value;
};

const options = new Command('npm run bench --')
  .description('Measures the whole path, sensor to rules host, on this machine.')
  .option('--frames <n>', 'frames of each measurement', count, 200)
  .option('--json', 'one JSON object per line')
  .parse()
  .opts<{ frames: number; json?: boolean }>();

if (!options.json)
  console.log(`${cpus()[0]?.model ?? 'unknown processor'}, Node ${process.version}, software TEE\n`);
for (const model of MODELS) {
  if (!existsSync(model.path)) {
    console.error(`${model.name}: not measured, ${model.path} is missing (set SMART_ZONE_SHARED)`);
    continue;
  }
  const result = await measureEndToEnd(await load(model), options.frames);
  if (options.json) for (const line of jsonLines(model, result)) console.log(JSON.stringify(line));
  else console.log(`${table(model, result)}\n`);
}
