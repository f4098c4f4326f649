import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { runInThisContext } from 'node:vm';
import { ModelImportError } from '../import-error.js';
import { MissingRuntimeError } from './missing-runtime.js';
import type { ReferenceModel, ReferenceTensor, ReferenceType, ReferenceValues } from './reference.js';

/** What the package's WebAssembly gives to its own JavaScript; @tensorflow/tfjs-tflite 0.0.1-alpha.10. */
interface WasmVector<T> {
  size(): number;
  get(index: number): T;
}

interface WasmTensor {
  readonly name: string;
  /** Comma separated. */
  readonly shape: string;
  readonly dataType: string;
  data(): ReferenceValues;
}

interface WasmRunner {
  GetInputs(): WasmVector<WasmTensor>;
  GetOutputs(): WasmVector<WasmTensor>;
  Infer(): boolean;
}

interface WasmModule {
  readonly HEAPU8: Uint8Array;
  _malloc(size: number): number;
  readonly TFLiteWebModelRunner: {
    CreateFromBufferAndOptions(
      at: number,
      size: number,
      options: object,
    ): {
      ok(): boolean;
      errorMessage(): string;
      value(): WasmRunner;
    };
  };
}

type WasmFactory = (module: object, exports: object, require: NodeRequire) => ModuleMaker;
type ModuleMaker = (options: object) => Promise<WasmModule>;

const PACKAGE = '@tensorflow/tfjs-tflite';
const BUILD = 'tflite_web_api_cc_simd';

const wasmFolder = (): string => {
  try {
    return join(dirname(createRequire(import.meta.url).resolve(`${PACKAGE}/package.json`)), 'wasm');
  } catch (cause) {
    throw new MissingRuntimeError('TensorFlow Lite for WebAssembly', PACKAGE, { cause });
  }
};

/** The package is made for browsers: its script gets just the globals that it reads. */
const loadWasm = async (): Promise<WasmModule> => {
  const folder = wasmFolder();
  const script = readFileSync(join(folder, `${BUILD}.js`), 'utf8');
  const make = runInThisContext(
    '(function (module, exports, require, process) {' +
      'var window = globalThis, document = { currentScript: { src: "file:///" } };' +
      `${script}; return tflite_web_api_ModuleFactory; })`,
  ) as WasmFactory;
  const silent = (): void => undefined;
  return make(
    {},
    {},
    createRequire(import.meta.url),
  )({
    wasmBinary: readFileSync(join(folder, `${BUILD}.wasm`)),
    print: silent,
    printErr: silent,
  });
};

const listOf = <T>(vector: WasmVector<T>): T[] =>
  Array.from({ length: vector.size() }, (_, i) => vector.get(i));

/** By name, not by class: the arrays may be another context's (node:vm). */
const TYPES: ReadonlyMap<string, ReferenceType> = new Map([
  ['float32', 'f32'],
  ['int8', 'i8'],
  ['uint8', 'u8'],
  ['int32', 'i32'],
]);

const describe = ({ name, shape, dataType }: WasmTensor, file: string): ReferenceTensor => {
  const type = TYPES.get(dataType);
  if (type === undefined) throw new ModelImportError(file, [`${name} is of type ${dataType}`]);
  return { name, dims: shape.split(',').map(Number), type };
};

/**
 * A model in TensorFlow Lite itself, with XNNPACK, on one thread: its WebAssembly build in the npm package @tensorflow/tfjs-tflite.
 * @throws MissingRuntimeError without that package, ModelImportError where TensorFlow Lite refuses the model
 */
export const openTflite = async (model: Uint8Array, name: string): Promise<ReferenceModel> => {
  const wasm = await loadWasm();
  const at = wasm._malloc(model.length);
  wasm.HEAPU8.set(model, at);
  const options = { numThreads: 1, enableProfiling: false, maxProfilingBufferEntries: 1 };
  const made = wasm.TFLiteWebModelRunner.CreateFromBufferAndOptions(at, model.length, options);
  if (!made.ok()) throw new ModelImportError(name, [`TensorFlow Lite refuses it: ${made.errorMessage()}`]);
  const runner = made.value();
  const inputs = listOf(runner.GetInputs());
  const outputs = listOf(runner.GetOutputs());
  return {
    runtime: 'TensorFlow Lite (WebAssembly)',
    inputs: inputs.map((tensor) => describe(tensor, name)),
    outputs: outputs.map((tensor) => describe(tensor, name)),
    run: (input) => {
      const target = inputs[0]?.data();
      if (target?.byteLength !== input.length)
        throw new ModelImportError(name, [`takes ${target?.byteLength ?? 0} bytes, not ${input.length}`]);
      new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set(input);
      if (!runner.Infer()) throw new ModelImportError(name, ['TensorFlow Lite cannot run it']);
      // The heap may move when it grows: tensors are asked for their data anew.
      return Promise.resolve(outputs.map((output) => output.data().slice()));
    },
  };
};
