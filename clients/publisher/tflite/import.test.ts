import { readFileSync } from 'node:fs';
import { SmartZoneError } from '../../../protocol/errors.js';
import {
  buildTflite,
  bytes,
  floats,
  ints,
  Type,
  type ModelSpec,
} from '../../../test/models/tflite-builder.js';
import { ModelImportError } from '../import-error.js';
import { importTflite } from './import.js';

const real = new Uint8Array(
  readFileSync('node_modules/@mediapipe/face_detection/face_detection_short_range.tflite'),
);

/** The problems of an import that must fail. */
const problemsOf = (file: Uint8Array): readonly string[] => {
  try {
    importTflite(file, 'test.tflite');
  } catch (error) {
    if (error instanceof ModelImportError) return error.problems;
    throw error;
  }
  throw new Error('the import succeeded');
};

const relu = (shape: readonly number[], rest: Partial<ModelSpec> = {}): ModelSpec => ({
  tensors: [{ shape }, { shape }],
  operators: [{ name: 'RELU', inputs: [0], outputs: [1] }],
  inputs: [0],
  outputs: [1],
  ...rest,
});

describe('what cannot be imported', () => {
  test('every unsupported operator is named with its position, in one run', () => {
    const spec: ModelSpec = {
      tensors: [
        { shape: [1, 4] },
        { shape: [1, 4] },
        { shape: [1, 4] },
        { shape: [1, 4] },
        { shape: [1, 4] },
      ],
      operators: [
        { name: 'FLOOR', inputs: [0], outputs: [1] },
        { name: 'RELU', inputs: [1], outputs: [2] },
        { name: 'CUSTOM', inputs: [2], outputs: [3], customName: 'MyOperator' },
        { name: 'EXP', inputs: [3], outputs: [4] },
      ],
      inputs: [0],
      outputs: [4],
    };
    expect(problemsOf(buildTflite(spec))).toEqual([
      'operator #0 FLOOR is not supported',
      'operator #2 CUSTOM MyOperator is not supported',
      'operator #3 EXP is not supported',
    ]);
  });

  test('a real model with sparse weights: the operator that makes them dense, each time, and nothing that follows from it', () => {
    const file = 'node_modules/@mediapipe/face_detection/face_detection_full_range_sparse.tflite';
    const problems = problemsOf(new Uint8Array(readFileSync(file)));
    expect(problems.filter((problem) => problem.endsWith('DENSIFY is not supported'))).toHaveLength(46);
    expect(problems.filter((problem) => problem.includes('DEPTH_TO_SPACE'))).toHaveLength(2);
    expect(problems).toHaveLength(48);
  });

  test('the error has the common code and names the file', () => {
    expect.assertions(3);
    try {
      importTflite(Uint8Array.of(1, 2, 3), 'mine.tflite');
    } catch (error) {
      expect(error).toBeInstanceOf(SmartZoneError);
      expect((error as SmartZoneError).code).toBe('MODEL_IMPORT');
      expect((error as SmartZoneError).message).toContain('mine.tflite');
    }
  });

  test('shapes that are not known', () => {
    const dynamic = { shape: [1, 1, 4], signature: [1, -1, 4] };
    expect(
      problemsOf(buildTflite(relu([1, 1, 4], { tensors: [dynamic, { shape: [1, 1, 4] }] }))).join(),
    ).toMatch(/dynamic shape \[1, -1, 4\]/);
  });

  test('a batch that may vary is taken as 1', () => {
    const batch = { shape: [1, 4], signature: [-1, 4] };
    expect(importTflite(buildTflite(relu([1, 4], { tensors: [batch, batch] }))).input.dims).toEqual([1, 4]);
  });

  test('absurd shapes', () => {
    expect(problemsOf(buildTflite(relu([1, 2 ** 31 - 1, 2 ** 31 - 1]))).join()).toMatch(/elements/);
    expect(problemsOf(buildTflite(relu([1, 0, 4]))).join()).toMatch(/empty/);
    expect(problemsOf(buildTflite(relu([1, 2, 2, 2, 2]))).join()).toMatch(/5 dimensions/);
  });

  test('cycles and tensors that are written twice', () => {
    const tensors = [{ shape: [1, 4] }, { shape: [1, 4] }, { shape: [1, 4] }];
    const cyclic = relu([1, 4], {
      tensors,
      operators: [
        { name: 'ADD', inputs: [0, 2], outputs: [1] },
        { name: 'RELU', inputs: [1], outputs: [2] },
      ],
      outputs: [2],
    });
    expect(problemsOf(buildTflite(cyclic)).join()).toMatch(/#0 ADD reads tensor-2 before it is computed/);
    const twice = relu([1, 4], {
      tensors,
      operators: [
        { name: 'RELU', inputs: [0], outputs: [1] },
        { name: 'TANH', inputs: [0], outputs: [1] },
      ],
    });
    expect(problemsOf(buildTflite(twice)).join()).toMatch(
      /#1 TANH writes tensor-1, which has a value already/,
    );
  });

  test('outputs whose shape does not follow from the inputs', () => {
    const wrong = relu([1, 4, 4, 1], {
      tensors: [{ shape: [1, 4, 4, 1] }, { shape: [1, 4, 4, 1] }],
      operators: [
        {
          name: 'MAX_POOL_2D',
          inputs: [0],
          outputs: [1],
          options: [
            [0, 'i8', 1],
            [1, 'i32', 2],
            [2, 'i32', 2],
            [3, 'i32', 2],
            [4, 'i32', 2],
          ],
        },
      ],
    });
    expect(problemsOf(buildTflite(wrong)).join()).toMatch(/should give 2 elements, the file says 4/);
  });

  test('constants that are shorter than their shape says', () => {
    const short = { shape: [8], data: floats([1, 2]) };
    const spec = relu([1, 8], {
      tensors: [{ shape: [1, 8] }, { shape: [1, 8] }, short],
      operators: [{ name: 'ADD', inputs: [0, 2], outputs: [1] }],
    });
    expect(problemsOf(buildTflite(spec)).join()).toMatch(/needs 32 bytes, its buffer has 8/);
  });
});

describe('damaged files', () => {
  test('cut off anywhere', () => {
    for (let length = 0; length < real.length; length += 4099)
      expect(problemsOf(real.subarray(0, length)).length).toBeGreaterThan(0);
  });

  test('options of an operator that lie outside the file', () => {
    // Found by test/models/damaged-models.test.ts: this offset is that of an ADD's options.
    const damaged = Buffer.from(real);
    damaged.writeUInt32LE(0x7fff, 211_912);
    expect(problemsOf(damaged)).toEqual([
      expect.stringMatching(/^operator #\d+ ADD damaged: byte \d+ \+ 1 is outside the file/),
    ]);
  });

  test('with any byte changed: one clear error, or a network', () => {
    let state = 12345;
    const next = (most: number): number => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return (state >>> 8) % most;
    };
    // The structure is at both ends: weights in between take any value.
    let refused = 0;
    for (let round = 0; round < 400; round++) {
      const damaged = Uint8Array.from(real);
      for (let i = 0; i <= next(3); i++) {
        const at = next(2) === 0 ? next(2048) : real.length - 1 - next(40_000);
        damaged[at] = next(256);
      }
      try {
        importTflite(damaged, 'damaged');
      } catch (error) {
        expect(error).toBeInstanceOf(ModelImportError);
        refused++;
      }
    }
    expect(refused).toBeGreaterThan(100);
  });
});

describe('what is changed on the way', () => {
  const legacy = (type: number, zeroPoint: number): ModelSpec => ({
    tensors: [
      { shape: [1, 2], type, scales: [0.5], zeroPoints: [zeroPoint] },
      { shape: [1, 3], type, scales: [0.25], zeroPoints: [zeroPoint] },
      {
        shape: [3, 2],
        type,
        scales: [0.125],
        zeroPoints: [zeroPoint],
        data: bytes([0, 1, 127, 128, 200, 255]),
      },
      { shape: [3], type: Type.INT32, data: ints([1, -2, 3]) },
    ],
    operators: [{ name: 'FULLY_CONNECTED', inputs: [0, 2, 3], outputs: [1] }],
    inputs: [0],
    outputs: [1],
  });

  test('legacy uint8 becomes int8 without loss', () => {
    const { input, outputs, operations, boundary } = importTflite(buildTflite(legacy(Type.UINT8, 120)));
    expect(input).toMatchObject({ dtype: 'i8', quantisation: { scale: 0.5, zeroPoint: -8 } });
    expect(outputs[0]?.quantisation).toEqual({ scale: 0.25, zeroPoint: -8 });
    const [, weights, bias, factors] = operations[0]?.inputs ?? [];
    expect(weights?.quantisation).toEqual({ scale: 0.125, zeroPoint: -8 });
    expect([...(weights?.data ?? [])]).toEqual([-128, -127, -1, 0, 72, 127]);
    expect([...(bias?.data ?? [])]).toEqual([1, -2, 3]);
    expect([...(factors?.data ?? [])]).toEqual([0.25, 0.25, 0.25]);
    expect(boundary.input).toEqual({ type: 'u8', quantisation: { scale: 0.5, zeroPoint: 120 } });
  });

  test('requantisation factors are float32 at every step', () => {
    const spec = legacy(Type.INT8, 0);
    const tensors = spec.tensors.map((tensor, i) => ({
      ...tensor,
      ...(i < 3 ? { scales: [[0.1, 0.3, 0.7][i] ?? 1] } : {}),
    }));
    const { operations } = importTflite(buildTflite({ ...spec, tensors }));
    const [f1, f3, f7] = [0.1, 0.3, 0.7].map(Math.fround) as [number, number, number];
    expect(operations[0]?.inputs[3]?.data?.[0]).toBe(Math.fround(Math.fround(f1 * f7) / f3));
  });

  test('weights of 16 bits are expanded exactly', () => {
    const halves = [0x3c00, 0xc000, 0x3555, 0x0001, 0x7bff, 0x8000];
    const spec: ModelSpec = {
      tensors: [
        { shape: [1, 6] },
        { shape: [6], type: Type.FLOAT16, data: new Uint8Array(Uint16Array.from(halves).buffer) },
        { shape: [6] },
        { shape: [1, 6] },
      ],
      operators: [
        { name: 'DEQUANTIZE', inputs: [1], outputs: [2] },
        { name: 'MUL', inputs: [0, 2], outputs: [3] },
      ],
      inputs: [0],
      outputs: [3],
    };
    const { operations } = importTflite(buildTflite(spec));
    expect(operations).toHaveLength(1);
    expect([...(operations[0]?.inputs[1]?.data ?? [])]).toEqual([1, -2, 0.333251953125, 2 ** -24, 65504, -0]);
  });
});
