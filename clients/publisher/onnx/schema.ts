import protobuf from 'protobufjs/light.js';
import type { INamespace } from 'protobufjs/light.js';

/**
 * The messages of a model file, as far as they are read here. Field numbers are those of onnx.proto3 in the ONNX repository
 * (onnx/onnx.proto3, IR version 11); fields that are not named are skipped.
 */
const MESSAGES: INamespace = {
  nested: {
    Model: {
      fields: {
        irVersion: { id: 1, type: 'int64' },
        graph: { id: 7, type: 'Graph' },
        opsets: { id: 8, type: 'Opset', rule: 'repeated' },
        functions: { id: 25, type: 'bytes', rule: 'repeated' },
      },
    },
    Opset: { fields: { domain: { id: 1, type: 'string' }, version: { id: 2, type: 'int64' } } },
    Graph: {
      fields: {
        nodes: { id: 1, type: 'Node', rule: 'repeated' },
        initializers: { id: 5, type: 'TensorData', rule: 'repeated' },
        inputs: { id: 11, type: 'ValueInfo', rule: 'repeated' },
        outputs: { id: 12, type: 'ValueInfo', rule: 'repeated' },
        sparse: { id: 15, type: 'bytes', rule: 'repeated' },
      },
    },
    Node: {
      fields: {
        inputs: { id: 1, type: 'string', rule: 'repeated' },
        outputs: { id: 2, type: 'string', rule: 'repeated' },
        name: { id: 3, type: 'string' },
        operator: { id: 4, type: 'string' },
        attributes: { id: 5, type: 'Attribute', rule: 'repeated' },
        domain: { id: 7, type: 'string' },
      },
    },
    Attribute: {
      fields: {
        name: { id: 1, type: 'string' },
        f: { id: 2, type: 'float' },
        i: { id: 3, type: 'int64' },
        s: { id: 4, type: 'bytes' },
        t: { id: 5, type: 'TensorData' },
        floats: { id: 7, type: 'float', rule: 'repeated' },
        ints: { id: 8, type: 'int64', rule: 'repeated' },
      },
    },
    TensorData: {
      fields: {
        dims: { id: 1, type: 'int64', rule: 'repeated' },
        type: { id: 2, type: 'int32' },
        floats: { id: 4, type: 'float', rule: 'repeated' },
        int32s: { id: 5, type: 'int32', rule: 'repeated' },
        int64s: { id: 7, type: 'int64', rule: 'repeated' },
        name: { id: 8, type: 'string' },
        raw: { id: 9, type: 'bytes' },
        doubles: { id: 10, type: 'double', rule: 'repeated' },
        external: { id: 13, type: 'Entry', rule: 'repeated' },
        location: { id: 14, type: 'int32' },
      },
    },
    Entry: { fields: { key: { id: 1, type: 'string' }, value: { id: 2, type: 'string' } } },
    ValueInfo: { fields: { name: { id: 1, type: 'string' }, type: { id: 2, type: 'ValueType' } } },
    ValueType: { fields: { tensor: { id: 1, type: 'TensorType' } } },
    TensorType: { fields: { element: { id: 1, type: 'int32' }, shape: { id: 2, type: 'Shape' } } },
    Shape: { fields: { dims: { id: 1, type: 'Dimension', rule: 'repeated' } } },
    Dimension: { fields: { value: { id: 1, type: 'int64' }, parameter: { id: 2, type: 'string' } } },
  },
};

const root = protobuf.Root.fromJSON(MESSAGES);

/** What a message holds; what is not in the file is null, 0 or ''. */
export interface ModelMessage {
  readonly irVersion: number;
  readonly graph: GraphMessage | null;
  readonly opsets: readonly { readonly domain: string; readonly version: number }[];
  readonly functions: readonly Uint8Array[];
}
export interface GraphMessage {
  readonly nodes: readonly NodeMessage[];
  readonly initializers: readonly TensorMessage[];
  readonly inputs: readonly ValueInfoMessage[];
  readonly outputs: readonly ValueInfoMessage[];
  readonly sparse: readonly Uint8Array[];
}
export interface NodeMessage {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly name: string;
  readonly operator: string;
  readonly attributes: readonly AttributeMessage[];
  readonly domain: string;
}
export interface AttributeMessage {
  readonly name: string;
  readonly f: number;
  readonly i: number;
  readonly s: Uint8Array;
  readonly t: TensorMessage | null;
  readonly floats: readonly number[];
  readonly ints: readonly number[];
}
export interface TensorMessage {
  readonly dims: readonly number[];
  readonly type: number;
  readonly floats: readonly number[];
  readonly int32s: readonly number[];
  readonly int64s: readonly number[];
  readonly name: string;
  readonly raw: Uint8Array;
  readonly doubles: readonly number[];
  readonly external: readonly { readonly key: string; readonly value: string }[];
  /** 1: the values are in another file. */
  readonly location: number;
}
export interface ValueInfoMessage {
  readonly name: string;
  readonly type: {
    readonly tensor: {
      readonly element: number;
      readonly shape: {
        readonly dims: readonly { readonly value: number; readonly parameter: string }[];
      } | null;
    } | null;
  } | null;
}

/** A message takes more memory than its bytes: so many fields are enough for any network the engine can run. */
const MOST_FIELDS = 2_000_000;

class CountingReader extends protobuf.BufferReader {
  #fields = 0;

  override tag(): number {
    if (++this.#fields > MOST_FIELDS) throw new RangeError(`more than ${MOST_FIELDS} fields`);
    return super.tag();
  }
}

/** int64 as a number, exact to 2^53, and not as an object of the package `long`, which would take ten times the memory. */
const readInt64 = function (this: protobuf.Reader): number {
  const value: unknown = protobuf.BufferReader.prototype.int64.call(this);
  return typeof value === 'number' ? value : (value as { toNumber: () => number }).toNumber();
};
Object.defineProperty(CountingReader.prototype, 'int64', { value: readInt64 });

for (const [type, fields] of [
  ['Model', ['irVersion']],
  ['Opset', ['version']],
  ['Attribute', ['i']],
  ['Dimension', ['value']],
] as const)
  for (const field of fields)
    Object.defineProperty(root.lookupType(type).ctor.prototype, field, { value: 0, writable: true });

/** @throws Error where the bytes are no such message */
const decode = (type: string, bytes: Uint8Array): unknown => {
  const reader = new CountingReader(Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength));
  reader.discardUnknown = true;
  return root.lookupType(type).decode(reader);
};

export const decodeModel = (bytes: Uint8Array): ModelMessage => decode('Model', bytes) as ModelMessage;
export const decodeTensor = (bytes: Uint8Array): TensorMessage =>
  decode('TensorData', bytes) as TensorMessage;
