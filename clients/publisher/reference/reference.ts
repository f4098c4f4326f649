/** A tensor at the edge of a model, as the original file has it. */
export interface ReferenceTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly type: ReferenceType;
}

export type ReferenceType = 'f32' | 'i8' | 'u8' | 'i32';

/** A model in a runtime that is not this project's. */
export interface ReferenceModel {
  readonly runtime: string;
  readonly inputs: readonly ReferenceTensor[];
  readonly outputs: readonly ReferenceTensor[];
  /**
   * @param input the first input tensor's bytes, little-endian
   * @returns all values of each output
   */
  run(input: Uint8Array): Promise<ReferenceValues[]>;
}

export type ReferenceValues = Float32Array | Int8Array | Uint8Array | Int32Array;
