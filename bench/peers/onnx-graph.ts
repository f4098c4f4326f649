import { MessageWriter } from './protobuf.js';

/** ONNX's TensorProto.DataType. */
export const OnnxType = { float: 1, uint8: 2, int8: 3, int32: 6, int64: 7 } as const;
export type OnnxType = keyof typeof OnnxType;

/** AttributeProto.AttributeType. */
const FLOAT = 1;
const INT = 2;
const STRING = 3;
const INTS = 7;

type Attribute = number | readonly number[] | { readonly float: number } | { readonly text: string };

/** Collects the nodes of an ONNX model and writes it (onnx.proto, IR version 8, opset 13). */
export class OnnxGraph {
  readonly #name: string;
  readonly #nodes: MessageWriter[] = [];
  readonly #initializers: MessageWriter[] = [];
  readonly #names = new Set<string>();

  constructor(name: string) {
    this.#name = name;
  }

  node(
    operator: string,
    inputs: readonly string[],
    output: string,
    attributes: Record<string, Attribute> = {},
  ): string {
    const node = new MessageWriter();
    for (const input of inputs) node.text(1, input);
    node.text(2, output).text(3, output).text(4, operator);
    for (const [name, value] of Object.entries(attributes)) node.message(5, attribute(name, value));
    this.#nodes.push(node);
    return output;
  }

  /** A constant; the same name again is the one that is there. */
  constant(name: string, type: OnnxType, dims: readonly number[], data: Uint8Array): string {
    if (this.#names.has(name)) return name;
    this.#names.add(name);
    const tensor = new MessageWriter();
    for (const dim of dims) tensor.integer(1, dim);
    this.#initializers.push(tensor.integer(2, OnnxType[type]).text(8, name).bytes(9, data));
    return name;
  }

  finish(input: ValueInfo, output: ValueInfo): Uint8Array {
    const graph = new MessageWriter();
    for (const node of this.#nodes) graph.message(1, node);
    graph.text(2, this.#name);
    for (const initializer of this.#initializers) graph.message(5, initializer);
    graph.message(11, valueInfo(input)).message(12, valueInfo(output));
    const opset = new MessageWriter().text(1, '').integer(2, 13);
    return new MessageWriter()
      .integer(1, 8)
      .text(2, 'smart-zone bench')
      .message(7, graph)
      .message(8, opset)
      .finish();
  }
}

export interface ValueInfo {
  readonly name: string;
  readonly type: OnnxType;
  readonly dims: readonly number[];
}

const valueInfo = ({ name, type, dims }: ValueInfo): MessageWriter => {
  const shape = new MessageWriter();
  for (const dim of dims) shape.message(1, new MessageWriter().integer(1, dim));
  const tensor = new MessageWriter().integer(1, OnnxType[type]).message(2, shape);
  return new MessageWriter().text(1, name).message(2, new MessageWriter().message(1, tensor));
};

const attribute = (name: string, value: Attribute): MessageWriter => {
  const writer = new MessageWriter().text(1, name);
  if (typeof value === 'number') return writer.integer(3, value).integer(20, INT);
  if ('text' in value) return writer.text(4, value.text).integer(20, STRING);
  if ('float' in value) return writer.float(2, value.float).integer(20, FLOAT);
  for (const item of value) writer.integer(8, item);
  return writer.integer(20, INTS);
};
