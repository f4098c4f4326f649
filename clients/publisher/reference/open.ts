import { ModelImportError } from '../import-error.js';
import type { ReferenceModel } from './reference.js';

/**
 * Opens a model file in the runtime of those who made its format.
 * @param file its name tells ONNX apart
 * @throws MissingRuntimeError, ModelImportError
 */
export const openReference = async (model: Uint8Array, file: string): Promise<ReferenceModel> => {
  if (Buffer.from(model.subarray(4, 8)).toString('latin1') === 'TFL3')
    return (await import('./tflite-runtime.js')).openTflite(model, file);
  if (/\.onnx$/i.test(file)) return (await import('./onnx-runtime.js')).openOnnx(model, file);
  throw new ModelImportError(file, [
    'there is a reference runtime for TensorFlow Lite (.tflite) and ONNX (.onnx) models only',
  ]);
};
