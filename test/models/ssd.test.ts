import { existsSync, readFileSync } from 'node:fs';
import { decodePicture, resizePicture } from '../../clients/picture/index.js';
import {
  EngineTool,
  importTflite,
  memoryOf,
  pack,
  readLayers,
  readModelFile,
  residencyWithin,
  unpackAssets,
  type EngineResult,
  SSD_MOBILENET_RESULTS,
  type Network,
  type SealedModel,
} from '../../clients/publisher/index.js';
import type { ReferenceModel } from '../../clients/publisher/reference/reference.js';
import { openTflite } from '../../clients/publisher/reference/tflite-runtime.js';
import { runInTa } from './in-ta.js';
import { shared } from './shared.js';
import { boxOverlap, readSsd } from './ssd-reference.js';

const folder = 'node_modules/@mediapipe/objectron';
const model = `${folder}/objectron_solution_packed_assets.data`;
const photographs = 'node_modules/@vladmandic/face-api/demo';
const describeWithEngine = existsSync('build/ctest/engine_run') ? describe : describe.skip;
if (describeWithEngine !== describe) console.warn('skipped: SSD: build the engine with make -C ta/test');

describeWithEngine('SSD-MobileNetV2, run by the engine', () => {
  let network: Network;
  let sealed: SealedModel;
  let reference: ReferenceModel;

  beforeAll(async () => {
    const bytes = readModelFile(model);
    network = importTflite(bytes, model);
    sealed = await pack(network, {
      name: 'objects',
      target: EngineTool.find().target(),
      arena: 0,
    });
    reference = await openTflite(bytes, model);
  });

  const frameOf = async (file: string): Promise<Uint8Array> => {
    const picture = await decodePicture(readFileSync(file));
    return resizePicture(picture, { width: 300, height: 300, channels: 3 }, 'crop').data;
  };

  const find = async (frame: Uint8Array, model = sealed): Promise<readonly EngineResult[]> =>
    (await EngineTool.find().infer(model.graph, 'u8', frame)).results;

  const names = (results: readonly EngineResult[]): string =>
    results.map((result) => `${sealed.header.labels[result.class]} ${result.score.toFixed(2)}`).join(', ');

  test('its labels are those of the label map beside it', () => {
    const loader = readFileSync(`${folder}/objectron_solution_packed_assets_loader.js`, 'utf8');
    const assets = unpackAssets(new Uint8Array(readFileSync(model)), loader, model);
    const map = new TextDecoder()
      .decode(assets.get('/object_detection_oidv4_labelmap.txt'))
      .trim()
      .split('\n');
    expect(map).toEqual(['???', ...sealed.header.labels]);
  });

  const pictures = [
    ...[1, 2, 3, 4, 5, 6].map((i) => `${photographs}/sample${i}.jpg`),
    ...(existsSync(shared)
      ? ['bird', 'cat', 'grace_hopper', 'sunflower'].map((name) => `${shared}/images/${name}.bmp`)
      : []),
  ];

  describe('with weak detections too', () => {
    const minScore = 0.2;
    let weak: SealedModel;

    beforeAll(async () => {
      const results = { ...SSD_MOBILENET_RESULTS, minScore };
      weak = await pack(network, { name: 'objects', target: sealed.target, results });
    });

    test.each(pictures)('%s: the same as TensorFlow Lite and a decoder of its own', async (file) => {
      const frame = await frameOf(file);
      const input = Float32Array.from(frame, (value) => value / 127.5 - 1);
      const [boxes, scores] = await reference.run(new Uint8Array(input.buffer));
      const expected = readSsd(Array.from(boxes ?? []), Array.from(scores ?? []), { minScore });
      const actual = await find(frame, weak);
      process.stdout.write(`${file.split('/').pop()} | ${names(actual)}\n`);
      expect(actual.map((result) => result.class)).toEqual(expected.map((result) => result.class));
      for (const [i, result] of actual.entries()) {
        const other = expected[i];
        expect(Math.abs(result.score - (other?.score ?? NaN))).toBeLessThan(1e-4);
        expect(boxOverlap(result.box, other?.box ?? [0, 0, 0, 0])).toBeGreaterThan(0.999);
      }
    });
  });

  test('in the TA, in the 8 MiB of a Raspberry Pi 3: the same, with weights streamed', async () => {
    const frames = await Promise.all([1, 4].map((i) => frameOf(`${photographs}/sample${i}.jpg`)));
    const weak = await pack(network, {
      name: 'objects',
      target: sealed.target,
      arena: 0,
      results: { ...SSD_MOBILENET_RESULTS, minScore: 0.2 },
    });
    const run = await runInTa(weak, frames, 7168);
    process.stdout.write(
      `in the TA: ${(run.heapPeak / 1024).toFixed(0)} KiB of heap, ${(run.streamed / 2 ** 20).toFixed(1)} MiB streamed a frame\n`,
    );
    expect(run.heapPeak).toBeLessThanOrEqual(7168 * 1024);
    // What `inspect --budget 8MiB` says of it.
    const { graph, segments, header } = weak;
    const outputs = 1917 * (4 + 24) * 4;
    const memory = {
      graph: readLayers(graph.bytes),
      arena: graph.plan.arena,
      header: segments[0]!.length,
      outputs,
    };
    const { streamed, resident } = residencyWithin(memory, 8 * 1024 * 1024)!;
    expect(Math.abs(streamed - run.streamed)).toBeLessThan(512 * 1024);
    expect(streamed + resident).toBe(memory.graph.segmentBytes.reduce((a, b) => a + b, 0));
    expect(memoryOf(memory).least).toBeCloseTo(weak.memory, -3);
    expect(residencyWithin(memory, memoryOf(memory).least)).toBeUndefined();
    expect(residencyWithin(memory, 32 * 1024 * 1024)).toMatchObject({ streamed: 0 });
    expect(header.results).toEqual({ kind: 2, most: 16 });
    for (const [i, frame] of frames.entries()) {
      const expected = await find(frame, weak);
      expect(expected.length).toBeGreaterThan(0);
      const results = run.results[i];
      if (results?.kind !== 'detections') throw new Error('no detections');
      expect(results.detections.map(({ index }) => index)).toEqual(expected.map((result) => result.class));
      for (const [k, { score, box }] of results.detections.entries()) {
        expect(score).toBeCloseTo(expected[k]?.score ?? NaN, 3);
        const [x, y] = expected[k]?.box ?? [];
        expect(box.x).toBeCloseTo(x ?? NaN, 2);
        expect(box.y).toBeCloseTo(y ?? NaN, 2);
      }
    }
  });

  const seen: [string, string | undefined][] = [
    ['cat', 'Cat'],
    ['grace_hopper', 'Person'],
    ['bird', undefined],
    ['sunflower', undefined],
  ];
  (existsSync(shared) ? test.each(seen) : test.skip.each(seen))('%s.bmp: %s', async (name, label) => {
    const [best] = await find(await frameOf(`${shared}/images/${name}.bmp`));
    expect(best && sealed.header.labels[best.class]).toBe(label);
  });
});
