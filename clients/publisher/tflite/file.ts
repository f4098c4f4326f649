import { FlatbufferError, Table } from './flatbuffer.js';
import { ELEMENT_SIZE, Field, IDENTIFIER, OPERATORS, TENSOR_TYPES, type TensorType } from './schema.js';

/** A tensor as the file has it. */
export interface TfliteTensor {
  readonly index: number;
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: TensorType;
  /** A view into the file; undefined for activations. Its length is checked against shape and type. */
  readonly data: Uint8Array | undefined;
  /** One scale per tensor, or one per slice of `quantizedDimension`; empty where the tensor is not quantised. */
  readonly scales: readonly number[];
  readonly zeroPoints: readonly number[];
  readonly quantizedDimension: number;
  /** What is unusual about it and therefore a reason to refuse it where it is used. */
  readonly peculiarity: string | undefined;
}

export interface TfliteOperator {
  readonly index: number;
  /** BuiltinOperator name, or `CUSTOM <name>`. */
  readonly name: string;
  /** Tensor indices; -1 for an optional input left out. */
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly options: Table | undefined;
}

export interface TfliteFile {
  readonly tensors: readonly TfliteTensor[];
  readonly operators: readonly TfliteOperator[];
  readonly inputs: readonly number[];
  readonly outputs: readonly number[];
  readonly description: string;
}

/** What a device could never run is refused while reading, before it costs memory. */
const MOST = { tensors: 8192, operators: 4096, rank: 8, channels: 65536, operands: 64, elements: 2 ** 28 };

const readTensor = (
  table: Table,
  index: number,
  buffers: readonly Table[],
  file: Uint8Array,
): TfliteTensor => {
  const at = Field.tensor;
  const name = table.string(at.name);
  const where = `tensor ${index} (${name})`;
  const shape = table.int32s(at.shape, MOST.rank);
  const typeNumber = table.int8(at.type);
  const type = TENSOR_TYPES[typeNumber];
  if (type === undefined) throw new FlatbufferError(`${where} has unknown type ${typeNumber}`);
  const signature = table.int32s(at.shapeSignature, MOST.rank);
  let peculiarity: string | undefined;
  if (signature.some((dim, i) => dim < 0 && (i > 0 || shape[0] !== 1)) || shape.some((dim) => dim < 0))
    peculiarity = `a dynamic shape [${(signature.length > 0 ? signature : shape).join(', ')}]`;
  else if (table.has(at.sparsity)) peculiarity = 'sparse contents';
  else if (table.bool(at.isVariable)) peculiarity = 'state that is kept between runs';

  const elements = shape.reduce((product, dim) => product * Math.max(dim, 0), 1);
  if (elements > MOST.elements) throw new FlatbufferError(`${where} has ${elements} elements`);
  const bufferIndex = table.uint32(at.buffer);
  const buffer = buffers[bufferIndex];
  if (buffer === undefined && bufferIndex !== 0)
    throw new FlatbufferError(`${where} names missing buffer ${bufferIndex}`);
  let data = buffer === undefined ? undefined : bufferBytes(buffer, file, where);
  if (data?.length === 0) data = undefined;
  const size = ELEMENT_SIZE[type];
  if (
    data !== undefined &&
    size !== undefined &&
    peculiarity === undefined &&
    data.length !== elements * size
  )
    throw new FlatbufferError(`${where} needs ${elements * size} bytes, its buffer has ${data.length}`);

  const quantization = table.table(at.quantization);
  return {
    index,
    name,
    shape,
    type,
    data,
    scales: quantization?.float32s(Field.quantization.scale, MOST.channels) ?? [],
    zeroPoints: quantization?.int64s(Field.quantization.zeroPoint, MOST.channels) ?? [],
    quantizedDimension: quantization?.int32(Field.quantization.dimension) ?? 0,
    peculiarity,
  };
};

/** A buffer's bytes: inside the FlatBuffer, or (files over 2 GiB) at an offset behind it. */
const bufferBytes = (buffer: Table, file: Uint8Array, where: string): Uint8Array => {
  const offset = buffer.uint64(Field.buffer.offset);
  if (offset <= 1n) return buffer.bytes(Field.buffer.data);
  const end = offset + buffer.uint64(Field.buffer.size);
  if (end > BigInt(file.length)) throw new FlatbufferError(`${where} lies outside the file`);
  return file.subarray(Number(offset), Number(end));
};

const operatorName = (code: Table): string => {
  const at = Field.operatorCode;
  // Codes over 127 are only in the newer field; older files have only the older one.
  const number = Math.max(code.int8(at.deprecatedBuiltinCode), code.int32(at.builtinCode));
  const name = OPERATORS[number] ?? `BUILTIN_${number}`;
  return name === 'CUSTOM' ? `CUSTOM ${code.string(at.customCode)}` : name;
};

/** Reads the structure of a .tflite file. Throws FlatbufferError for anything that is not one. */
export const readTfliteFile = (bytes: Uint8Array): TfliteFile => {
  const model = Table.root(bytes, IDENTIFIER);
  const version = model.uint32(Field.model.version);
  if (version !== 3) throw new FlatbufferError(`schema version ${version}, 3 is expected`);
  const subgraphs = model.tables(Field.model.subgraphs, 64);
  const [graph] = subgraphs;
  if (graph === undefined) throw new FlatbufferError('the file has no graph');
  const buffers = model.tables(Field.model.buffers, 2 * MOST.tensors);
  const names = model.tables(Field.model.operatorCodes, 1024).map(operatorName);
  const tensors = graph
    .tables(Field.subgraph.tensors, MOST.tensors)
    .map((t, i) => readTensor(t, i, buffers, bytes));

  const tensorIndices = (list: number[], where: string, optional: boolean): number[] => {
    for (const index of list) {
      if (index >= tensors.length || index < (optional ? -1 : 0))
        throw new FlatbufferError(`${where} names tensor ${index} of ${tensors.length}`);
    }
    return list;
  };
  const operators = graph.tables(Field.subgraph.operators, MOST.operators).map((table, index) => {
    const code = table.uint32(Field.operator.opcodeIndex);
    const name = names[code];
    const where = `operator ${index}`;
    if (name === undefined) throw new FlatbufferError(`${where} has unknown code index ${code}`);
    return {
      index,
      name,
      inputs: tensorIndices(table.int32s(Field.operator.inputs, MOST.operands), where, true),
      outputs: tensorIndices(table.int32s(Field.operator.outputs, MOST.operands), where, false),
      options: table.table(Field.operator.options),
    };
  });
  return {
    tensors,
    operators,
    inputs: tensorIndices(graph.int32s(Field.subgraph.inputs, MOST.operands), 'the graph', false),
    outputs: tensorIndices(graph.int32s(Field.subgraph.outputs, MOST.operands), 'the graph', false),
    description: model.string(Field.model.description),
  };
};
