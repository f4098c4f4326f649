/**
 * Networks of a few hundred bytes for sequences of thousands of frames: imported, packed and sealed as everybody's are, with golden
 * tests of the engine. Their frames have different shapes, and one has several weight segments.
 */
import { importTflite, pack, type SealedModel } from '../../../clients/publisher/index.js';
import { buildTflite, floats, type ModelSpec } from '../../models/tflite-builder.js';

/** Room for the weights and the bias of one of the fourth model's layers. */
const LAYER_BYTES = 4 * (16 * 16 + 16);

/** Fully connected layers, from the first number of values to the last. */
const dense = (...sizes: readonly number[]): ModelSpec => {
  const layers = sizes
    .slice(1)
    .map((outputs, i) => ({ inputs: sizes[i] ?? 0, outputs, at: sizes.length + 2 * i }));
  return {
    tensors: [
      ...sizes.map((size) => ({ shape: [1, size] })),
      ...layers.flatMap(({ inputs, outputs, at }) => [
        {
          shape: [outputs, inputs],
          data: floats(Array.from({ length: inputs * outputs }, (_, i) => ((i + at) % 7) / 7 - 0.4)),
        },
        { shape: [outputs], data: floats(Array.from({ length: outputs }, (_, i) => i / 10)) },
      ]),
    ],
    operators: layers.map(({ at }, i) => ({
      name: 'FULLY_CONNECTED',
      inputs: [i, at, at + 1],
      outputs: [i + 1],
    })),
    inputs: [0],
    outputs: [sizes.length - 1],
  };
};

const small = (name: string, ...sizes: readonly number[]): Promise<SealedModel> =>
  pack(importTflite(buildTflite(dense(...sizes)), `${name}.tflite`), { name, segmentBytes: LAYER_BYTES });

let packed: Promise<readonly SealedModel[]> | undefined;

/**
 * The first two take the same frames, under different content keys; the third takes smaller ones. The last takes the frames of the
 * first, and has four weight segments of one size.
 */
export const tinyModels = (): Promise<readonly SealedModel[]> =>
  (packed ??= Promise.all([
    small('first', 16, 4),
    small('second', 16, 3),
    small('third', 8, 2),
    small('fourth', 16, 16, 16, 16, 16),
  ]));
