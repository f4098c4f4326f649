/* YOLO's detections out of the engine's head and out of the TA, against values of ONNX Runtime read by a decoder of the test's own. */
import { existsSync } from 'node:fs';
import {
  EngineTool,
  importDarknet,
  noiseFrame,
  pack,
  type EngineResult,
} from '../../clients/publisher/index.js';
import { readEdges } from '../../clients/publisher/read-edges.js';
import { resultsOfOutputs } from '../../clients/publisher/read-outputs.js';
import { inOnnxRuntime } from './darknet-compare.js';
import type { DarknetNet } from './darknet-net.js';
import {
  REGION_ANCHORS,
  smallYolo,
  TINY_ANCHORS,
  yoloV2Like,
  yoloV3Tiny,
  yoloV4Tiny,
} from './darknet-nets.js';
import { runInTa } from './in-ta.js';
import { readYolo, type YoloMap } from './yolo-reference.js';

const pairs = (
  anchors: readonly number[],
  mask: readonly number[],
  unit: readonly [number, number] = [1, 1],
): [number, number][] =>
  mask.map((i) => [(anchors[2 * i] ?? 0) * unit[0], (anchors[2 * i + 1] ?? 0) * unit[1]]);

interface Detector {
  readonly net: () => DarknetNet;
  readonly width: number;
  readonly height: number;
  readonly classes: number;
  readonly softmax?: boolean;
  readonly minScore: number;
  readonly maps: readonly YoloMap[];
}

const SMALL_ANCHORS = [4, 6, 12, 9, 20, 28];
const DETECTORS: Record<string, Detector> = {
  'YOLOv3-tiny': {
    net: () => yoloV3Tiny(96, 6),
    width: 96,
    height: 96,
    classes: 6,
    minScore: 0.65,
    maps: [
      { columns: 3, rows: 3, anchors: pairs(TINY_ANCHORS, [3, 4, 5]) },
      { columns: 6, rows: 6, anchors: pairs(TINY_ANCHORS, [0, 1, 2]) },
    ],
  },
  'YOLOv4-tiny': {
    net: () => yoloV4Tiny(96, 80),
    width: 96,
    height: 96,
    classes: 80,
    minScore: 0.6,
    maps: [
      { columns: 3, rows: 3, anchors: pairs(TINY_ANCHORS, [3, 4, 5]), scaleXy: 1.05 },
      { columns: 6, rows: 6, anchors: pairs(TINY_ANCHORS, [1, 2, 3]), scaleXy: 1.05 },
    ],
  },
  'as YOLOv2': {
    net: () => yoloV2Like(96, 64, 4),
    width: 96,
    height: 64,
    classes: 4,
    softmax: true,
    minScore: 0.5,
    maps: [{ columns: 6, rows: 4, anchors: pairs(REGION_ANCHORS, [0, 1, 2, 3, 4], [16, 16]) }],
  },
  'a small one, not square': {
    net: () => smallYolo(),
    width: 48,
    height: 32,
    classes: 3,
    minScore: 0.3,
    maps: [
      { columns: 6, rows: 4, anchors: pairs(SMALL_ANCHORS, [1, 2]) },
      { columns: 12, rows: 8, anchors: pairs(SMALL_ANCHORS, [0]), scaleXy: 1.1 },
    ],
  },
};

const expectSame = (actual: readonly EngineResult[], expected: readonly EngineResult[]): void => {
  expect(actual.map((result) => result.class)).toEqual(expected.map((result) => result.class));
  for (const [i, { score, box }] of actual.entries()) {
    expect(score).toBeCloseTo(expected[i]?.score ?? NaN, 4);
    for (const [k, side] of box.entries()) {
      const other = expected[i]?.box[k] ?? NaN;
      expect(Math.abs(side - other)).toBeLessThan(1e-4 * (1 + Math.abs(other)));
    }
  }
};

const describeWithEngine = existsSync('build/ctest/engine_run') ? describe : describe.skip;
if (describeWithEngine !== describe) console.warn('skipped: YOLO: build the engine with make -C ta/test');

describeWithEngine('YOLO', () => {
  test.each(Object.entries(DETECTORS))(
    '%s: the same boxes',
    async (name, { net, maps, minScore, ...rest }) => {
      const written = net();
      const network = importDarknet(written.cfg, written.weights(), name);
      const { results } = network.purpose ?? {};
      if (results?.kind !== 'cells') throw new Error('no cells');
      const engine = EngineTool.find();
      const options = {
        name,
        target: engine.target(),
        format: 'f32',
        results: { ...results, minScore },
      } as const;
      const { graph } = await pack(network, options);
      const frame = noiseFrame({ format: 'f32', dims: network.input.dims });
      const actual = await engine.infer(graph, 'f32', frame);
      const values = await inOnnxRuntime(written, network, frame);
      const { results: expected, candidates } = readYolo(values, maps, { ...rest, minScore });
      process.stdout.write(`${name}: ${candidates} candidates, ${expected.length} results\n`);
      expect(candidates).toBeGreaterThan(expected.length);
      expect(candidates).toBeLessThan(256);
      expect(expected.length).toBeGreaterThan(2);
      expectSame(actual.results, expected);
      // What \`smart-zone model verify\` compares labels with reads the same.
      expectSame(resultsOfOutputs(readEdges(graph.bytes, graph.segments).head, [values], []), expected);
    },
  );

  test('in the TA, from a picture: labels of detections', async () => {
    const written = smallYolo();
    const network = importDarknet(written.cfg, written.weights(), 'small.cfg');
    const model = await pack(network, {
      name: 'small',
      target: EngineTool.find().target(),
      labels: ['a', 'b', 'c'],
    });
    expect(model.header.input).toEqual({ format: 'u8', dims: [32, 48, 3] });
    const frames = [1, 2].map((seed) => noiseFrame(model.header.input, seed));
    const run = await runInTa(model, frames);
    for (const [i, frame] of frames.entries()) {
      // 0..1 for each channel.
      const reals = Float32Array.from(frame, (value) => value / 255);
      const values = await inOnnxRuntime(written, network, new Uint8Array(reals.buffer));
      const { maps, ...rest } = DETECTORS['a small one, not square'] ?? {
        maps: [],
        width: 0,
        height: 0,
        classes: 0,
      };
      const { results: expected } = readYolo(values, maps, { ...rest, minScore: 0.25 });
      const results = run.results[i];
      if (results?.kind !== 'detections') throw new Error('no detections');
      expect(results.detections.length).toBeGreaterThan(2);
      expect(results.detections.map(({ index }) => index)).toEqual(expected.map((result) => result.class));
      for (const [k, { score, box }] of results.detections.entries()) {
        expect(score).toBeCloseTo(expected[k]?.score ?? NaN, 3);
        const [x0, y0, x1, y1] = expected[k]?.box ?? [];
        for (const [a, b] of [
          [box.x, x0],
          [box.y, y0],
          [box.width, (x1 ?? NaN) - (x0 ?? NaN)],
          [box.height, (y1 ?? NaN) - (y0 ?? NaN)],
        ] as const)
          expect(a).toBeCloseTo(b ?? NaN, 2);
      }
    }
  });
});
