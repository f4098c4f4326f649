import type { Quantisation } from '../network.js';
import { readConstant, type Constant } from './constant.js';
import type { OnnxFile } from './file.js';
import type { OnnxNode } from './node.js';
import { OperatorProblem } from './problem.js';
import { fileQuantisation, tensorQuantisation } from './quantise.js';

/** Operators behind which a value's quantisation may be decided already before them: they change no value, or only clamp. */
const PASSING: ReadonlySet<string> = new Set([
  'Relu',
  'Clip',
  'MaxPool',
  'GlobalMaxPool',
  'Reshape',
  'Flatten',
  'Squeeze',
  'Unsqueeze',
  'Transpose',
  'Identity',
  'Dropout',
  'DepthToSpace',
  'SpaceToDepth',
]);

/** Readers of a value, by its name. */
const readersOf = (file: OnnxFile): Map<string, OnnxNode[]> => {
  const readers = new Map<string, OnnxNode[]>();
  for (const node of file.nodes)
    for (const name of new Set(node.inputs)) {
      const list = readers.get(name);
      if (list === undefined) readers.set(name, [node]);
      else list.push(node);
    }
  return readers;
};

/** Initialisers, and what `Constant` nodes of the file hold. */
const storedConstants = (file: OnnxFile): ((name: string | undefined) => Constant | undefined) => {
  const nodes = new Map(
    file.nodes.filter(({ operator }) => operator === 'Constant').map((node) => [node.outputs[0], node]),
  );
  return (name) => {
    if (name === undefined || name === '') return undefined;
    const tensor = nodes.get(name)?.tensor('value');
    return file.constants.get(name) ?? (tensor && readConstant(tensor));
  };
};

const attempt = <T>(step: () => T): T | undefined => {
  try {
    return step();
  } catch (error) {
    if (error instanceof OperatorProblem) return undefined;
    throw error;
  }
};

/**
 * Where QuantizeLinear follows, an operator between quantised values writes int8 itself. Problems with scales are reported when the
 * nodes themselves are converted.
 * @returns value name -> its quantisation
 */
export const planQuantisation = (file: OnnxFile): Map<string, Quantisation> => {
  const readers = readersOf(file);
  const stored = storedConstants(file);
  const outputs = new Set(file.outputs.map(({ name }) => name));
  const planned = new Map<string, Quantisation>();
  const quantisationBy = (node: OnnxNode): Quantisation | undefined =>
    attempt(() => {
      const scale = stored(node.inputs[1]);
      if (scale === undefined) return undefined;
      const otherwise = node.int('output_dtype', 2) === 3 ? 'i8' : 'u8';
      return tensorQuantisation(fileQuantisation(scale, stored(node.inputs[2]), otherwise));
    });
  for (const node of file.nodes.toReversed())
    for (const name of node.outputs) {
      const [reader, ...others] = readers.get(name) ?? [];
      if (reader === undefined || outputs.has(name) || reader.inputs[0] !== name) continue;
      let quantisation: Quantisation | undefined;
      if (reader.operator === 'QuantizeLinear') {
        quantisation = quantisationBy(reader);
        const alike = (other: OnnxNode): boolean => {
          const theirs = other.operator === 'QuantizeLinear' ? quantisationBy(other) : undefined;
          return theirs?.scale === quantisation?.scale && theirs?.zeroPoint === quantisation?.zeroPoint;
        };
        if (!others.every(alike)) continue;
      } else if (PASSING.has(reader.operator) && others.length === 0) {
        quantisation = planned.get(reader.outputs[0] ?? '');
      }
      if (quantisation !== undefined) planned.set(name, quantisation);
    }
  return planned;
};

/** Operators that read integers together with their scale: at which inputs. */
const SCALE_AT: ReadonlyMap<string, number> = new Map([
  ['DequantizeLinear', 1],
  ['QLinearConv', 1],
  ['QLinearMatMul', 1],
]);

/** What integers at the model's input mean: as the first operator that says it does; otherwise themselves. */
export const inputQuantisation = (file: OnnxFile, input: string, type: 'u8' | 'i8'): Quantisation => {
  const readers = readersOf(file);
  const stored = storedConstants(file);
  const seen = new Set<string>();
  const names = [input];
  for (let name = names.pop(); name !== undefined; name = names.pop()) {
    if (seen.has(name)) continue;
    seen.add(name);
    for (const reader of readers.get(name) ?? []) {
      const at = SCALE_AT.get(reader.operator);
      const scale = at === undefined ? undefined : stored(reader.inputs[at]);
      const found =
        scale &&
        attempt(() =>
          tensorQuantisation(fileQuantisation(scale, stored(reader.inputs[(at ?? 0) + 1]), type)),
        );
      if (found !== undefined) return found;
      if (PASSING.has(reader.operator)) names.push(...reader.outputs);
    }
  }
  return { scale: 1, zeroPoint: type === 'u8' ? -128 : 0 };
};

const MOVES_CHANNELS_FIRST = '0,3,1,2';
const ELEMENTWISE: ReadonlySet<string> = new Set([
  'Add',
  'Cast',
  'DequantizeLinear',
  'Div',
  'Identity',
  'Mul',
  'QuantizeLinear',
  'Sub',
]);

/** Does the model take its picture as rows of pixels, and turns it into NCHW itself? */
export const startsWithChannelsLast = (file: OnnxFile, input: string): boolean => {
  const readers = readersOf(file);
  let name = input;
  for (let steps = 0; steps < file.nodes.length; steps++) {
    const [reader, another] = readers.get(name) ?? [];
    if (reader === undefined || another !== undefined) return false;
    if (reader.operator === 'Transpose') return reader.ints('perm')?.join(',') === MOVES_CHANNELS_FIRST;
    if (!ELEMENTWISE.has(reader.operator)) return false;
    name = reader.outputs[0] ?? '';
  }
  return false;
};
