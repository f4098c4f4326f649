import {
  GRAPH_MAGIC,
  HEADER_BYTES,
  Layout,
  MAX_OP_INPUTS,
  NO_TENSOR,
  OP_BYTES,
  OpCode,
  Place,
  TENSOR_BYTES,
} from './szg1.js';

export type LifeKind = 'input' | 'activation' | 'lines' | 'scratch' | 'output';

/** One tensor's piece of the arena, from operator `first` to operator `last`, both included. */
export interface Life {
  readonly kind: LifeKind;
  readonly name: string;
  readonly offset: number;
  readonly bytes: number;
  /** -1: written by the caller, before the first operator. */
  readonly first: number;
  /** The number of operators: read by the caller, after the last one. */
  readonly last: number;
}

/** A memory plan as the device sees it. */
export interface PlanOverTime {
  readonly arena: number;
  /** Operators in order, by name and number. */
  readonly operations: readonly string[];
  /** How many operators at the beginning run together, row by row. */
  readonly bands: number;
  readonly lives: readonly Life[];
  /** Bytes in use before the first operator, during each, and after the last one. */
  readonly inUse: readonly number[];
  /** Where most is in use: no placement of these tensors needs less. */
  readonly peak: { readonly operation: number; readonly bytes: number };
}

interface TensorRecord {
  readonly dtype: string;
  readonly place: number;
  readonly layout: number;
  readonly dims: readonly number[];
  readonly offset: number;
  readonly bytes: number;
}

interface OpRecord {
  readonly name: string;
  readonly inputs: readonly number[];
  readonly output: number;
  readonly scratch: number;
}

const CODES = new Map<number, string>(Object.entries(OpCode).map(([name, code]) => [code, name]));
const DTYPES = ['?', 'f32', 'i8', 'i32'];

/**
 * Reads from a graph (ta/tinylib/graph.h) when each tensor of its arena is in use.
 * @throws RangeError where the bytes are no whole graph
 */
export const readPlan = (graph: Uint8Array): PlanOverTime => {
  const view = new DataView(graph.buffer, graph.byteOffset, graph.byteLength);
  const u16 = (at: number): number => view.getUint16(at, true);
  const u32 = (at: number): number => view.getUint32(at, true);
  if (u32(0) !== GRAPH_MAGIC || u32(4) !== graph.length) throw new RangeError('these bytes are no graph');
  const [tensorCount, opCount, input, outputCount, bands] = [u16(12), u16(14), u16(18), u16(20), u16(22)];
  const tensorsAt = HEADER_BYTES + Math.ceil((4 * u16(16)) / 8) * 8;
  const tensors = Array.from({ length: tensorCount }, (_, i) => {
    const at = tensorsAt + i * TENSOR_BYTES;
    const dims = Array.from({ length: Math.min(view.getUint8(at + 2), 4) }, (_, k) => u32(at + 8 + 4 * k));
    return {
      dtype: DTYPES[view.getUint8(at)] ?? '?',
      place: view.getUint8(at + 1),
      layout: view.getUint8(at + 3),
      dims,
      offset: u32(at + 32),
      bytes: u32(at + 36),
    };
  });
  const operations = Array.from({ length: opCount }, (_, i): OpRecord => {
    const at = tensorsAt + tensorCount * TENSOR_BYTES + i * OP_BYTES;
    return {
      name: `${CODES.get(view.getUint8(at)) ?? '?'} ${i}`,
      inputs: Array.from({ length: MAX_OP_INPUTS }, (_, k) => u16(at + 8 + 2 * k)),
      output: u16(at + 24),
      scratch: u16(at + 4),
    };
  });
  const outputs = Array.from({ length: Math.min(outputCount, 8) }, (_, i) => u16(32 + 2 * i));
  const lives = livesOf(tensors, operations, input, outputs, bands);
  const inUse = Array.from({ length: opCount + 2 }, (_, i) => unionAt(lives, i - 1));
  const most = Math.max(...inUse);
  return {
    arena: u32(24),
    operations: operations.map(({ name }) => name),
    bands,
    lives,
    inUse,
    peak: { operation: inUse.indexOf(most) - 1, bytes: most },
  };
};

const livesOf = (
  tensors: readonly TensorRecord[],
  operations: readonly OpRecord[],
  input: number,
  outputs: readonly number[],
  bands: number,
): Life[] => {
  const lives = new Map<number, { first: number; last: number; kind: LifeKind; of: string }>();
  // Operators in bands run together: what one of them uses is used as long as all of them run.
  const start = (i: number): number => (i < bands ? 0 : i);
  const end = (i: number): number => (i < bands ? bands - 1 : i);
  const write = (tensor: number, i: number, kind: LifeKind, of: string): void => {
    if (!lives.has(tensor)) lives.set(tensor, { first: start(i), last: end(i), kind, of });
  };
  const read = (tensor: number, i: number): void => {
    const life = lives.get(tensor);
    if (life) life.last = Math.max(life.last, i);
  };
  lives.set(input, { first: -1, last: -1, kind: 'input', of: 'the input' });
  for (const [i, { name, inputs, output, scratch }] of operations.entries()) {
    for (const tensor of inputs) read(tensor, end(i));
    if (scratch !== NO_TENSOR) write(scratch, i, 'scratch', `scratch of ${name}`);
    const kind = outputs.includes(output)
      ? 'output'
      : tensors[output]?.layout === Layout.lines
        ? 'lines'
        : 'activation';
    write(output, i, kind, `${kind === 'lines' ? 'rows' : 'output'} of ${name}`);
  }
  for (const tensor of outputs) read(tensor, operations.length);
  return [...lives].flatMap(([number, { first, last, kind, of }]) => {
    const tensor = tensors[number];
    if (tensor?.place !== Place.arena) return [];
    const name = kind === 'scratch' ? of : `${of}: ${tensor.dims.join('x')} ${tensor.dtype}`;
    return [{ kind, name, offset: tensor.offset, bytes: tensor.bytes, first, last }];
  });
};

/** Bytes in use at an operator; what shares memory counts once. */
const unionAt = (lives: readonly Life[], i: number): number => {
  const pieces = lives
    .filter(({ first, last }) => first <= i && i <= last)
    .sort((a, b) => a.offset - b.offset);
  let [sum, end] = [0, 0];
  for (const { offset, bytes } of pieces) {
    sum += Math.max(0, offset + bytes - Math.max(end, offset));
    end = Math.max(end, offset + bytes);
  }
  return sum;
};
