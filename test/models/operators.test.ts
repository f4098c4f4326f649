import { noiseFrame } from '../../clients/publisher/index.js';
import { greatestDifference, importModel, magnitude, runEngine } from './comparison.js';
import { describeWithOracle, loadOracle, runOracle } from './shared.js';
import {
  buildTflite,
  bytes,
  floats,
  ints,
  Type,
  type ModelSpec,
  type OperatorName,
  type OperatorSpec,
  type OptionSpec,
  type TensorSpec,
} from './tflite-builder.js';

/** Small deterministic values in -1..1. */
const values = (count: number, seed = 7): number[] => {
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1103515245) + 12345) & 0x7fffffff;
    return state / 2 ** 30 - 1;
  });
};
const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

/** Float constants, int32 lists. */
const f = (shape: readonly number[], seed?: number): TensorSpec => ({
  shape,
  data: floats(values(size(shape), seed)),
});
const list = (...numbers: number[]): TensorSpec => ({
  shape: [numbers.length],
  type: Type.INT32,
  data: ints(numbers),
});
/** An int8 activation, or a constant with one scale or several. */
const q = (shape: readonly number[], scale: number, zeroPoint = 0): TensorSpec => ({
  shape,
  type: Type.INT8,
  scales: [scale],
  zeroPoints: [zeroPoint],
});
const weights = (shape: readonly number[], scales: readonly number[], dimension = 0): TensorSpec => ({
  shape,
  type: Type.INT8,
  data: bytes(values(size(shape), 3).map((value) => Math.round(value * 127))),
  scales,
  zeroPoints: scales.map(() => 0),
  dimension,
});
const bias = (count: number): TensorSpec => ({
  shape: [count],
  type: Type.INT32,
  data: ints(values(count, 5).map((value) => Math.round(value * 1000))),
});
const half = (shape: readonly number[]): TensorSpec => {
  const data = new Uint8Array(2 * size(shape));
  // Any pattern is a half; exponents around 1 keep the values small.
  const view = new DataView(data.buffer);
  values(size(shape), 9).forEach((value, i) =>
    view.setUint16(2 * i, (value < 0 ? 0x8000 : 0) | (0x3000 + ((i * 37) & 0x7ff)), true),
  );
  return { shape, type: Type.FLOAT16, data };
};

/** Tensor 0 is the input, 1 the output; operands follow. */
const single = (
  name: OperatorName,
  input: TensorSpec,
  output: TensorSpec,
  operands: readonly TensorSpec[] = [],
  options: OptionSpec = [],
  inputs?: readonly number[],
): ModelSpec => ({
  tensors: [input, output, ...operands],
  operators: [{ name, inputs: inputs ?? [0, ...operands.map((_, i) => i + 2)], outputs: [1], options }],
  inputs: [0],
  outputs: [1],
});

const chain = (
  tensors: readonly TensorSpec[],
  operators: readonly OperatorSpec[],
  outputs: readonly number[],
): ModelSpec => ({
  tensors,
  operators,
  inputs: [0],
  outputs,
});

const t = (...shape: number[]): TensorSpec => ({ shape });
const conv = (padding: 0 | 1, stride: number, activation = 0, dilation = 1): OptionSpec => [
  [0, 'i8', padding],
  [1, 'i32', stride],
  [2, 'i32', stride],
  [3, 'i8', activation],
  [4, 'i32', dilation],
  [5, 'i32', dilation],
];
const depthwise = (padding: 0 | 1, stride: number, multiplier: number, activation = 0): OptionSpec => [
  [0, 'i8', padding],
  [1, 'i32', stride],
  [2, 'i32', stride],
  [3, 'i32', multiplier],
  [4, 'i8', activation],
  [5, 'i32', 1],
  [6, 'i32', 1],
];
const pool = (padding: 0 | 1, stride: number, window: number): OptionSpec => [
  [0, 'i8', padding],
  [1, 'i32', stride],
  [2, 'i32', stride],
  [3, 'i32', window],
  [4, 'i32', window],
];
const strides = (beginMask: number, endMask: number): OptionSpec => [
  [0, 'i32', beginMask],
  [1, 'i32', endMask],
];

const FLOAT: readonly (readonly [string, ModelSpec])[] = [
  [
    'convolution SAME, stride 2',
    single('CONV_2D', t(1, 7, 8, 3), t(1, 4, 4, 5), [f([5, 3, 3, 3]), f([5])], conv(0, 2, 1)),
  ],
  [
    'convolution VALID, dilation 2',
    single('CONV_2D', t(1, 9, 9, 2), t(1, 5, 5, 3), [f([3, 3, 3, 2]), f([3])], conv(1, 1, 3, 2)),
  ],
  [
    'fully connected without bias',
    single('FULLY_CONNECTED', t(1, 12), t(1, 5), [f([5, 12])], [], [0, 2, -1]),
  ],
  [
    'depthwise, multiplier 2',
    single(
      'DEPTHWISE_CONV_2D',
      t(1, 6, 5, 3),
      t(1, 3, 3, 6),
      [f([1, 3, 3, 6]), f([6])],
      depthwise(0, 2, 2, 1),
    ),
  ],
  ['fully connected', single('FULLY_CONNECTED', t(1, 12), t(1, 5), [f([5, 12]), f([5])])],
  ['fully connected over a picture', single('FULLY_CONNECTED', t(1, 2, 2, 3), t(1, 5), [f([5, 12]), f([5])])],
  ['average pooling SAME', single('AVERAGE_POOL_2D', t(1, 5, 7, 3), t(1, 3, 4, 3), [], pool(0, 2, 3))],
  ['max pooling SAME', single('MAX_POOL_2D', t(1, 5, 7, 3), t(1, 3, 4, 3), [], pool(0, 2, 2))],
  ['addition of a vector', single('ADD', t(1, 3, 3, 4), t(1, 3, 3, 4), [f([4])], [[0, 'i8', 1]])],
  ['addition to itself', single('ADD', t(1, 3, 3, 4), t(1, 3, 3, 4), [], [], [0, 0])],
  ['product with one number', single('MUL', t(1, 3, 3, 4), t(1, 3, 3, 4), [f([1])])],
  ['constant first', single('MUL', t(1, 3, 3, 4), t(1, 3, 3, 4), [f([1, 1, 1, 4])], [], [2, 0])],
  [
    'padding on all sides',
    single('PAD', t(1, 3, 3, 2), t(1, 6, 5, 3), [{ ...list(0, 0, 1, 2, 0, 2, 1, 0), shape: [4, 2] }]),
  ],
  [
    'bilinear, corners',
    single('RESIZE_BILINEAR', t(1, 4, 5, 2), t(1, 7, 9, 2), [list(7, 9)], [[2, 'bool', 1]]),
  ],
  [
    'bilinear, centres',
    single('RESIZE_BILINEAR', t(1, 4, 5, 2), t(1, 8, 10, 2), [list(8, 10)], [[3, 'bool', 1]]),
  ],
  ['bilinear, neither', single('RESIZE_BILINEAR', t(1, 4, 5, 2), t(1, 8, 10, 2), [list(8, 10)])],
  ['nearest', single('RESIZE_NEAREST_NEIGHBOR', t(1, 4, 5, 2), t(1, 7, 9, 2), [list(7, 9)])],
  [
    'nearest, centres',
    single('RESIZE_NEAREST_NEIGHBOR', t(1, 4, 5, 2), t(1, 8, 10, 2), [list(8, 10)], [[1, 'bool', 1]]),
  ],
  ['mean, kept dimensions', single('MEAN', t(1, 4, 5, 3), t(1, 1, 1, 3), [list(1, 2)], [[0, 'bool', 1]])],
  ['mean, dropped dimensions', single('MEAN', t(1, 4, 5, 3), t(1, 3), [list(1, 2)])],
  ['softmax', single('SOFTMAX', t(2, 7), t(2, 7), [], [[0, 'f32', 1]])],
  ['logistic', single('LOGISTIC', t(1, 40), t(1, 40))],
  ['tanh', single('TANH', t(1, 40), t(1, 40))],
  ['relu', single('RELU', t(1, 40), t(1, 40))],
  ['relu6', single('RELU6', t(1, 40), t(1, 40))],
  ['relu -1..1', single('RELU_N1_TO_1', t(1, 40), t(1, 40))],
  ['leaky relu', single('LEAKY_RELU', t(1, 40), t(1, 40), [], [[0, 'f32', 0.2]])],
  ['parametric relu', single('PRELU', t(1, 3, 3, 4), t(1, 3, 3, 4), [f([1, 1, 4])])],
  ['hard swish', single('HARD_SWISH', t(1, 40), t(1, 40))],
  ['transpose', single('TRANSPOSE', t(1, 2, 3, 4), t(1, 4, 2, 3), [list(0, 3, 1, 2)])],
  ['slice', single('SLICE', t(1, 5, 4, 3), t(1, 2, 3, 2), [list(0, 1, 1, 1), list(1, 2, 3, 2)])],
  [
    'strided slice',
    single(
      'STRIDED_SLICE',
      t(1, 5, 4, 3),
      t(1, 3, 4, 2),
      [list(0, 2, 0, 0), list(0, 5, 0, -1), list(1, 1, 1, 1)],
      strides(0b101, 0b101),
    ),
  ],
  ['reshape', single('RESHAPE', t(1, 2, 3, 4), t(1, 24), [list(1, 24)])],
  ['squeeze', single('SQUEEZE', t(1, 2, 1, 4), t(2, 4))],
  ['expanded dimensions', single('EXPAND_DIMS', t(2, 4), t(2, 1, 4), [list(1)])],
  [
    'padding before a convolution',
    chain(
      [
        t(1, 5, 5, 2),
        t(1, 7, 7, 2),
        t(1, 3, 3, 3),
        { ...list(0, 0, 1, 1, 1, 1, 0, 0), shape: [4, 2] },
        f([3, 3, 3, 2]),
        f([3]),
      ],
      [
        { name: 'PAD', inputs: [0, 3], outputs: [1] },
        { name: 'CONV_2D', inputs: [1, 4, 5], outputs: [2], options: conv(1, 2) },
      ],
      [2],
    ),
  ],
  [
    'split and joined the other way round',
    chain(
      [t(1, 3, 3, 4), t(1, 3, 3, 2), t(1, 3, 3, 2), t(1, 3, 3, 4), { ...list(3), shape: [] }],
      [
        { name: 'SPLIT', inputs: [4, 0], outputs: [1, 2], options: [[0, 'i32', 2]] },
        { name: 'CONCATENATION', inputs: [2, 1], outputs: [3], options: [[0, 'i32', -1]] },
      ],
      [3],
    ),
  ],
  [
    'concatenation along height of what is used again',
    chain(
      [t(1, 4, 4, 4), t(1, 4, 4, 4), t(1, 4, 4, 4), t(1, 8, 4, 4), t(1, 4, 4, 4)],
      [
        { name: 'RELU', inputs: [0], outputs: [1] },
        { name: 'TANH', inputs: [0], outputs: [2] },
        { name: 'CONCATENATION', inputs: [1, 2], outputs: [3], options: [[0, 'i32', 1]] },
        { name: 'ADD', inputs: [1, 2], outputs: [4] },
      ],
      [3, 4],
    ),
  ],
  [
    'one tensor in two shapes',
    chain(
      [t(1, 4, 4), t(1, 16), t(16, 1), t(1, 16), t(16, 1), list(1, 16), list(16, 1)],
      [
        { name: 'RESHAPE', inputs: [0, 5], outputs: [1] },
        { name: 'RESHAPE', inputs: [1, 6], outputs: [2] },
        { name: 'LOGISTIC', inputs: [1], outputs: [3] },
        { name: 'TANH', inputs: [2], outputs: [4] },
      ],
      [3, 4],
    ),
  ],
  [
    'weights of 16 bits',
    chain(
      [t(1, 5, 5, 2), half([3, 3, 3, 2]), t(3, 3, 3, 2), t(1, 5, 5, 3), f([3])],
      [
        { name: 'DEQUANTIZE', inputs: [1], outputs: [2] },
        { name: 'CONV_2D', inputs: [0, 2, 4], outputs: [3], options: conv(0, 1) },
      ],
      [3],
    ),
  ],
  [
    'int8 between float ends',
    chain(
      [
        t(1, 4, 4, 3),
        q([1, 4, 4, 3], 0.01, 3),
        q([1, 4, 4, 4], 0.02, -5),
        t(1, 4, 4, 4),
        weights([4, 1, 1, 3], [0.01, 0.02, 0.005, 0.01]),
        bias(4),
        t(1, 4, 4, 4),
      ],
      [
        { name: 'QUANTIZE', inputs: [0], outputs: [1] },
        { name: 'CONV_2D', inputs: [1, 4, 5], outputs: [2], options: conv(0, 1) },
        { name: 'DEQUANTIZE', inputs: [2], outputs: [3] },
        { name: 'RELU', inputs: [3], outputs: [6] },
      ],
      [6],
    ),
  ],
];

const INT8: readonly (readonly [string, ModelSpec])[] = [
  [
    'convolution',
    single(
      'CONV_2D',
      q([1, 7, 8, 3], 0.05, 4),
      q([1, 4, 4, 5], 0.2, -7),
      [weights([5, 3, 3, 3], [0.01, 0.02, 0.015, 0.03, 0.004]), bias(5)],
      conv(0, 2, 1),
    ),
  ],
  [
    'depthwise',
    single(
      'DEPTHWISE_CONV_2D',
      q([1, 6, 5, 3], 0.05, -20),
      q([1, 6, 5, 3], 0.1, 5),
      [weights([1, 3, 3, 3], [0.01, 0.02, 0.03], 3), bias(3)],
      depthwise(0, 1, 1, 3),
    ),
  ],
  [
    'fully connected',
    single('FULLY_CONNECTED', q([1, 12], 0.05, 10), q([1, 5], 0.3, 0), [weights([5, 12], [0.02]), bias(5)]),
  ],
  [
    'average pooling',
    single('AVERAGE_POOL_2D', q([1, 5, 7, 3], 0.1, 3), q([1, 3, 4, 3], 0.1, 3), [], pool(0, 2, 3)),
  ],
  ['max pooling', single('MAX_POOL_2D', q([1, 5, 7, 3], 0.1, 3), q([1, 3, 4, 3], 0.1, 3), [], pool(0, 2, 2))],
  ['addition to itself', single('ADD', q([1, 3, 3, 4], 0.1, 3), q([1, 3, 3, 4], 0.15, -9), [], [], [0, 0])],
  ['product with itself', single('MUL', q([1, 3, 3, 4], 0.1, 3), q([1, 3, 3, 4], 0.6, -9), [], [], [0, 0])],
  [
    'padding',
    single('PAD', q([1, 3, 3, 2], 0.1, 3), q([1, 6, 5, 2], 0.1, 3), [
      { ...list(0, 0, 1, 2, 0, 2, 0, 0), shape: [4, 2] },
    ]),
  ],
  ['mean', single('MEAN', q([1, 4, 5, 3], 0.1, 3), q([1, 3], 0.08, -4), [list(1, 2)])],
  ['softmax', single('SOFTMAX', q([1, 9], 0.1, 3), q([1, 9], 1 / 256, -128), [], [[0, 'f32', 1]])],
  ['logistic', single('LOGISTIC', q([1, 60], 0.05, 3), q([1, 60], 1 / 256, -128))],
  ['tanh', single('TANH', q([1, 60], 0.05, 3), q([1, 60], 1 / 128, 0))],
  ['leaky relu', single('LEAKY_RELU', q([1, 60], 0.05, 3), q([1, 60], 0.04, -20), [], [[0, 'f32', 0.2]])],
  ['hard swish', single('HARD_SWISH', q([1, 60], 0.05, 3), q([1, 60], 0.04, -20))],
  ['requantisation', single('QUANTIZE', q([1, 60], 0.05, 3), q([1, 60], 0.04, -20))],
  [
    'bilinear',
    single(
      'RESIZE_BILINEAR',
      q([1, 4, 5, 2], 0.1, 3),
      q([1, 8, 10, 2], 0.1, 3),
      [list(8, 10)],
      [[3, 'bool', 1]],
    ),
  ],
  ['transpose', single('TRANSPOSE', q([1, 2, 3, 4], 0.1, 3), q([1, 4, 2, 3], 0.1, 3), [list(0, 3, 1, 2)])],
  [
    'slice',
    single('SLICE', q([1, 5, 4, 3], 0.1, 3), q([1, 2, 3, 2], 0.1, 3), [list(0, 1, 1, 1), list(1, 2, 3, 2)]),
  ],
];

/** The same int8 tensors as legacy uint8: values and zero points 128 higher, one scale for weights. */
const legacy = (spec: ModelSpec): ModelSpec => ({
  ...spec,
  tensors: spec.tensors.map((tensor) => {
    if (tensor.type !== Type.INT8) return tensor;
    const zeroPoint = (tensor.zeroPoints?.[0] ?? 0) + 128 + (tensor.data === undefined ? 0 : -9);
    const scales = tensor.scales?.slice(0, 1) ?? [];
    const uint8 = { ...tensor, type: Type.UINT8, scales, zeroPoints: [zeroPoint], dimension: 0 };
    return tensor.data === undefined ? uint8 : { ...uint8, data: tensor.data.map((value) => value ^ 0x80) };
  }),
});

/** Operators that TFLite computes in fixed point and the engine in float32 (ta/tinylib/README.md, int8 arithmetic). */
const ONE_UNIT = ['bilinear', 'hard swish', 'leaky relu', 'requantisation'];

const compare = async (
  spec: ModelSpec,
  what: string,
): Promise<{ actual: number[][]; expected: number[][] }> => {
  const file = buildTflite(spec);
  const imported = importModel(file, what);
  const input = spec.tensors[0] ?? t(1);
  const quantised = input.type === Type.INT8 || input.type === Type.UINT8;
  const frame = noiseFrame({ format: quantised ? 'i8' : 'f32', dims: input.shape });
  const original = input.type === Type.UINT8 ? frame.map((value) => value ^ 0x80) : frame;
  const expected = runOracle(await loadOracle(file), original);
  const actual = await runEngine(imported, quantised ? 'i8' : 'f32', frame);
  expect(actual).toHaveLength(expected.length);
  return { actual, expected };
};

describeWithOracle('float operators compute what TFLite computes', () => {
  test.each(FLOAT)('%s', async (what, spec) => {
    const { actual, expected } = await compare(spec, what);
    for (const [i, values] of actual.entries()) {
      const reference = expected[i] ?? [];
      expect(magnitude(reference)).toBeGreaterThan(0);
      expect(greatestDifference(values, reference) / magnitude(reference)).toBeLessThanOrEqual(1e-5);
    }
  });
});

describeWithOracle('int8 operators compute what TFLite computes', () => {
  const check = async (what: string, spec: ModelSpec): Promise<void> => {
    const { actual, expected } = await compare(spec, what);
    for (const [i, values] of actual.entries()) {
      const reference = expected[i] ?? [];
      expect(new Set(reference).size).toBeGreaterThan(1);
      expect(greatestDifference(values, reference)).toBeLessThanOrEqual(ONE_UNIT.includes(what) ? 1 : 0);
    }
  };

  test.each(INT8)('%s', check);

  test.each(INT8)('%s, legacy uint8', (what, spec) => check(what, legacy(spec)));
});
