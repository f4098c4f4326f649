import { ModelImportError } from '../import-error.js';
import type { Network } from '../network.js';
import { Conversion, OperatorProblem } from './conversion.js';
import { convertConvolution, convertDepthwise, convertFullyConnected } from './convolution.js';
import {
  convertActivation,
  convertBinary,
  convertDequantize,
  convertLeakyRelu,
  convertPrelu,
  convertQuantize,
  convertSoftmax,
  convertUnary,
} from './elementwise.js';
import { readTfliteFile, type TfliteFile, type TfliteOperator } from './file.js';
import { FlatbufferError } from './flatbuffer.js';
import { convertMean, convertPool } from './pooling.js';
import {
  convertConcatenation,
  convertPad,
  convertReshape,
  convertResize,
  convertSlice,
  convertSplit,
  convertStridedSlice,
  convertTranspose,
} from './rearrangement.js';

type Converter = (conversion: Conversion, operator: TfliteOperator) => void;

const CONVERTERS: ReadonlyMap<string, Converter> = new Map<string, Converter>([
  ['ADD', convertBinary('ADD')],
  ['AVERAGE_POOL_2D', convertPool('AVERAGE_POOL_2D')],
  ['CONCATENATION', convertConcatenation],
  ['CONV_2D', convertConvolution],
  ['DEPTHWISE_CONV_2D', convertDepthwise],
  ['DEQUANTIZE', convertDequantize],
  ['EXPAND_DIMS', convertReshape],
  ['FULLY_CONNECTED', convertFullyConnected],
  ['HARD_SWISH', convertUnary('HARD_SWISH')],
  ['LEAKY_RELU', convertLeakyRelu],
  ['LOGISTIC', convertUnary('LOGISTIC')],
  ['MAX_POOL_2D', convertPool('MAX_POOL_2D')],
  ['MEAN', convertMean],
  ['MUL', convertBinary('MUL')],
  ['PAD', convertPad],
  ['PADV2', convertPad],
  ['PRELU', convertPrelu],
  ['QUANTIZE', convertQuantize],
  ['RELU', convertActivation('RELU')],
  ['RELU6', convertActivation('RELU6')],
  ['RELU_N1_TO_1', convertActivation('RELU_N1_TO_1')],
  ['RESHAPE', convertReshape],
  ['RESIZE_BILINEAR', convertResize('RESIZE_BILINEAR')],
  ['RESIZE_NEAREST_NEIGHBOR', convertResize('RESIZE_NEAREST')],
  ['SLICE', convertSlice],
  ['SOFTMAX', convertSoftmax],
  ['SPLIT', convertSplit],
  ['SQUEEZE', convertReshape],
  ['STRIDED_SLICE', convertStridedSlice],
  ['TANH', convertUnary('TANH')],
  ['TRANSPOSE', convertTranspose],
]);

/** TFLite operators that can be imported. */
export const SUPPORTED_OPERATORS: readonly string[] = [...CONVERTERS.keys()];

/**
 * Reads a .tflite file into a network of S-Tinylib operators. float32, float16 weights (expanded), int8 (per channel and per
 * tensor), dynamic-range weights (expanded to float32) and legacy uint8 (converted to int8 without loss).
 *
 * @param bytes the file; not kept
 * @param name for messages, usually the file's name
 * @throws ModelImportError naming every operator that stands in the way, or what is wrong with the file
 */
export const importTflite = (bytes: Uint8Array, name = 'model'): Network => {
  let file: TfliteFile;
  try {
    file = readTfliteFile(bytes);
  } catch (error) {
    if (error instanceof FlatbufferError) throw new ModelImportError(name, [error.message]);
    throw error;
  }
  const problems: string[] = [];
  /** Runs one step and keeps its problem for the list; without a name it is only the consequence of another. */
  const attempt = <T>(what: string | undefined, step: () => T): T | undefined => {
    try {
      return step();
    } catch (error) {
      // An operator's options are read here only: they may be damaged, too.
      if (!(error instanceof OperatorProblem || error instanceof FlatbufferError)) throw error;
      if (what !== undefined) problems.push(`${what} ${error.message}`);
      return undefined;
    }
  };

  const conversion = new Conversion(file);
  const [inputIndex] = file.inputs;
  if (inputIndex === undefined || file.inputs.length !== 1)
    throw new ModelImportError(name, [`the model has ${file.inputs.length} inputs, one is expected`]);
  const input = attempt('the input', () => conversion.addInput(inputIndex));
  for (const operator of file.operators) {
    const converter = CONVERTERS.get(operator.name);
    const what = `operator #${operator.index} ${operator.name}`;
    if (converter === undefined) problems.push(`${what} is not supported`);
    else if (conversion.readsFailed(operator)) attempt(undefined, () => converter(conversion, operator));
    else attempt(what, () => converter(conversion, operator));
    conversion.declareOutputs(operator);
  }
  const outputs = attempt(problems.length > 0 ? undefined : 'the model', () =>
    file.outputs.map((index) => conversion.value(index)),
  );
  if (problems.length > 0 || input === undefined || outputs === undefined)
    throw new ModelImportError(name, problems);
  if (outputs.length === 0) throw new ModelImportError(name, ['the model has no output']);
  const constant = outputs.find((output) => output.data !== undefined || output.dtype === 'i32');
  if (constant !== undefined) throw new ModelImportError(name, [`output ${constant.name} is not computed`]);
  return {
    input,
    outputs,
    operations: conversion.operations,
    boundary: {
      input: conversion.boundaryOf(inputIndex),
      outputs: file.outputs.map((index) => conversion.boundaryOf(index)),
    },
  };
};
