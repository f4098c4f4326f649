import type { AttributeMessage, NodeMessage, TensorMessage } from './schema.js';

/** One operator of the file. */
export class OnnxNode {
  readonly #attributes: ReadonlyMap<string, AttributeMessage>;
  readonly operator: string;
  readonly domain: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];

  constructor(
    message: NodeMessage,
    readonly index: number,
    /** Version of the operator set that the file names for the node's domain. */
    readonly opset: number,
  ) {
    this.operator = message.operator;
    this.domain = message.domain === 'ai.onnx' ? '' : message.domain;
    this.inputs = message.inputs;
    this.outputs = message.outputs;
    this.#attributes = new Map(message.attributes.map((attribute) => [attribute.name, attribute]));
    this.#name = message.name;
  }
  readonly #name: string;

  /** For messages: `Conv #12 "features/conv1" (-> conv1_out)`. */
  get place(): string {
    const name = this.#name === '' ? '' : ` "${this.#name}"`;
    const output = this.outputs.find((one) => one !== '');
    return `${this.origin}${name}${output === undefined ? '' : ` (gives ${output})`}`;
  }

  get origin(): string {
    return `${this.domain === '' ? '' : `${this.domain}.`}${this.operator} #${this.index}`;
  }

  has(name: string): boolean {
    return this.#attributes.has(name);
  }

  int(name: string, otherwise: number): number {
    return this.#attributes.get(name)?.i ?? otherwise;
  }

  float(name: string, otherwise: number): number {
    return this.#attributes.get(name)?.f ?? otherwise;
  }

  ints(name: string): readonly number[] | undefined {
    return this.#attributes.get(name)?.ints;
  }

  floats(name: string): readonly number[] | undefined {
    return this.#attributes.get(name)?.floats;
  }

  text(name: string, otherwise: string): string {
    const attribute = this.#attributes.get(name);
    return attribute === undefined ? otherwise : Buffer.from(attribute.s).toString('utf8');
  }

  tensor(name: string): TensorMessage | undefined {
    return this.#attributes.get(name)?.t ?? undefined;
  }
}
