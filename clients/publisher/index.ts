/**
 * The model publisher's library: from a file people have to a package that a device runs.
 *
 *     const network = importTflite(await readFile('model.tflite'), 'model.tflite');
 *     const model = await pack(network, { name: 'faces', preset: 'face-detection-short-range' });
 *     const signed = signPackage(model, publisherKey, 1);              // signed.bytes: the file, common to all devices
 *     const offer = wrapFor(device, signed, model.contentKey, publisherKey);   // one for each device
 */
import type { Network } from './network.js';
import { planNetwork, type MemoryPlan } from './plan.js';
import { simplify } from './simplify.js';

export type { AnchorLayer } from './anchors.js';
export type { CellMap } from './cells.js';
export { importDarknet, SUPPORTED_SECTIONS } from './darknet/import.js';
export { frameShapeOf, inputRange, isPictureInput, noiseFrame } from './frame.js';
export { EngineTool, type EngineResult, type EngineRun, type GoldenRunner } from './golden.js';
export type { Head } from './head.js';
export { ModelImportError } from './import-error.js';
export { filesBeside, importModel, isModelFile } from './import-model.js';
export {
  inspect,
  reportOf,
  openPackage,
  readPackage,
  type NetworkReport,
  type OpenedPackage,
  type ReadPackage,
} from './inspect.js';
export { MOST_LABEL_BYTES, parseLabels } from './labels.js';
export type { Boundary, Network, Operation, Quantisation, Tensor } from './network.js';
export type { ChannelNormalisation, PixelRange } from './normalisation.js';
export { pack, type PackOptions, type SealedModel } from './pack.js';
export { readLayers, type GraphLayers, type Layer } from './layers.js';
export { readEdges, type EdgeTensor, type GraphEdges } from './read-edges.js';
export { preview, type Preview, type PreviewOptions } from './preview.js';
export { memoryOf, residencyWithin, type ModelMemory, type Residency } from './residency.js';
export type { MemoryPlan } from './plan.js';
export { drawPlan, summaryOf } from './plan-chart.js';
export { readPlan, type Life, type LifeKind, type PlanOverTime } from './plan-lives.js';
export {
  contentKeyFile,
  ModelPush,
  parseContentKey,
  pushModel,
  readPackageFile,
  type PushedPackage,
  type PushModelOptions,
  type PushOptions,
  type PushResult,
  type PushState,
  type TargetReport,
} from './push/index.js';
export { automaticPurpose, PRESETS, type PresetName, type Purpose } from './preset.js';
export {
  BLAZEFACE_RESULTS,
  SSD_MOBILENET_RESULTS,
  type CellOptions,
  type DetectionOptions,
  type ResultsOption,
} from './results.js';
export {
  compareNetworks,
  quantise,
  quantiseWithFrames,
  type Comparison,
  type Frames,
  type LayerNoise,
  type Quantised,
  type QuantiseFramesOptions,
  type QuantiseOptions,
  type QuantiseReport,
} from './quantise/index.js';
export { readModelFile, unpackAssets } from './packed-assets.js';
export {
  verify,
  type Agreement,
  type NamedFrame,
  type OutputDifference,
  type VerifyOptions,
} from './verify.js';
export { MissingRuntimeError } from './reference/missing-runtime.js';
export { openReference } from './reference/open.js';
export type { ReferenceModel, ReferenceTensor } from './reference/reference.js';
export { signPackage, wrapFor, type OfferedDevice, type OfferOptions, type SignedPackage } from './sign.js';
export { FOLDED_ONNX_OPERATORS, SUPPORTED_ONNX_OPERATORS } from './onnx/converters.js';
export { importOnnx, type OnnxOptions } from './onnx/import.js';
export { importTflite, SUPPORTED_OPERATORS } from './tflite/import.js';

export { simplify };

/** The memory plan that packing would use: arena, weights, lower bound, in bytes. */
export const planGraph = (network: Network): MemoryPlan => planNetwork(simplify(network));
