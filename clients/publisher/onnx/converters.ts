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
import { OPSETS } from './file.js';
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

/**
 * Operators that meant the same before operator set 7, and since when (the change log of ONNX's operators). Others had broadcast, axis or
 * is_test attributes.
 */
const UNCHANGED_SINCE: ReadonlyMap<string, number> = new Map([
  ['AveragePool', 1],
  ['Cast', 6],
  ['Clip', 6],
  ['Concat', 4],
  ['Constant', 1],
  ['Conv', 1],
  ['DepthToSpace', 1],
  ['Flatten', 1],
  ['Gather', 1],
  ['GlobalAveragePool', 1],
  ['GlobalMaxPool', 1],
  ['HardSigmoid', 6],
  ['Identity', 1],
  ['LeakyRelu', 6],
  ['MatMul', 1],
  ['MaxPool', 1],
  ['Neg', 6],
  ['Pad', 2],
  ['ReduceMax', 1],
  ['ReduceMean', 1],
  ['Relu', 6],
  ['Reshape', 5],
  ['Shape', 1],
  ['Sigmoid', 6],
  ['Slice', 1],
  ['Softmax', 1],
  ['SpaceToDepth', 1],
  ['Split', 2],
  ['Squeeze', 1],
  ['Tanh', 6],
  ['Transpose', 1],
  ['Unsqueeze', 1],
]);

/** Is there any chance for it? */
export const isKnown = ({ domain, operator }: OnnxNode): boolean =>
  domain === '' && [CONVERTERS, FOLDED, ALWAYS_FOLDED].some((known) => known.has(operator));

/** @throws OperatorProblem */
export const convertNode = (conversion: Conversion, node: OnnxNode): void => {
  if (node.domain !== '') throw new OperatorProblem('is not supported: it is not one of ONNX itself');
  if (node.opset < (UNCHANGED_SINCE.get(node.operator) ?? OPSETS.least))
    throw new OperatorProblem(
      `is of operator set ${node.opset}, ${OPSETS.least} to ${OPSETS.most} are understood: convert the model with ONNX's version converter`,
    );
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
