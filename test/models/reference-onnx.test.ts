/** ONNX Runtime as a reference: it runs, and its NCHW is put into the graph's order. */
import { openReference } from '../../clients/publisher/index.js';
import { referenceInput, referenceOutput } from '../../clients/publisher/reference/edges.js';

/** A field of a Protocol Buffers message: a number, or bytes. */
const field = (number: number, value: number | string | readonly number[]): number[] => {
  if (typeof value === 'number') return [number << 3, value];
  const bytes = typeof value === 'string' ? [...Buffer.from(value)] : value;
  return [(number << 3) | 2, bytes.length, ...bytes];
};

/** onnx.proto3: float32 tensors of one shape. */
const tensor = (name: string, dims: readonly number[]): number[] => {
  const shape = dims.flatMap((dim) => field(1, field(1, dim)));
  return [...field(1, name), ...field(2, field(1, [...field(1, 1), ...field(2, shape)]))];
};

/** A model that is one operator. */
const modelOf = (operator: string, dims: readonly number[]): Uint8Array => {
  const node = [...field(1, 'x'), ...field(2, 'y'), ...field(4, operator)];
  const graph = [
    ...field(1, node),
    ...field(2, 'g'),
    ...field(11, tensor('x', dims)),
    ...field(12, tensor('y', dims)),
  ];
  return Uint8Array.from([
    ...field(1, 8),
    ...field(7, graph),
    ...field(8, [...field(1, ''), ...field(2, 13)]),
  ]);
};

const nhwc = { dtype: 'f32', dims: [1, 2, 2, 3], scale: 0, zeroPoint: 0 } as const;

test('a model runs, and channels come last again', async () => {
  const model = await openReference(modelOf('Relu', [1, 3, 2, 2]), 'relu.onnx');
  expect(model.runtime).toMatch(/ONNX Runtime/);
  const [input, output] = [model.inputs[0]!, model.outputs[0]!];
  expect([input, output].map(({ dims, type }) => [dims, type])).toEqual([
    [[1, 3, 2, 2], 'f32'],
    [[1, 3, 2, 2], 'f32'],
  ]);
  const real = Array.from({ length: 12 }, (_, i) => i - 6);
  const bytes = referenceInput(real, nhwc, input, 'relu.onnx');
  // The first channel of all pixels first.
  expect([...new Float32Array(bytes.buffer)].slice(0, 4)).toEqual([-6, -3, 0, 3]);
  const [values] = await model.run(bytes);
  expect(referenceOutput(values!, output, nhwc, 'relu.onnx')).toEqual(
    real.map((value) => Math.max(0, value)),
  );
});

test('another shape is another model', async () => {
  const model = await openReference(modelOf('Relu', [1, 3, 2, 3]), 'relu.onnx');
  expect(() => referenceInput([1, 2, 3], nhwc, model.inputs[0]!, 'relu.onnx')).toThrow(/another model\?/);
});

test.each([
  ['damaged.onnx', Uint8Array.from([8, 8, 58, 200]), /ONNX Runtime refuses it/],
  [
    'yolo.cfg',
    Buffer.from('[net]\nwidth=416\n'),
    /TensorFlow Lite \(.tflite\) and ONNX \(.onnx\) models only/,
  ],
])('%s is an error', async (file, bytes, message) => {
  await expect(openReference(bytes, file)).rejects.toThrow(message);
});
