import {
  buildTflite,
  floats,
  ints,
  Type,
  type ModelSpec,
  type TensorSpec,
} from '../../test/models/tflite-builder.js';
import { simplify } from './simplify.js';
import { importTflite } from './tflite/import.js';

const codes = (spec: ModelSpec): string[] =>
  simplify(importTflite(buildTflite(spec))).operations.map(({ code, activation }) =>
    activation === 'NONE' ? code : `${code}+${activation}`,
  );

const conv = [
  [0, 'i8', 1],
  [1, 'i32', 1],
  [2, 'i32', 1],
  [4, 'i32', 1],
  [5, 'i32', 1],
] as const;
const kernel: TensorSpec = { shape: [2, 3, 3, 2], data: floats(new Array<number>(36).fill(1)) };
const pads = (...amounts: number[]): TensorSpec => ({ shape: [4, 2], type: Type.INT32, data: ints(amounts) });

const padded = (amounts: number[], shape: number[], output: number[]): ModelSpec => ({
  tensors: [{ shape: [1, 5, 5, 2] }, { shape }, { shape: output }, pads(...amounts), kernel],
  operators: [
    { name: 'PAD', inputs: [0, 3], outputs: [1] },
    { name: 'CONV_2D', inputs: [1, 4], outputs: [2], options: conv },
  ],
  inputs: [0],
  outputs: [2],
});

test('zeros around height and width become the padding of the convolution', () => {
  const { operations } = simplify(
    importTflite(buildTflite(padded([0, 0, 1, 2, 3, 0, 0, 0], [1, 8, 8, 2], [1, 6, 6, 2]))),
  );
  expect(operations.map(({ code }) => code)).toEqual(['CONV_2D']);
  expect(operations[0]?.ints).toEqual([1, 1, 1, 1, 1, 3, 2, 0, 1]);
});

test('padding of channels stays', () => {
  const spec = padded([0, 0, 0, 0, 0, 0, 0, 2], [1, 5, 5, 4], [1, 3, 3, 2]);
  const wide = { shape: [2, 3, 3, 4], data: floats(new Array<number>(72).fill(1)) };
  const tensors = spec.tensors.map((tensor, i) => (i === 4 ? wide : tensor));
  expect(codes({ ...spec, tensors })).toEqual(['PAD', 'CONV_2D']);
});

const branch = (second: boolean): ModelSpec => ({
  tensors: [
    { shape: [1, 4] },
    { shape: [1, 4] },
    { shape: [1, 4] },
    { shape: [1, 4] },
    { shape: [4], data: floats([1, 2, 3, 4]) },
  ],
  operators: [
    { name: 'ADD', inputs: [0, 4], outputs: [1] },
    { name: 'RELU', inputs: [1], outputs: [2] },
    { name: 'TANH', inputs: [second ? 1 : 2], outputs: [3] },
  ],
  inputs: [0],
  outputs: second ? [2, 3] : [3],
});

test('a ReLU becomes part of the operator before it', () => {
  expect(codes(branch(false))).toEqual(['ADD+RELU', 'TANH']);
});

test('unless what comes before the ReLU is read too', () => {
  expect(codes(branch(true))).toEqual(['ADD', 'RELU+RELU', 'TANH']);
});

test('int8: not where the ReLU changes the quantisation', () => {
  const q = (scale: number): TensorSpec => ({
    shape: [1, 4],
    type: Type.INT8,
    scales: [scale],
    zeroPoints: [0],
  });
  const spec = (after: number): ModelSpec => ({
    tensors: [q(0.1), q(0.2), q(after)],
    operators: [
      { name: 'ADD', inputs: [0, 0], outputs: [1] },
      { name: 'RELU', inputs: [1], outputs: [2] },
    ],
    inputs: [0],
    outputs: [2],
  });
  expect(codes(spec(0.2))).toEqual(['ADD+RELU']);
  expect(codes(spec(0.3))).toEqual(['ADD', 'RELU+RELU']);
});

test('what nothing needs is left out, and reshapes are merged', () => {
  const spec: ModelSpec = {
    tensors: [{ shape: [1, 4] }, { shape: [2, 2] }, { shape: [4, 1] }, { shape: [4, 1] }, { shape: [1, 4] }],
    operators: [
      { name: 'RESHAPE', inputs: [0], outputs: [1] },
      { name: 'RESHAPE', inputs: [1], outputs: [2] },
      { name: 'TANH', inputs: [2], outputs: [3] },
      { name: 'LOGISTIC', inputs: [0], outputs: [4] },
    ],
    inputs: [0],
    outputs: [3],
  };
  const { operations, input } = simplify(importTflite(buildTflite(spec)));
  expect(operations.map(({ code }) => code)).toEqual(['RESHAPE', 'TANH']);
  expect(operations[0]?.inputs[0]).toBe(input);
});

test('int8 between float ends keeps int8 ends only', () => {
  const q: TensorSpec = { shape: [1, 4], type: Type.INT8, scales: [0.1], zeroPoints: [3] };
  const spec: ModelSpec = {
    tensors: [{ shape: [1, 4] }, q, q, { shape: [1, 4] }],
    operators: [
      { name: 'QUANTIZE', inputs: [0], outputs: [1] },
      { name: 'ADD', inputs: [1, 1], outputs: [2] },
      { name: 'DEQUANTIZE', inputs: [2], outputs: [3] },
    ],
    inputs: [0],
    outputs: [3],
  };
  const network = simplify(importTflite(buildTflite(spec)));
  expect(network.operations.map(({ code }) => code)).toEqual(['ADD']);
  expect([network.input.dtype, network.outputs[0]?.dtype]).toEqual(['i8', 'i8']);
});
