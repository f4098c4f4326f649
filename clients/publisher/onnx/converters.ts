import {
  convertClip,
  convertHardSigmoid,
  convertLeakyRelu,
  convertPrelu,
  convertRelu,
  convertSoftmax,
  convertUnary,
} from './activation.js';
import { convertConv } from './convolution.js';
import { convertConcat } from './concat.js';
import {
  convertAdd,
  convertBatchNormalization,
  convertDiv,
  convertMul,
  convertNeg,
  convertSub,
  convertSum,
} from './elementwise.js';
import { ALWAYS_FOLDED, FOLDED } from './fold.js';
import { convertGemm, convertMatMul } from './matrix.js';
import { convertGlobalPool, convertPool, convertReduce } from './pooling.js';
import {
  convertCast,
  convertDequantizeLinear,
  convertQLinearConv,
  convertQLinearMatMul,
  convertQuantizeLinear,
} from './quantise.js';
import {
  convertDepthToSpace,
  convertDropout,
  convertFlatten,
  convertIdentity,
  convertPad,
  convertReshape,
  convertSpaceToDepth,
  convertSqueeze,
  convertTranspose,
  convertUnsqueeze,
} from './rearrangement.js';
import { convertResize } from './resize.js';
import { convertGather, convertSlice, convertSplit } from './slicing.js';
import type { Conversion } from './conversion.js';
import type { OnnxNode } from './node.js';
import { OperatorProblem } from './problem.js';

type Converter = (conversion: Conversion, node: OnnxNode) => void;

const CONVERTERS: ReadonlyMap<string, Converter> = new Map<string, Converter>([
  ['Add', convertAdd],
  ['AveragePool', convertPool('AVERAGE_POOL_2D')],
  ['BatchNormalization', convertBatchNormalization],
  ['Cast', convertCast],
  ['Clip', convertClip],
  ['Concat', convertConcat],
  ['Conv', convertConv],
  ['DepthToSpace', convertDepthToSpace],
  ['DequantizeLinear', convertDequantizeLinear],
  ['Div', convertDiv],
  ['Dropout', convertDropout],
  ['Flatten', convertFlatten],
  ['Gather', convertGather],
  ['Gemm', convertGemm],
  ['GlobalAveragePool', convertGlobalPool('mean')],
  ['GlobalMaxPool', convertGlobalPool('max')],
  ['HardSigmoid', convertHardSigmoid],
  ['HardSwish', convertUnary('HARD_SWISH')],
  ['Identity', convertIdentity],
  ['LeakyRelu', convertLeakyRelu],
  ['MatMul', convertMatMul],
  ['MaxPool', convertPool('MAX_POOL_2D')],
  ['Mul', convertMul],
  ['Neg', convertNeg],
  ['PRelu', convertPrelu],
  ['Pad', convertPad],
  ['QLinearConv', convertQLinearConv],
  ['QLinearMatMul', convertQLinearMatMul],
  ['QuantizeLinear', convertQuantizeLinear],
  ['ReduceMax', convertReduce('max')],
  ['ReduceMean', convertReduce('mean')],
  ['Relu', convertRelu],
  ['Reshape', convertReshape],
  ['Resize', convertResize],
  ['Sigmoid', convertUnary('LOGISTIC')],
  ['Slice', convertSlice],
  ['Softmax', convertSoftmax],
  ['SpaceToDepth', convertSpaceToDepth],
  ['Split', convertSplit],
  ['Squeeze', convertSqueeze],
  ['Sub', convertSub],
  ['Sum', convertSum],
  ['Tanh', convertUnary('TANH')],
  ['Transpose', convertTranspose],
  ['Unsqueeze', convertUnsqueeze],
  ['Upsample', convertResize],
]);

/** ONNX operators that can be imported where their values are computed. */
export const SUPPORTED_ONNX_OPERATORS: readonly string[] = [...CONVERTERS.keys()];

/** ONNX operators that must have known values; then they are computed while importing. */
export const FOLDED_ONNX_OPERATORS: readonly string[] = [...ALWAYS_FOLDED.keys(), ...FOLDED.keys()]
  .filter((name) => !CONVERTERS.has(name))
  .sort();

/** Is there any chance for it? */
export const isKnown = ({ domain, operator }: OnnxNode): boolean =>
  domain === '' && [CONVERTERS, FOLDED, ALWAYS_FOLDED].some((known) => known.has(operator));

/** @throws OperatorProblem */
export const convertNode = (conversion: Conversion, node: OnnxNode): void => {
  if (node.domain !== '') throw new OperatorProblem('is not supported: it is not one of ONNX itself');
  const always = ALWAYS_FOLDED.get(node.operator);
  const folded = FOLDED.get(node.operator);
  const constant = (name: string): boolean => name === '' || conversion.value(name).kind === 'constant';
  if (always !== undefined) {
    conversion.setOutput(node, always(conversion, node));
  } else if (folded !== undefined && node.inputs.every(constant)) {
    conversion.setOutput(node, folded(conversion, node));
  } else {
    const converter = CONVERTERS.get(node.operator);
    if (converter !== undefined) converter(conversion, node);
    else if (folded !== undefined) throw new OperatorProblem('is supported for constants only');
    else throw new OperatorProblem('is not supported');
  }
};
