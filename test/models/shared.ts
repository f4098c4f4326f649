import { existsSync, readFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Models, photographs and tools that the project is measured with; absent in a fresh clone. */
export const shared = path.resolve(process.env['SMART_ZONE_SHARED'] ?? '../shared');

/** `describe`, skipped with a message where the shared folder, the oracle or the engine tool is not there. */
export const describeWithOracle: jest.Describe = (() => {
  const needed = [
    path.join(shared, 'models'),
    path.join(shared, 'tools/tflite-oracle/tflite-oracle.js'),
    'node_modules/@tensorflow/tfjs-tflite/wasm',
    'build/ctest/engine_run',
  ];
  const missing = needed.filter((file) => !existsSync(file));
  if (missing.length === 0) return describe;
  console.warn(
    `skipped: comparison with TFLite: missing ${missing.join(', ')} (SMART_ZONE_SHARED, make -C ta/test)`,
  );
  return describe.skip;
})();

export const sharedFile = (name: string): Uint8Array => new Uint8Array(readFileSync(path.join(shared, name)));

export interface OracleTensor {
  readonly name: string;
  /** Comma separated. */
  readonly shape: string;
  readonly dataType: string;
  data(): Float32Array | Int8Array | Uint8Array | Int32Array;
}

/** The names that tools/tflite-oracle gives. */
export interface Oracle {
  readonly inputs: readonly OracleTensor[];
  readonly outputs: readonly OracleTensor[];
  run(): void;
}

interface OracleModule {
  readonly load: (file: string, wasmDirectory: string) => Promise<Oracle>;
}

export const loadOracle = async (model: Uint8Array): Promise<Oracle> => {
  const require = createRequire(path.resolve('package.json'));
  const { load } = require(path.join(shared, 'tools/tflite-oracle/tflite-oracle.js')) as OracleModule;
  const folder = mkdtempSync(path.join(tmpdir(), 'smart-zone-oracle-'));
  try {
    const file = path.join(folder, 'model.tflite');
    writeFileSync(file, model);
    return await load(file, path.resolve('node_modules/@tensorflow/tfjs-tflite/wasm') + path.sep);
  } finally {
    rmSync(folder, { recursive: true });
  }
};

/** Runs the oracle on an input tensor's bytes; copies of the outputs as numbers. */
export const runOracle = (oracle: Oracle, input: Uint8Array): number[][] => {
  const [tensor] = oracle.inputs;
  if (tensor === undefined) throw new Error('the oracle has no input');
  const target = tensor.data();
  if (target.byteLength !== input.length)
    throw new Error(`the oracle takes ${target.byteLength} bytes, not ${input.length}`);
  new Uint8Array(target.buffer, target.byteOffset, target.byteLength).set(input);
  oracle.run();
  return oracle.outputs.map((output) => Array.from(output.data()));
};
