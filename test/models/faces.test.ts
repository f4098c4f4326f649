import { existsSync, readFileSync } from 'node:fs';
import { decodePicture, resizePicture } from '../../clients/picture/index.js';
import {
  EngineTool,
  importTflite,
  pack,
  type EngineResult,
  type SealedModel,
} from '../../clients/publisher/index.js';
import { shared } from './shared.js';

const model = 'node_modules/@mediapipe/face_detection/face_detection_short_range.tflite';
const photographs = 'node_modules/@vladmandic/face-api/demo';
const describeWithEngine = existsSync('build/ctest/engine_run') ? describe : describe.skip;
if (describeWithEngine !== describe) console.warn('skipped: faces: build the engine with make -C ta/test');

describeWithEngine('a packed BlazeFace, run by the engine', () => {
  let sealed: SealedModel;
  const find = async (file: string): Promise<readonly EngineResult[]> => {
    const picture = await decodePicture(readFileSync(file));
    const frame = resizePicture(picture, { width: 128, height: 128, channels: 3 }, 'letterbox').data;
    return (await EngineTool.find().infer(sealed.graph, 'u8', frame)).results;
  };

  beforeAll(async () => {
    sealed = await pack(importTflite(new Uint8Array(readFileSync(model))), { name: 'faces' });
  });

  /**
   * Where somebody who looks at the photographs sees faces, as x and y in the letterboxed frame. The model is made for faces near
   * the camera: those that are turned away or small are left out.
   */
  const SEEN: readonly (readonly [string, readonly (readonly [number, number])[]])[] = [
    [
      'sample1.jpg',
      [
        [0.49, 0.45],
        [0.85, 0.32],
        [0.25, 0.41],
      ],
    ],
    ['sample2.jpg', [[0.81, 0.29]]],
    [
      'sample3.jpg',
      [
        [0.63, 0.35],
        [0.37, 0.4],
      ],
    ],
    ['sample4.jpg', [[0.56, 0.28]]],
    ['sample5.jpg', [[0.62, 0.31]]],
    [
      'sample6.jpg',
      [
        [0.82, 0.33],
        [0.19, 0.44],
        [0.68, 0.37],
        [0.4, 0.37],
      ],
    ],
  ];

  test.each(SEEN)('%s: faces are found where they are', async (name, centres) => {
    const results = await find(`${photographs}/${name}`);
    for (const [x, y] of centres) {
      const inside = results.filter(({ box: [x0, y0, x1, y1] }) => x0 < x && x < x1 && y0 < y && y < y1);
      expect(inside).toHaveLength(1);
      expect(inside[0]?.score).toBeGreaterThan(0.5);
    }
  });

  (existsSync(shared) ? test : test.skip)('no face in pictures of a sunflower, a bird, a cat', async () => {
    for (const name of ['sunflower', 'bird', 'cat'])
      expect(await find(`${shared}/images/${name}.bmp`)).toEqual([]);
    expect(await find(`${shared}/images/grace_hopper.bmp`)).toHaveLength(1);
  });

  test('packing refuses without an engine, and says what to do', () => {
    expect(() => EngineTool.find('/nowhere/engine_run')).toThrow(/make -C ta\/test/);
  });
});
