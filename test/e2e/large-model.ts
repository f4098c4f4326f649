import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import {
  EngineTool,
  importTflite,
  pack,
  type PackOptions,
  type SealedModel,
} from '../../clients/publisher/index.js';
import { shared } from '../models/shared.js';

/** MobileNetV2, 224 × 224, int8: a package of about 4 MB. */
export const packLargeModel = async (options: Partial<PackOptions> = {}): Promise<SealedModel> => {
  const file = 'tf2_mobilenet_v2_1.0_224_ptq.tflite';
  return pack(importTflite(new Uint8Array(readFileSync(join(shared, 'models', file))), file), {
    name: 'a large one',
    results: { kind: 'topK', k: 5 },
    target: EngineTool.find().target(), // the device is this machine
    ...options,
  });
};

/** Bytes of all segments. */
export const sizeOf = ({ segments }: Pick<SealedModel, 'segments'>): number =>
  segments.reduce((sum, { length }) => sum + length, 0);
