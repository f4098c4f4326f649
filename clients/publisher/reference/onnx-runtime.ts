import { ModelImportError } from '../import-error.js';
import { MissingRuntimeError } from './missing-runtime.js';
import type { ReferenceModel, ReferenceTensor, ReferenceType, ReferenceValues } from './reference.js';

const TYPES: ReadonlyMap<string, ReferenceType> = new Map([
  ['float32', 'f32'],
  ['int8', 'i8'],
  ['uint8', 'u8'],
  ['int32', 'i32'],
]);

type Runtime = typeof import('onnxruntime-web');

const loadRuntime = async (): Promise<Runtime> => {
  try {
    const runtime = await import('onnxruntime-web');
    runtime.env.wasm.numThreads = 1;
    runtime.env.logLevel = 'error';
    return runtime;
  } catch (cause) {
    throw new MissingRuntimeError('ONNX Runtime for WebAssembly', 'onnxruntime-web', { cause });
  }
};

/**
 * A model in ONNX Runtime, on one thread: the npm package onnxruntime-web. A dimension without a number is 1.
 * @throws MissingRuntimeError without that package, ModelImportError where ONNX Runtime refuses the model
 */
export const openOnnx = async (model: Uint8Array, name: string): Promise<ReferenceModel> => {
  const runtime = await loadRuntime();
  const session = await runtime.InferenceSession.create(model, {
    executionProviders: ['wasm'],
    graphOptimizationLevel: 'basic',
    // Errors: what it tidies up in a model is of no interest.
    logSeverityLevel: 3,
  }).catch((error: unknown) => {
    throw new ModelImportError(name, [`ONNX Runtime refuses it: ${(error as Error).message}`]);
  });
  type Metadata = (typeof session.inputMetadata)[number];
  const describe = (metadata: Metadata): ReferenceTensor => {
    if (!metadata.isTensor) throw new ModelImportError(name, [`${metadata.name} is no tensor`]);
    const type = TYPES.get(metadata.type);
    if (type === undefined)
      throw new ModelImportError(name, [`${metadata.name} is of type ${metadata.type}`]);
    return {
      name: metadata.name,
      dims: metadata.shape.map((dim) => (typeof dim === 'number' && dim > 0 ? dim : 1)),
      type,
    };
  };
  const inputs = session.inputMetadata.map(describe);
  const outputs = session.outputMetadata.map(describe);
  const tensorOf = (bytes: Uint8Array, { type, dims }: ReferenceTensor) => {
    const copy = bytes.slice().buffer;
    switch (type) {
      case 'f32':
        return new runtime.Tensor('float32', new Float32Array(copy), dims);
      case 'i8':
        return new runtime.Tensor('int8', new Int8Array(copy), dims);
      case 'u8':
        return new runtime.Tensor('uint8', new Uint8Array(copy), dims);
      case 'i32':
        return new runtime.Tensor('int32', new Int32Array(copy), dims);
    }
  };
  return {
    runtime: 'ONNX Runtime (WebAssembly)',
    inputs,
    outputs,
    run: async (input) => {
      const [first] = inputs;
      if (first === undefined) throw new ModelImportError(name, ['it has no input']);
      const results = await session.run({ [first.name]: tensorOf(input, first) });
      return outputs.map((output) => results[output.name]?.data as ReferenceValues);
    },
  };
};
