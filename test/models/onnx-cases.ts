import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { EngineTool } from '../../clients/publisher/index.js';
import { normalisationOf } from '../../clients/publisher/normalisation.js';
import { permuteConstant, readConstant, type Constant } from '../../clients/publisher/onnx/constant.js';
import { readOnnxFile } from '../../clients/publisher/onnx/file.js';
import { importOnnxModel, type OnnxEdge } from '../../clients/publisher/onnx/import.js';
import { decodeTensor } from '../../clients/publisher/onnx/schema.js';
import { packNetwork } from '../../clients/publisher/packing/pack-network.js';
import { simplify } from '../../clients/publisher/simplify.js';
import { writeGraph } from '../../clients/publisher/write-graph.js';
import { originalOutputs } from './comparison.js';

/** ONNX's own test cases, as Debian's package libonnx-testdata installs them. */
export const CASES_FOLDER = '/usr/share/libonnx-testdata/data';

/** One model with inputs and the outputs that it must give. */
export interface OnnxCase {
  /** Folder and name: `node/test_relu`. */
  readonly name: string;
  readonly model: Uint8Array;
}

const bytesOf = (path: string): Uint8Array => new Uint8Array(readFileSync(path));

export const casesIn = (group: string): OnnxCase[] =>
  readdirSync(join(CASES_FOLDER, group))
    .sort()
    .map((name) => ({ name: `${group}/${name}`, model: join(CASES_FOLDER, group, name, 'model.onnx') }))
    .filter(({ model }) => existsSync(model))
    .map(({ name, model }) => ({ name, model: bytesOf(model) }));

/** The operators of a case, or of a file that is none: nothing. */
export const operatorsOf = (model: Uint8Array): string[] => {
  try {
    return readOnnxFile(model, () => undefined).nodes.map(({ operator }) => operator);
  } catch {
    return [];
  }
};

const tensorFile = (test: OnnxCase, kind: 'input' | 'output', n: number): Uint8Array =>
  bytesOf(join(CASES_FOLDER, test.name, 'test_data_set_0', `${kind}_${n}.pb`));

/** A tensor of the file in the order of the engine's. */
const inOrder = (constant: Constant, { order }: OnnxEdge): Constant => permuteConstant(constant, order);

const frameOf = ({ type, data }: Constant): { format: 'f32' | 'i8'; frame: Uint8Array } => {
  if (type === 'u8') return { format: 'i8', frame: Uint8Array.from(data, (value) => value ^ 0x80) };
  if (type === 'i8') return { format: 'i8', frame: Uint8Array.from(data, (value) => value & 0xff) };
  return { format: 'f32', frame: new Uint8Array(Float32Array.from(data).buffer) };
};

export interface CaseOutcome {
  readonly actual: readonly number[];
  readonly expected: readonly number[];
  readonly type: Constant['type'];
}

/** All inputs but the first, with the case's own values. */
export const boundInputs = (test: OnnxCase): Map<string, Uint8Array> => {
  const { inputs } = readOnnxFile(test.model, () => undefined);
  return new Map(inputs.slice(1).map(({ name }, i) => [name, tensorFile(test, 'input', i + 1)]));
};

/**
 * Imports and runs a case. Many of ONNX's cases have their weights as inputs: all inputs but the first are bound to the case's values, as
 * constants.
 * @throws ModelImportError where the model cannot be imported
 */
export const runCase = async (test: OnnxCase): Promise<CaseOutcome[]> => {
  const model = importOnnxModel(test.model, test.name, { inputs: boundInputs(test) });
  const network = simplify(model.network);
  const graph = writeGraph(packNetwork(network, { target: 'ref', mostBytes: 2 ** 30 }), {
    head: undefined,
    target: 'ref',
    normalisation: normalisationOf(network, undefined),
    segmentBytes: 128 * 1024,
    mostSegmentBytes: 2 ** 30,
  });
  const { format, frame } = frameOf(
    inOrder(readConstant(decodeTensor(tensorFile(test, 'input', 0))), model.input),
  );
  const run = await EngineTool.find().infer(graph, format, frame);
  return originalOutputs(run, network.boundary).map((actual, i) => {
    const edge = model.outputs[i];
    if (edge === undefined) throw new Error(`no output ${i}`);
    const expected = readConstant(decodeTensor(tensorFile(test, 'output', i)));
    return { actual, expected: Array.from(inOrder(expected, edge).data), type: expected.type };
  });
};
