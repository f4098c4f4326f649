import { ModelImportError } from '../import-error.js';
import type { Boundary, Network, Tensor } from '../network.js';
import { readConstant, typeName, type Constant } from './constant.js';
import { computedFrom, Conversion, shapeOf, usualOrder, type Computed } from './conversion.js';
import { readOnnxFile, type BesideModel, type OnnxFile } from './file.js';
import { foldAffine } from './fold-affine.js';
import { fuseHardSwish } from './fuse-hard-swish.js';
import { inputQuantisation, planQuantisation, startsWithChannelsLast } from './plan.js';
import { OperatorProblem } from './problem.js';
import { decodeTensor, type ValueInfoMessage } from './schema.js';
import { orderOf } from './view.js';
import { convertNode, isKnown } from './converters.js';

export interface OnnxOptions {
  /** Values of inputs that are to be constants, by name: files of TensorProto, as ONNX's own test cases have them. */
  readonly inputs?: ReadonlyMap<string, Uint8Array>;
  /** Opens a file beside the model, for weights that are kept apart. */
  readonly beside?: BesideModel;
}

/** Which of the model's dimensions the dimensions of a tensor are. */
export interface OnnxEdge {
  readonly dims: readonly number[];
  readonly order: readonly number[];
}

export interface ImportedOnnx {
  readonly network: Network;
  readonly input: OnnxEdge;
  readonly outputs: readonly OnnxEdge[];
}

/** ONNX numbers of the types that a model may take. */
const INPUT_TYPES: ReadonlyMap<number, Computed['type']> = new Map<number, Computed['type']>([
  [1, 'f32'],
  [2, 'u8'],
  [3, 'i8'],
  [10, 'f32'],
]);

const inputDims = ({ type }: ValueInfoMessage): number[] => {
  const shape = type?.tensor?.shape;
  if (shape === undefined || shape === null)
    throw new OperatorProblem('has no shape: export the model with one');
  return shape.dims.map(({ value, parameter }, i) => {
    if (value >= 1 && value < 2 ** 31) return value;
    if (value === 0 && i === 0) return 1;
    throw new OperatorProblem(
      value === 0
        ? `varies in dimension ${i}${parameter === '' ? '' : ` (${parameter})`}: export the model with a fixed size`
        : `has ${value} elements along dimension ${i}`,
    );
  });
};

/** Every problem of a real model, but not of a file that is made of problems. */
const MOST_PROBLEMS = 500;

/** What importing may make of a small file, in bytes. */
const LEAST_BUDGET = 2 ** 27;

const givenConstant = (name: string, bytes: Uint8Array): Constant => {
  let message;
  try {
    message = decodeTensor(bytes);
  } catch (error) {
    throw new OperatorProblem(`is given as a damaged tensor: ${(error as Error).message}`);
  }
  return { ...readConstant(message), name };
};

/** Pictures stay as they lie in memory; other outputs have the model's order. */
const finish = (
  conversion: Conversion,
  value: Computed,
  input: Tensor,
): { tensor: Tensor; edge: OnnxEdge } => {
  const dims = shapeOf(value);
  const plain = dims.map((_, i) => i);
  const order = orderOf(value.view, usualOrder(dims.length));
  const kept =
    order?.length === 4 && [plain.join(), usualOrder(4).join()].includes(order.join()) ? order : undefined;
  const final = kept ?? (dims.length === 4 ? usualOrder(4) : plain);
  const arranged = conversion.arranged({ origin: 'output' }, value, final);
  const seen = computedFrom(arranged, final, value.type);
  let { tensor } = (value.type === 'f32' ? conversion.dequantised({ origin: 'output' }, seen) : seen).view;
  if (tensor === input) {
    // A graph computes something, be it a copy.
    const copy = conversion.make(tensor.dims, tensor.quantisation);
    conversion.emit({ origin: 'output' }, { code: 'RESHAPE', inputs: [tensor], output: copy });
    tensor = copy;
  }
  return { tensor, edge: { dims: tensor.dims, order: final } };
};

const boundaryOf = ({ dtype, quantisation }: Tensor, type: Computed['type']): Boundary['input'] =>
  dtype === 'f32' || quantisation === undefined || type === 'f32'
    ? { type: 'f32' }
    : {
        type,
        quantisation: { ...quantisation, zeroPoint: quantisation.zeroPoint + (type === 'u8' ? 128 : 0) },
      };

/** Outputs are called what the model calls them, also where a value got its name before it was renamed. */
const nameOutputs = (network: Network, { outputs }: OnnxFile): void => {
  const named = new Map<Tensor, Tensor>();
  for (const [i, tensor] of network.outputs.entries())
    if (!named.has(tensor)) named.set(tensor, { ...tensor, name: outputs[i]?.name ?? tensor.name });
  for (const operation of network.operations) {
    operation.inputs = operation.inputs.map((input) => (input && named.get(input)) ?? input);
    operation.output = named.get(operation.output) ?? operation.output;
  }
  network.outputs = network.outputs.map((tensor) => named.get(tensor) ?? tensor);
};

/** As `importOnnx`, with the order of dimensions at the edges. */
export const importOnnxModel = (
  bytes: Uint8Array,
  name = 'model',
  options: OnnxOptions = {},
): ImportedOnnx => {
  const problems: string[] = [];
  /** Runs one step and keeps its problem for the list. */
  const attempt = <T>(what: string, step: () => T): T | undefined => {
    try {
      return step();
    } catch (error) {
      if (!(error instanceof OperatorProblem)) throw error;
      problems.push(what === '' ? error.message : `${what} ${error.message}`);
      return undefined;
    }
  };
  const giveUp = (): never => {
    const more = problems.length - MOST_PROBLEMS;
    const named = problems.slice(0, MOST_PROBLEMS);
    throw new ModelImportError(name, more > 0 ? [...named, `and ${more} other problems`] : named);
  };

  /** Shapes are not known then, but what is not supported at all is. */
  const giveUpBefore = (nodes: OnnxFile['nodes']): never => {
    for (const node of nodes) if (!isKnown(node)) problems.push(`${node.place} is not supported`);
    return giveUp();
  };

  const file: OnnxFile =
    attempt('', () => readOnnxFile(bytes, options.beside ?? (() => undefined))) ?? giveUp();
  problems.push(...file.problems);
  const given = options.inputs ?? new Map<string, Uint8Array>();
  const [declared, ...others] = file.inputs.filter((input) => !given.has(input.name));
  if (declared === undefined || others.length > 0) {
    const names = file.inputs.map((input) => input.name).join(', ');
    problems.push(`the model has ${file.inputs.length} inputs (${names}), one is expected`);
    return giveUpBefore(file.nodes);
  }
  const constants = new Map(file.constants);
  for (const [key, tensor] of given) {
    const value = attempt(`input ${key}`, () => givenConstant(key, tensor));
    if (value !== undefined) constants.set(key, value);
  }
  const known: OnnxFile = { ...file, constants };
  const conversion = new Conversion(planQuantisation(known), LEAST_BUDGET + 8 * bytes.length);
  for (const [key, constant] of constants) attempt(`constant ${key}`, () => conversion.set(key, constant));
  const element = declared.type?.tensor?.element ?? 0;
  const type = INPUT_TYPES.get(element);
  const input = attempt(`input ${declared.name}`, () => {
    if (type === undefined) throw new OperatorProblem(`is of type ${typeName(element)}`);
    const dims = inputDims(declared);
    const order =
      dims.length === 4 && startsWithChannelsLast(file, declared.name)
        ? [0, 1, 2, 3]
        : usualOrder(dims.length);
    const shape = order.map((axis) => dims[axis] ?? 1);
    const quantisation = type === 'f32' ? undefined : inputQuantisation(known, declared.name, type);
    const tensor = conversion.make(shape, quantisation, declared.name);
    conversion.set(declared.name, computedFrom(tensor, order.length === 0 ? [] : order, type));
    return { tensor, edge: { dims: tensor.dims, order } };
  });
  if (input === undefined || type === undefined) return giveUpBefore(file.nodes);
  for (const node of file.nodes) {
    if (conversion.readsFailed(node)) {
      // Its problem would only be a consequence; but what is not supported at all is said in the same run.
      if (!isKnown(node)) problems.push(`${node.place} is not supported`);
      conversion.fail(node);
      continue;
    }
    const before = problems.length;
    conversion.naming = node.outputs.find((output) => output !== '') ?? '';
    attempt(node.place, () => convertNode(conversion, node));
    if (problems.length > before) conversion.fail(node);
    if (conversion.exhausted) return giveUp();
  }
  const outputs = file.outputs
    .filter((output) => !conversion.isFailed(output.name))
    .map((output) =>
      attempt(`output ${output.name}`, () => {
        conversion.naming = output.name;
        const value = conversion.value(output.name);
        if (value.kind === 'constant') throw new OperatorProblem('is not computed');
        const { tensor, edge } = finish(conversion, value, input.tensor);
        return { tensor, edge, boundary: boundaryOf(tensor, value.type) };
      }),
    )
    .filter((output) => output !== undefined);
  if (outputs.length === 0 && problems.length === 0) problems.push('the model has no output');
  if (problems.length > 0) return giveUp();
  const network: Network = {
    input: input.tensor,
    outputs: outputs.map(({ tensor }) => tensor),
    operations: conversion.operations,
    boundary: { input: boundaryOf(input.tensor, type), outputs: outputs.map(({ boundary }) => boundary) },
  };
  foldAffine(network);
  fuseHardSwish(network);
  nameOutputs(network, file);
  return { network, input: input.edge, outputs: outputs.map(({ edge }) => edge) };
};

/**
 * Reads an .onnx file into a network of S-Tinylib operators: operator sets 7 to 21, float32, float16 (computed as float32), int8 and
 * uint8 between QuantizeLinear and DequantizeLinear. NCHW becomes NHWC, frames included.
 *
 * @param bytes the file; not kept
 * @param name for messages, usually the file's name
 * @throws ModelImportError naming every operator that stands in the way, or what is wrong with the file
 */
export const importOnnx = (bytes: Uint8Array, name = 'model', options: OnnxOptions = {}): Network =>
  importOnnxModel(bytes, name, options).network;
