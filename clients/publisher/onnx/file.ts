import { readConstant, type Constant } from './constant.js';
import { OnnxNode } from './node.js';
import { OperatorProblem } from './problem.js';
import { decodeModel, type TensorMessage, type ValueInfoMessage } from './schema.js';

/** Versions of ONNX's own operator set that are understood; of older ones only some operators (converters.ts). */
export const OPSETS = { least: 7, most: 21 } as const;

/** Opens a file beside the model by its name; undefined: there is none. */
export type BesideModel = (name: string) => Uint8Array | undefined;

export interface OnnxFile {
  readonly nodes: readonly OnnxNode[];
  readonly constants: ReadonlyMap<string, Constant>;
  /** What has to be given, without what has a value already. */
  readonly inputs: readonly ValueInfoMessage[];
  readonly outputs: readonly ValueInfoMessage[];
  /** Problems of single constants. */
  readonly problems: readonly string[];
}

/** The bytes of a tensor that is kept in another file. */
const externalBytes = ({ external }: TensorMessage, beside: BesideModel): Uint8Array => {
  const entries = new Map(external.map(({ key, value }) => [key, value]));
  const location = entries.get('location') ?? '';
  if (location === '' || /(^|[\\/])\.\.([\\/]|$)|^[\\/]|^[A-Za-z]:|\0/.test(location))
    throw new OperatorProblem(`has its values in "${location}", which is not a file beside the model`);
  const bytes = beside(location);
  if (bytes === undefined)
    throw new OperatorProblem(
      `has its values in "${location}", which is missing: it belongs beside the model`,
    );
  const number = (key: string, otherwise: number): number => {
    const text = entries.get(key);
    const value = text === undefined ? otherwise : /^\d{1,15}$/.test(text) ? Number(text) : -1;
    if (value < 0) throw new OperatorProblem(`has the impossible ${key} "${text}" in "${location}"`);
    return value;
  };
  const offset = number('offset', 0);
  const length = number('length', bytes.length - offset);
  if (offset > bytes.length || length > bytes.length - offset)
    throw new OperatorProblem(
      `lies at ${offset} to ${offset + length} of "${location}", which has ${bytes.length} bytes`,
    );
  return bytes.subarray(offset, offset + length);
};

const EXTERNAL = 1;

/**
 * Reads the messages of a model file.
 * @throws OperatorProblem where it is no ONNX file, or one of a version that is not understood
 */
export const readOnnxFile = (bytes: Uint8Array, beside: BesideModel): OnnxFile => {
  let model;
  try {
    model = decodeModel(bytes);
  } catch (error) {
    throw new OperatorProblem(`not an ONNX model, or damaged: ${(error as Error).message}`);
  }
  const { graph } = model;
  if (graph === null || graph.nodes.length === 0)
    throw new OperatorProblem('not an ONNX model, or damaged: no operators in it');
  const opset = model.opsets.find(({ domain }) => domain === '' || domain === 'ai.onnx')?.version;
  if (opset === undefined || opset < 1 || opset > OPSETS.most)
    throw new OperatorProblem(
      `uses operator set ${opset ?? 'unknown'}; ${OPSETS.least} to ${OPSETS.most} are understood: convert it with ONNX's version converter`,
    );
  if (graph.sparse.length > 0) throw new OperatorProblem('has sparse weights, which are not supported');
  const problems: string[] = [];
  const constants = new Map<string, Constant>();
  for (const tensor of graph.initializers) {
    try {
      const raw = tensor.location === EXTERNAL ? externalBytes(tensor, beside) : undefined;
      constants.set(tensor.name, readConstant(tensor, raw));
    } catch (error) {
      if (!(error instanceof OperatorProblem)) throw error;
      problems.push(`constant ${tensor.name} ${error.message}`);
    }
  }
  const initialized = new Set(graph.initializers.map(({ name }) => name));
  const versions = new Map(model.opsets.map(({ domain, version }) => [domain, version]));
  return {
    nodes: graph.nodes.map(
      (node, i) => new OnnxNode(node, i, node.domain === '' ? opset : (versions.get(node.domain) ?? opset)),
    ),
    constants,
    inputs: graph.inputs.filter(({ name }) => !initialized.has(name)),
    outputs: graph.outputs,
    problems,
  };
};
