import { existsSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import { looksLikeCfg } from './darknet/cfg.js';
import { importDarknet } from './darknet/import.js';
import { ModelImportError } from './import-error.js';
import type { Network } from './network.js';
import type { BesideModel } from './onnx/file.js';
import { importOnnx } from './onnx/import.js';
import { importTflite } from './tflite/import.js';

interface Format {
  readonly name: string;
  readonly extension: string;
  /** What files of this kind begin with. */
  readonly recognises: (bytes: Uint8Array) => boolean;
  readonly read: (bytes: Uint8Array, name: string, beside: BesideModel) => Network;
}

const textAt = (bytes: Uint8Array, at: number, length: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('latin1', at, at + length);

/** The key of ModelProto's ir_version, which writers put first, and a version of few bits behind it. */
const startsLikeOnnx = ([key, version = 0]: Uint8Array): boolean =>
  key === 0x08 && version > 0 && version < 0x80;

const FORMATS: readonly Format[] = [
  {
    name: 'TensorFlow Lite',
    extension: '.tflite',
    // The file identifier of its FlatBuffers schema.
    recognises: (bytes) => textAt(bytes, 4, 4) === 'TFL3',
    read: importTflite,
  },
  {
    name: 'ONNX',
    extension: '.onnx',
    recognises: startsLikeOnnx,
    read: (bytes, name, beside) => importOnnx(bytes, name, { beside }),
  },
  {
    name: 'Darknet',
    extension: '.cfg',
    recognises: looksLikeCfg,
    read: (bytes, name, beside) =>
      importDarknet(bytes, beside(`${basename(name, extname(name))}.weights`), name),
  },
];

/** By its content, or where that says nothing (a damaged file), by its name. */
const formatOf = (bytes: Uint8Array, name: string): Format | undefined =>
  FORMATS.find(({ extension, recognises }) => name.endsWith(extension) && recognises(bytes)) ??
  FORMATS.find(({ extension }) => name.endsWith(extension)) ??
  FORMATS.find(({ recognises }) => recognises(bytes));

/** Is it a model that `importModel` reads, rather than a package? */
export const isModelFile = (bytes: Uint8Array, name: string): boolean => formatOf(bytes, name) !== undefined;

/** Files in the folder of a model, by name. @param weights where its .weights file is, if not there */
export const filesBeside =
  (model: string, weights?: string): BesideModel =>
  (name) => {
    const path = weights !== undefined && extname(name) === '.weights' ? weights : join(dirname(model), name);
    return existsSync(path) && statSync(path).isFile() ? new Uint8Array(readFileSync(path)) : undefined;
  };

/**
 * Reads a model of any format that is known here: TensorFlow Lite, ONNX, Darknet.
 *
 * @param name the file's path: for messages, and to find files that belong to the model and lie beside it
 * @param beside opens these; default: from the folder
 * @throws ModelImportError naming every operator that stands in the way, or what is wrong with the file
 */
export const importModel = (
  bytes: Uint8Array,
  name: string,
  beside: BesideModel = filesBeside(name),
): Network => {
  const format = formatOf(bytes, name);
  if (format === undefined) {
    const known = FORMATS.map((one) => `${one.name} (${one.extension})`).join(', ');
    throw new ModelImportError(name, [`not a model of a known format: ${known}`]);
  }
  return format.read(bytes, name, beside);
};
