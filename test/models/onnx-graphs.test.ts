/*
 * What exporters write around convolutions, in small: the engine against ONNX Runtime on noise, and which operators are left. Above all,
 * how many transpositions.
 */
import { existsSync } from 'node:fs';
import { greatestDifference, magnitude } from './comparison.js';
import { inBoth } from './onnx-engine.js';
import { Graph } from './onnx-graph-builder.js';

interface Expected {
  /** Operators of the engine that are left, with how many of each; what is not named is not counted. */
  readonly [operator: string]: number;
}

type Case = readonly [
  what: string,
  input: readonly number[],
  output: readonly number[],
  build: (g: Graph) => string,
  expected: Expected,
];

const CASES: readonly Case[] = [
  [
    'flatten in front of a matrix',
    [1, 3, 5, 4],
    [1, 7],
    (g) => {
      const x = g.node('Flatten', [g.conv('x', 3, 6)]);
      return g.node('Gemm', [x, g.weights(7, 6 * 20), g.weights(7)], { transB: 1 });
    },
    { TRANSPOSE: 0, CONV_2D: 1, FULLY_CONNECTED: 1 },
  ],
  [
    'shape, gather, concat and reshape in front of a matrix',
    [1, 3, 5, 4],
    [1, 7],
    (g) => {
      const x = g.conv('x', 3, 6);
      const batch = g.node('Gather', [g.node('Shape', [x]), g.index(0)], { axis: 0 });
      const shape = g.node('Concat', [g.node('Unsqueeze', [batch, g.integers(0)]), g.integers(-1)], {
        axis: 0,
      });
      return g.node('Add', [
        g.node('MatMul', [g.node('Reshape', [x, shape]), g.weights(120, 7)]),
        g.weights(7),
      ]);
    },
    { TRANSPOSE: 0, FULLY_CONNECTED: 1, ADD: 0 },
  ],
  [
    'a picture that is transposed first, and back at the end',
    [1, 6, 5, 3],
    [1, 6, 5, 4],
    (g) => {
      const x = g.node('Transpose', ['x'], { perm: [0, 3, 1, 2] });
      return g.node('Transpose', [g.conv(x, 3, 4)], { perm: [0, 2, 3, 1] });
    },
    { TRANSPOSE: 0, RESHAPE: 0 },
  ],
  [
    'batch normalisation and ReLU behind a convolution',
    [1, 3, 6, 5],
    [1, 4, 6, 5],
    (g) => {
      const variance = g.floats([4], [0.5, 1, 2, 0.1]);
      const normalised = g.node('BatchNormalization', [
        g.conv('x', 3, 4),
        g.weights(4),
        g.weights(4),
        g.weights(4),
        variance,
      ]);
      return g.node('Relu', [normalised]);
    },
    { MUL: 0, ADD: 0, RELU: 0, CONV_2D: 1 },
  ],
  [
    'channel shuffle',
    [1, 8, 4, 5],
    [1, 8, 4, 5],
    (g) => {
      const apart = g.node('Reshape', [g.conv('x', 8, 8), g.integers(1, 2, 4, 4, 5)]);
      const mixed = g.node('Transpose', [apart], { perm: [0, 2, 1, 3, 4] });
      return g.conv(g.node('Reshape', [mixed, g.integers(1, 8, 4, 5)]), 8, 8, 1);
    },
    { TRANSPOSE: 1, CONV_2D: 2 },
  ],
  [
    'squeeze and excitation',
    [1, 6, 5, 4],
    [1, 6, 5, 4],
    (g) => {
      const x = g.conv('x', 6, 6);
      const mean = g.node('GlobalAveragePool', [x]);
      const inner = g.node('Relu', [g.conv(mean, 6, 3, 1)]);
      return g.node('Mul', [x, g.node('Sigmoid', [g.conv(inner, 3, 6, 1)])]);
    },
    { TRANSPOSE: 0, GLOBAL_MEAN: 1, MUL: 1 },
  ],
  [
    'hard swish in pieces',
    [1, 3, 5, 4],
    [1, 4, 5, 4],
    (g) => {
      const x = g.conv('x', 3, 4);
      const clipped = g.node('Clip', [
        g.node('Add', [x, g.floats([], [3])]),
        g.floats([], [0]),
        g.floats([], [6]),
      ]);
      return g.node('Div', [g.node('Mul', [x, clipped]), g.floats([], [6])]);
    },
    { HARD_SWISH: 1, MUL: 0, ADD: 0 },
  ],
  [
    'hard sigmoid times its input',
    [1, 3, 5, 4],
    [1, 4, 5, 4],
    (g) => {
      const x = g.conv('x', 3, 4);
      return g.node('Mul', [x, g.node('HardSigmoid', [x], { alpha: { float: 1 / 6 } })]);
    },
    { HARD_SWISH: 1, MUL: 0, ADD: 0 },
  ],
  [
    'boxes of a detector: transposed, reshaped, joined',
    [1, 4, 4, 6],
    [1, 72, 3],
    (g) => {
      const scale = (x: string, cells: number): string =>
        g.node('Reshape', [g.node('Transpose', [x], { perm: [0, 2, 3, 1] }), g.integers(1, cells, 3)]);
      const a = g.conv('x', 4, 6);
      const b = g.node('MaxPool', [g.conv('x', 4, 12)], { kernel_shape: [2, 2], strides: [2, 2] });
      return g.node('Concat', [scale(a, 48), scale(b, 24)], { axis: 1 });
    },
    { TRANSPOSE: 0, CONCAT: 1 },
  ],
  [
    'depth to space, columns first',
    [1, 3, 4, 5],
    [1, 2, 8, 10],
    (g) => g.node('DepthToSpace', [g.conv('x', 3, 8)], { blocksize: 2, mode: { text: 'CRD' } }),
    {},
  ],
  [
    'depth to space and a convolution',
    [1, 3, 4, 5],
    [1, 2, 8, 10],
    (g) => g.conv(g.node('DepthToSpace', [g.conv('x', 3, 8)], { blocksize: 2 }), 2, 2),
    { TRANSPOSE: 1 },
  ],
  [
    'a sequence: one dimension',
    [1, 5, 16],
    [1, 4, 8],
    (g) => {
      const x = g.node('Conv', ['x', g.weights(6, 5, 3), g.weights(6)], { pads: [1, 1] });
      const y = g.node('MaxPool', [g.node('Relu', [x])], { kernel_shape: [2], strides: [2] });
      return g.node('Conv', [y, g.weights(4, 6, 1)]);
    },
    { CONV_2D: 2 },
  ],
  [
    'every second row and column',
    [1, 3, 7, 6],
    [1, 4, 4, 3],
    (g) => {
      const x = g.conv('x', 3, 4);
      const end = 9223372036854775807n;
      const ends = g.integers(Number(end / 2n), Number(end / 2n));
      return g.node('Slice', [x, g.integers(0, 0), ends, g.integers(2, 3), g.integers(2, 2)]);
    },
    { TRANSPOSE: 0 },
  ],
  [
    'split and joined the other way round',
    [1, 4, 5, 3],
    [1, 8, 5, 3],
    (g) => {
      const x = g.conv('x', 4, 8);
      const piece = (from: number, to: number): string =>
        g.node('Slice', [x, g.integers(from), g.integers(to), g.integers(1)]);
      return g.node('Concat', [piece(5, 8), piece(0, 5)], { axis: 1 });
    },
    { TRANSPOSE: 0, SLICE: 2, CONCAT: 1 },
  ],
  [
    'softmax over the channels of a picture, and over its rows',
    [1, 3, 5, 4],
    [1, 4, 5, 4],
    (g) => g.node('Softmax', [g.node('Softmax', [g.conv('x', 3, 4)], { axis: 1 })], { axis: 2 }),
    { SOFTMAX: 2 },
  ],
  [
    'an addition of two that lie differently',
    [1, 4, 4, 4],
    [1, 4, 4, 4],
    (g) => {
      const x = g.conv('x', 4, 4);
      return g.node('Add', [g.conv(x, 4, 4), g.node('Transpose', [x], { perm: [0, 3, 1, 2] })]);
    },
    { TRANSPOSE: 1 },
  ],
  [
    'an uneven reshape of a transposed value',
    [1, 6, 4, 5],
    [8, 15],
    (g) => g.node('Reshape', [g.node('Tanh', [g.conv('x', 6, 6)]), g.integers(8, 15)]),
    { TRANSPOSE: 1 },
  ],
  [
    'averages of channels, and of everything else',
    [1, 6, 4, 5],
    [1, 1, 4, 5],
    (g) => {
      const x = g.conv('x', 6, 6);
      const all = g.node('ReduceMean', [x], { axes: [1, 2, 3], keepdims: 1 });
      return g.node('Add', [g.node('ReduceMean', [x], { axes: [1], keepdims: 1 }), all]);
    },
    {},
  ],
  [
    'a resized picture',
    [1, 2, 4, 5],
    [1, 3, 8, 10],
    (g) => {
      const size = g.floats([4], [1, 1, 2, 2]);
      const linear = g.node('Resize', [g.conv('x', 2, 3), '', size], {
        mode: { text: 'linear' },
        coordinate_transformation_mode: { text: 'pytorch_half_pixel' },
      });
      const near = g.node('Resize', [g.conv('x', 2, 3), '', size], {
        mode: { text: 'nearest' },
        nearest_mode: { text: 'floor' },
        coordinate_transformation_mode: { text: 'asymmetric' },
      });
      return g.node('Add', [linear, near]);
    },
    { TRANSPOSE: 0, RESIZE_BILINEAR: 1, RESIZE_NEAREST: 1 },
  ],
  [
    'a constant in front, as a class token',
    [1, 5, 4],
    [1, 6, 4],
    (g) => g.node('Concat', [g.weights(1, 1, 4), g.node('Relu', ['x'])], { axis: 1 }),
    {},
  ],
  [
    'clipped, subtracted from one, divided',
    [1, 3, 5, 4],
    [1, 3, 5, 4],
    (g) => {
      const clipped = g.node('Clip', [g.conv('x', 3, 3), g.floats([], [-0.3]), g.floats([], [0.4])]);
      const rest = g.node('Sub', [g.floats([], [1]), clipped]);
      return g.node('Div', [rest, g.floats([3, 1, 1], [2, 0.5, -3])]);
    },
    { TRANSPOSE: 0 },
  ],
  [
    'grouped, dilated, with uneven padding',
    [1, 4, 9, 8],
    [1, 6, 4, 5],
    (g) =>
      g.node('Conv', ['x', g.weights(6, 2, 3, 2), g.weights(6)], {
        group: 2,
        dilations: [2, 1],
        strides: [2, 2],
        pads: [1, 0, 2, 3],
      }),
    { TRANSPOSE: 0, CONV_2D: 1 },
  ],
];

(existsSync('build/ctest/engine_run') ? describe : describe.skip)('what exporters write', () => {
  test.each(CASES)('%s', async (what, input, dims, build, expected) => {
    const graph = new Graph();
    const output = build(graph);
    const { network, ours, theirs } = await inBoth(graph.finish(input, output, dims), what);
    const reference = theirs[0] ?? [];
    expect(new Set(reference).size).toBeGreaterThan(3);
    expect(greatestDifference(ours[0] ?? [], reference) / magnitude(reference)).toBeLessThanOrEqual(1e-5);
    const counts = Object.fromEntries(
      Object.keys(expected).map((code) => [
        code,
        network.operations.filter((one) => one.code === code).length,
      ]),
    );
    expect(counts).toEqual(expected);
  });
});
