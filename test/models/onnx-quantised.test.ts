/*
 * Operators between QuantizeLinear and DequantizeLinear: int8 in the engine, within one unit of the last place of what ONNX Runtime
 * computes, and nothing dequantised on the way.
 */
import { existsSync } from 'node:fs';
import { greatestDifference } from './comparison.js';
import { inBoth } from './onnx-engine.js';
import { Graph, type Rounding } from './onnx-graph-builder.js';

const INPUT: Rounding = { scale: 1 / 100, zero: 121 };
const SIGNED: Rounding = { scale: 1 / 110, zero: -5, type: 'int8' };

type Case = readonly [
  what: string,
  input: readonly number[],
  output: readonly number[],
  /** Of its output: one unit of difference is one of these. */
  last: Rounding,
  /** From the rounded input to the value that is rounded last. */
  build: (g: Graph, x: string) => string,
  first?: Rounding,
];

const PICTURE = [1, 4, 7, 6];

const CASES: readonly Case[] = [
  [
    'convolution with ReLU, scales per channel',
    PICTURE,
    [1, 6, 7, 6],
    { scale: 0.03, zero: 0 },
    (g, x) => {
      const y = g.node('Conv', [x, g.quantisedWeights([6, 4, 3, 3], 0)], { pads: [1, 1, 1, 1] });
      return g.node('Relu', [y]);
    },
  ],
  [
    'convolution of int8 with one scale, and its bias',
    PICTURE,
    [1, 6, 3, 3],
    { scale: 0.04, zero: 10, type: 'int8' },
    (g, x) =>
      g.node('Conv', [x, g.quantisedWeights([6, 4, 3, 3]), g.weights(6)], {
        strides: [2, 2],
        pads: [0, 0, 1, 1],
      }),
    SIGNED,
  ],
  [
    'depthwise, weights of uint8 with a zero point',
    PICTURE,
    [1, 4, 7, 6],
    { scale: 0.03, zero: 130 },
    (g, x) =>
      g.node('Conv', [x, g.quantisedWeights([4, 1, 3, 3], undefined, 'uint8', 117)], {
        pads: [1, 1, 1, 1],
        group: 4,
      }),
  ],
  [
    'flattened, and a matrix with scales per row',
    PICTURE,
    [1, 9],
    { scale: 0.07, zero: 120 },
    (g, x) =>
      g.node('Gemm', [g.node('Flatten', [x]), g.quantisedWeights([9, 168], 0), g.weights(9)], { transB: 1 }),
  ],
  [
    'a matrix with scales per column',
    [3, 12],
    [3, 5],
    { scale: 0.02, zero: 3, type: 'int8' },
    (g, x) => g.node('MatMul', [x, g.quantisedWeights([12, 5], 1)]),
    SIGNED,
  ],
  [
    'addition to what comes from it',
    PICTURE,
    PICTURE,
    { scale: 0.02, zero: 120 },
    (g, x) => {
      const y = g.rounded(g.node('Relu', [x]), { scale: 0.005, zero: 3 });
      return g.node('Add', [y, x]);
    },
  ],
  [
    'product with a sigmoid',
    PICTURE,
    PICTURE,
    { scale: 0.007, zero: 120 },
    (g, x) => g.node('Mul', [x, g.rounded(g.node('Sigmoid', [x]), { scale: 1 / 256, zero: 0 })]),
  ],
  [
    'product with one value per channel',
    PICTURE,
    PICTURE,
    { scale: 0.007, zero: 120 },
    (g, x) => g.node('Mul', [x, g.rounded(g.node('GlobalAveragePool', [x]), { scale: 0.004, zero: 128 })]),
  ],
  [
    'joined, of three quantisations',
    PICTURE,
    [1, 8, 7, 6],
    { scale: 0.011, zero: 126 },
    (g, x) =>
      g.node('Concat', [x, g.rounded(g.node('Tanh', [x]), { scale: 1 / 127, zero: 128 })], { axis: 1 }),
  ],
  [
    'average of windows',
    PICTURE,
    [1, 4, 6, 5],
    INPUT,
    (g, x) => g.node('AveragePool', [x], { kernel_shape: [2, 2] }),
  ],
  [
    'average of all, with another scale',
    PICTURE,
    [1, 4, 1, 1],
    { scale: 0.003, zero: 128 },
    (g, x) => g.node('GlobalAveragePool', [x]),
  ],
  [
    'greatest of windows',
    PICTURE,
    [1, 4, 3, 3],
    INPUT,
    (g, x) => g.node('MaxPool', [x], { kernel_shape: [2, 2], strides: [2, 2] }),
  ],
  ['hyperbolic tangent', PICTURE, PICTURE, { scale: 0.007, zero: 128 }, (g, x) => g.node('Tanh', [x])],
  [
    'leaky ReLU',
    PICTURE,
    PICTURE,
    { scale: 0.006, zero: 20 },
    (g, x) => g.node('LeakyRelu', [x], { alpha: { float: 0.1 } }),
  ],
  ['softmax', [1, 20], [1, 20], { scale: 1 / 256, zero: 0 }, (g, x) => g.node('Softmax', [x])],
  ['padded', PICTURE, [1, 4, 8, 8], INPUT, (g, x) => g.node('Pad', [x, g.integers(0, 0, 1, 0, 0, 0, 0, 2)])],
  [
    'transposed and reshaped',
    PICTURE,
    [42, 4],
    INPUT,
    (g, x) => g.node('Reshape', [g.node('Transpose', [x], { perm: [0, 2, 3, 1] }), g.integers(42, 4)]),
  ],
  [
    'clipped inside its range',
    PICTURE,
    PICTURE,
    { scale: 1 / 255, zero: 0 },
    (g, x) => g.node('Clip', [x, g.floats([], [0]), g.floats([], [6])]),
  ],
  [
    'a part of it',
    PICTURE,
    [1, 2, 7, 6],
    INPUT,
    (g, x) => g.node('Slice', [x, g.integers(1), g.integers(3), g.integers(1)]),
  ],
];

const LAST = ['DEQUANTIZE'];

(existsSync('build/ctest/engine_run') ? describe : describe.skip)('quantised operators', () => {
  test.each(CASES.map((one) => [one[0], one] as const))('%s', async (what, one) => {
    const [, input, dims, last, build, first = INPUT] = one;
    const g = new Graph();
    const output = g.rounded(build(g, g.rounded('x', first)), last);
    const { network, ours, theirs } = await inBoth(g.finish(input, output, dims), what);
    const reference = theirs[0] ?? [];
    expect(new Set(reference).size).toBeGreaterThan(1);
    expect(greatestDifference(ours[0] ?? [], reference) / last.scale).toBeLessThanOrEqual(1.001);
    // At the edges the engine and the head convert; in between there is int8 only.
    const floats = network.operations.filter(
      ({ output: y, code }) => y.dtype === 'f32' && !LAST.includes(code),
    );
    expect(floats.map(({ code }) => code)).toEqual([]);
  });

  test('a last layer that is not quantised is computed in float32', async () => {
    const g = new Graph();
    const x = g.node('Conv', [g.rounded('x', INPUT), g.quantisedWeights([6, 4, 3, 3], 0)]);
    const y = g.node('GlobalAveragePool', [g.rounded(g.node('Relu', [x]), { scale: 0.03, zero: 0 })]);
    const { network, ours, theirs } = await inBoth(g.finish(PICTURE, y, [1, 6, 1, 1]), 'mixed');
    expect(greatestDifference(ours[0] ?? [], theirs[0] ?? [])).toBeLessThanOrEqual(0.03);
    expect(network.operations.map(({ code }) => code)).toEqual(['CONV_2D', 'DEQUANTIZE', 'GLOBAL_MEAN']);
  });
});
