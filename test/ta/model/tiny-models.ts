/**
 * Two networks of a few hundred bytes for sequences of thousands of frames: imported, packed and sealed as everybody's are, with
 * golden tests of the engine. Their frames have different shapes.
 */
import { importTflite, pack, type SealedModel } from '../../../clients/publisher/index.js';
import { buildTflite, floats, type ModelSpec } from '../../models/tflite-builder.js';

/** One fully connected layer, `inputs` numbers to `outputs`. */
const dense = (inputs: number, outputs: number): ModelSpec => ({
  tensors: [
    { shape: [1, inputs] },
    { shape: [1, outputs] },
    {
      shape: [outputs, inputs],
      data: floats(Array.from({ length: inputs * outputs }, (_, i) => (i % 7) / 7 - 0.4)),
    },
    { shape: [outputs], data: floats(Array.from({ length: outputs }, (_, i) => i / 10)) },
  ],
  operators: [{ name: 'FULLY_CONNECTED', inputs: [0, 2, 3], outputs: [1] }],
  inputs: [0],
  outputs: [1],
});

const small = (name: string, inputs: number, outputs: number): Promise<SealedModel> =>
  pack(importTflite(buildTflite(dense(inputs, outputs)), `${name}.tflite`), { name });

let packed: Promise<readonly SealedModel[]> | undefined;

/** The first two take the same frames, under different content keys; the third takes smaller ones. */
export const tinyModels = (): Promise<readonly SealedModel[]> =>
  (packed ??= Promise.all([small('first', 16, 4), small('second', 16, 3), small('third', 8, 2)]));
