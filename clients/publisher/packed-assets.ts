import { existsSync, readFileSync } from 'node:fs';
import { ModelImportError } from './import-error.js';

interface Entry {
  readonly filename: string;
  readonly start: number;
  readonly end: number;
}

const isEntry = (value: unknown): value is Entry => {
  if (typeof value !== 'object' || value === null) return false;
  const { filename, start, end } = value as Partial<Record<keyof Entry, unknown>>;
  return typeof filename === 'string' && Number.isSafeInteger(start) && Number.isSafeInteger(end);
};

/** The table of files in the script that Emscripten's file packager writes: `loadPackage({"files": […], …})`. */
const readTable = (loader: string): readonly Entry[] | undefined => {
  const text = /loadPackage\(\s*(\{\s*"files":\s*\[[^\]]*\][^{}]*\})\s*\)/.exec(loader)?.[1];
  if (text === undefined) return undefined;
  try {
    const { files } = JSON.parse(text) as { files?: unknown };
    return Array.isArray(files) && files.every(isEntry) ? files : undefined;
  } catch {
    return undefined;
  }
};

/**
 * Files that were packed one behind the other for a web page, as MediaPipe publishes its models: `NAME.data`, and beside it
 * `NAME_loader.js` that knows where each begins and ends.
 * @returns file name in the package -> bytes (views)
 * @throws ModelImportError where the table is not to be found or does not fit the data
 */
export const unpackAssets = (data: Uint8Array, loader: string, name: string): Map<string, Uint8Array> => {
  const table = readTable(loader);
  if (table === undefined) throw new ModelImportError(name, ['its loader has no table of files']);
  return new Map(
    table.map(({ filename, start, end }) => {
      if (start < 0 || end < start || end > data.length)
        throw new ModelImportError(name, [`${filename} lies at ${start} to ${end} of ${data.length} bytes`]);
      return [filename, data.subarray(start, end)];
    }),
  );
};

/**
 * A model's file; of a `.data` package with its loader beside it, the one TensorFlow Lite model in it.
 * @throws ModelImportError where there is none, or more than one
 */
export const readModelFile = (file: string): Uint8Array => {
  const bytes = new Uint8Array(readFileSync(file));
  const loader = file.replace(/\.data$/, '_loader.js');
  if (loader === file || !existsSync(loader)) return bytes;
  const files = [...unpackAssets(bytes, readFileSync(loader, 'utf8'), file)];
  const models = files.filter(([name]) => name.endsWith('.tflite'));
  const [model, another] = models;
  if (model === undefined || another !== undefined)
    throw new ModelImportError(file, [`${models.length} models in it, one was expected`]);
  return model[1];
};
