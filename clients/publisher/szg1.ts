/**
 * Constants of SZG1, the binary form of a network, as ta/tinylib/graph.h defines them (a test reads them there). What each
 * operator takes and does is written in that header.
 */
export const GRAPH_MAGIC = 0x31475a53;
export const GRAPH_VERSION = 1;
export const NO_TENSOR = 0xffff;
export const ALIGNMENT = 16;
export const MAX_RANK = 4;
export const MAX_OP_INPUTS = 8;
export const MAX_OP_OUTPUTS = 4;
export const MAX_GRAPH_OUTPUTS = 8;
export const OP_INTS = 12;
export const OP_FLOATS = 4;
export const HEAD_FLOATS = 8;
export const MAX_TENSORS = 4096;
export const MAX_OPS = 2048;
export const MAX_SEGMENTS = 4096;
export const MAX_INT8_DEPTH = 32768;
export const MAX_RESULTS = 64;

export const HEADER_BYTES = 192;
export const HEAD_BYTES = 48;
export const TENSOR_BYTES = 40;
export const OP_BYTES = 96;

/** In which order weights are laid out. */
export const Target = { ref: 0, neon: 1, 'neon-dot': 2, x86: 3 } as const;
export type Target = keyof typeof Target;

export const DType = { f32: 1, i8: 2, i32: 3 } as const;
export type DType = keyof typeof DType;

export const Place = { arena: 1, weights: 2 } as const;

/** How a tensor's values are arranged. */
export const Layout = { plain: 0, panels: 1, depthwise: 2, lines: 3 } as const;

export const Activation = { NONE: 0, RELU: 1, RELU6: 2, RELU_N1_TO_1: 3 } as const;
export type Activation = keyof typeof Activation;

export const OpCode = {
  CONV_2D: 1,
  DEPTHWISE_2D: 2,
  FULLY_CONNECTED: 3,
  AVERAGE_POOL_2D: 4,
  MAX_POOL_2D: 5,
  GLOBAL_MEAN: 6,
  ADD: 7,
  MUL: 8,
  CONCAT: 9,
  PAD: 10,
  RESHAPE: 11,
  RESIZE_NEAREST: 12,
  RESIZE_BILINEAR: 13,
  SOFTMAX: 14,
  LOGISTIC: 15,
  TANH: 16,
  RELU: 17,
  LEAKY_RELU: 18,
  PRELU: 19,
  HARD_SWISH: 20,
  QUANTIZE: 21,
  DEQUANTIZE: 22,
  TRANSPOSE: 23,
  SLICE: 24,
} as const;
export type OpCode = keyof typeof OpCode;

export const HeadKind = { none: 0, topK: 1, detections: 2, reconstruction: 3, vector: 4 } as const;
export type HeadKind = keyof typeof HeadKind;

export const HeadFlag = {
  softmax: 1,
  sigmoid: 2,
  yx: 4,
  expSize: 8,
  weighted: 16,
  perClass: 32,
  cells: 64,
} as const;
