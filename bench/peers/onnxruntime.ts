/** What the bench uses of onnxruntime-node, which is installed by the bench itself and so is not there when this is compiled. */
export interface OnnxRuntime {
  readonly InferenceSession: {
    create(model: string, options: Readonly<Record<string, unknown>>): Promise<Session>;
  };
  readonly Tensor: new (
    type: 'float32' | 'uint8',
    data: Float32Array | Uint8Array,
    dims: readonly number[],
  ) => OnnxTensor;
}

export interface OnnxTensor {
  readonly data: ArrayBufferView;
}

export interface Session {
  readonly inputMetadata: readonly {
    readonly isTensor: boolean;
    readonly type: string;
    readonly shape: readonly (number | string)[];
  }[];
  run(feeds: Readonly<Record<string, OnnxTensor>>): Promise<Readonly<Record<string, OnnxTensor>>>;
}
