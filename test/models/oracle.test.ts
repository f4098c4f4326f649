import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { decodePicture, resizePicture, type Picture } from '../../clients/picture/index.js';
import { EngineTool, noiseFrame, planGraph } from '../../clients/publisher/index.js';
import { CASES, type Case } from './cases.js';
import {
  bestTwo,
  greatestDifference,
  importModel,
  magnitude,
  originalInput,
  runEngine,
  type Imported,
} from './comparison.js';
import { describeWithOracle, loadOracle, runOracle, shared, sharedFile, type Oracle } from './shared.js';

/** int8: units of the output, bit-exact. float32: relative to the greatest output value. */
const MOST_UNITS = 0;
const MOST_RELATIVE = 1e-5;

const print = (line: string): boolean => process.stdout.write(`${line}\n`);
const names = (folder: string, suffix: string): string[] =>
  readdirSync(path.join(shared, folder)).filter((name) => name.endsWith(suffix));

describeWithOracle('every model agrees with TFLite', () => {
  const ties: string[] = [];
  const pictures = new Map<string, Picture>();

  beforeAll(async () => {
    for (const name of names('images', '.bmp'))
      pictures.set(name, await decodePicture(sharedFile(`images/${name}`)));
    print('model | input | runs | top-1 equal | greatest difference | arena KiB (bound) | weights KiB');
  });

  afterAll(() => {
    for (const tie of ties) print(`tie: ${tie}`);
  });

  test('the list of models is complete', () => {
    expect(CASES.map(({ file }) => file).sort()).toEqual(names('models', '.tflite').sort());
    expect(pictures.size).toBeGreaterThanOrEqual(6);
  });

  /** Frames that a model is compared on, as [what, frame in the format]. */
  const framesFor = async (test: Case, { network }: Imported): Promise<[string, Uint8Array][]> => {
    const [, height = 1, width = 1, channels = 1] = network.input.dims;
    if (test.pixels !== undefined) {
      const shape = { width, height, channels: channels === 1 ? 1 : 3 } as const;
      return [...pictures].map(([name, picture]) => [name, resizePicture(picture, shape).data]);
    }
    if (test.file === 'mobilenet_quant_v1_224_head_layers.tflite') return embeddings();
    const { dims, dtype } = network.input;
    const format = dtype === 'i8' ? 'i8' : 'f32';
    return [1, 2, 3, 4].map((seed) => [`noise ${seed}`, noiseFrame({ format, dims }, seed)]);
  };

  /** The head layers take what the extractor gives; the extractor's own comparison is another case. */
  const embeddings = async (): Promise<[string, Uint8Array][]> => {
    const file = 'mobilenet_v1_1.0_224_quant_embedding_extractor.tflite';
    const oracle = await loadOracle(sharedFile(`models/${file}`));
    return [...pictures].map(([name, picture]) => {
      const frame = resizePicture(picture, { width: 224, height: 224, channels: 3 }).data;
      const [embedding = []] = runOracle(oracle, frame);
      return [name, Uint8Array.from(embedding, (value) => value ^ 0x80)];
    });
  };

  /** The frame as the oracle's input tensor. */
  const oracleInput = (test: Case, imported: Imported, frame: Uint8Array): Uint8Array => {
    if (test.pixels !== undefined) return originalInput(frame, imported);
    return imported.network.boundary.input.type === 'u8' ? frame.map((value) => value ^ 0x80) : frame;
  };

  const targets = [...new Set(['ref', EngineTool.find().target()] as const)];
  const cases = CASES.flatMap((testCase) => targets.map((target) => ({ ...testCase, target })));
  test.each(cases)('$file, $target', async (testCase) => {
    const { file, pixels, vector, patch, target } = testCase;
    const bytes = sharedFile(`models/${file}`);
    const imported = importModel(bytes, file, pixels, target);
    const oracle: Oracle = await loadOracle(patch ? patch(bytes) : bytes);
    const { input, outputs } = imported.network.boundary;
    const format = pixels !== undefined ? 'u8' : imported.network.input.dtype === 'i8' ? 'i8' : 'f32';
    const frames = await framesFor(testCase, imported);
    let worst = 0;
    let equal = 0;
    for (const [what, frame] of frames) {
      const expected = runOracle(oracle, oracleInput(testCase, imported, frame));
      const actual = await runEngine(imported, format, frame);
      expect(actual).toHaveLength(expected.length);
      for (const [i, values] of actual.entries()) {
        const reference = expected[i] ?? [];
        const difference = greatestDifference(values, reference);
        const quantised = outputs[i]?.type !== 'f32';
        worst = Math.max(worst, quantised ? difference : difference / magnitude(reference));
        expect(worst).toBeLessThanOrEqual(quantised ? MOST_UNITS : MOST_RELATIVE);
        if (vector) continue;
        const { best, margin } = bestTwo(reference);
        const { best: ours } = bestTwo(values);
        const quantum = quantised ? 1 : 0;
        if (ours === best) equal++;
        else ties.push(`${file} ${what}: ${best} there, ${ours} here, margin ${margin}`);
        expect(ours === best || margin <= quantum).toBe(true);
      }
    }
    const plan = planGraph(imported.network);
    const kib = (size: number): string => (size / 1024).toFixed(1);
    const unit = outputs[0]?.type === 'f32' ? `${worst.toExponential(1)} relative` : `${worst} units`;
    const agreement = vector ? 'vector' : `${equal}/${frames.length}`;
    const memory = `${kib(plan.arena)} (${kib(plan.lowerBound)}) | ${kib(plan.weights)}`;
    print(
      `${file}, ${target} | ${input.type} [${imported.network.input.dims.join(',')}] | ${frames.length} | ${agreement} | ${unit} | ${memory}`,
    );
  });
});

describeWithOracle('a dynamic-range model', () => {
  test('is computed in float here, and close to what TFLite makes of it with 8-bit activations', async () => {
    const file = 'kws_ref_model_float32.tflite';
    const bytes = sharedFile(`models/${file}`);
    const imported = importModel(bytes, file);
    const oracle = await loadOracle(bytes);
    for (const seed of [1, 2, 3, 4]) {
      const frame = noiseFrame({ format: 'f32', dims: imported.network.input.dims }, seed);
      const [expected = []] = runOracle(oracle, frame);
      const [actual = []] = await runEngine(imported, 'f32', frame);
      expect(bestTwo(actual).best).toBe(bestTwo(expected).best);
      expect(greatestDifference(actual, expected)).toBeLessThan(0.05);
    }
  });
});

describeWithOracle('BlazeFace agrees with TFLite', () => {
  test.each([
    ['face_detection_short_range.tflite', 128],
    ['face_detection_full_range.tflite', 192],
  ])('%s: raw outputs within 1e-4 of the greatest value', async (file, side) => {
    const bytes = new Uint8Array(readFileSync(`node_modules/@mediapipe/face_detection/${file}`));
    const imported = importModel(bytes, file, 'signed');
    const oracle = await loadOracle(bytes);
    for (const name of ['sample1.jpg', 'sample3.jpg', 'sample6.jpg']) {
      const picture = await decodePicture(readFileSync(`node_modules/@vladmandic/face-api/demo/${name}`));
      const frame = resizePicture(picture, { width: side, height: side, channels: 3 }, 'letterbox').data;
      const expected = runOracle(oracle, originalInput(frame, imported));
      const actual = await runEngine(imported, 'u8', frame);
      const relative = actual.map((values, i) => {
        const reference = expected[i] ?? [];
        return greatestDifference(values, reference) / magnitude(reference);
      });
      print(`${file} ${name} | ${relative.map((value) => value.toExponential(1)).join(', ')} relative`);
      expect(Math.max(...relative)).toBeLessThan(1e-4);
    }
  });
});
