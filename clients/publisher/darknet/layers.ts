import type { Operation, Tensor } from '../network.js';
import { MAX_OPS, type OpCode } from '../szg1.js';
import type { CellMap } from '../cells.js';
import { CfgError, type Section } from './cfg.js';
import { shapeProblem } from './problem.js';

/** Height, width, channels. */
export type Shape = readonly [h: number, w: number, c: number];

/** A detection layer: its map and what it says about it. */
export interface Detection {
  readonly tensor: Tensor;
  readonly origin: string;
  readonly map: CellMap;
  readonly classes: number;
  readonly scoreActivation: 'sigmoid' | 'softmax';
}

/** Values that an operation needs from the .weights file. */
interface Wanted {
  readonly count: number;
  readonly fill: (values: Float32Array, transposed: boolean) => void;
}

/** Larger tensors have no place in any device; and shapes must not wrap around. */
export const MOST_ELEMENTS = 2 ** 26;
/** Of one side, or of channels. */
export const MOST_SIDE = 65_536;

export const shapeOf = ({ dims }: Tensor): Shape => [dims[1] ?? 1, dims[2] ?? 1, dims[3] ?? 1];

/** The network as it grows, layer by layer. All values are float32 [1, h, w, c]. */
export class Layers {
  readonly operations: Operation[] = [];
  readonly detections: Detection[] = [];
  readonly wanted: Wanted[] = [];
  readonly input: Tensor;
  /** What each layer gives; undefined: nothing that another layer can read. */
  readonly outputs: (Tensor | undefined)[] = [];
  #origin = '';

  constructor(shape: Shape) {
    this.input = { name: 'picture', dtype: 'f32', dims: [1, ...shape] };
  }

  /** The layer that comes next. */
  begin(section: Section): void {
    this.#origin = `${section.type} #${this.outputs.length}`;
  }

  get origin(): string {
    return this.#origin;
  }

  /** What the layer before gives. */
  previous(): Tensor {
    const { length } = this.outputs;
    return length === 0 ? this.input : this.#at(length - 1);
  }

  /** A layer's output; negative numbers count back from this layer. */
  earlier(number: number): Tensor {
    const { length } = this.outputs;
    const index = number < 0 ? length + number : number;
    if (index < 0 || index >= length)
      throw shapeProblem(`reads layer ${number}, but before it are only layers 0 to ${length - 1}`);
    return this.#at(index);
  }

  #at(index: number): Tensor {
    const tensor = this.outputs[index];
    if (tensor === undefined) throw shapeProblem(`reads layer ${index}, which gives only detections`);
    return tensor;
  }

  /** After a problem: the following layers are still looked at, with a guessed shape. */
  guess(): void {
    const known = this.outputs.findLast((tensor) => tensor !== undefined) ?? this.input;
    this.outputs.push({ name: this.#origin, dtype: 'f32', dims: known.dims });
  }

  #tensor([h, w, c]: Shape): Tensor {
    if (![h, w, c].every((side) => side >= 1 && side <= MOST_SIDE) || h * w * c > MOST_ELEMENTS)
      throw shapeProblem(`would give ${h} x ${w} x ${c} values`);
    return { name: this.#origin, dtype: 'f32', dims: [1, h, w, c] };
  }

  emit(
    code: OpCode,
    inputs: (Tensor | null)[],
    shape: Shape | { readonly dims: readonly number[] },
    {
      ints = [],
      floats = [],
      activation = 'NONE',
    }: Partial<Pick<Operation, 'ints' | 'floats' | 'activation'>> = {},
  ): Operation {
    if (this.operations.length === MAX_OPS)
      throw new CfgError(`it takes more than ${MAX_OPS} operators, which is the most that are possible`);
    const output: Tensor =
      'dims' in shape ? { name: this.#origin, dtype: 'f32', dims: shape.dims } : this.#tensor(shape);
    const operation: Operation = { code, activation, inputs, output, ints, floats, origin: this.#origin };
    this.operations.push(operation);
    return operation;
  }

  /** Takes the next `count` values of the weights, once all layers are known to fit. */
  want(count: number, fill: Wanted['fill']): void {
    this.wanted.push({ count, fill });
  }

  constant(what: string, dims: readonly number[], data: Float32Array): Tensor {
    return { name: `${what} of ${this.#origin}`, dtype: 'f32', dims, data };
  }
}
