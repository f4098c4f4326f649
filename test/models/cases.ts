import type { PixelRange } from '../../clients/publisher/index.js';
import { withFloatWeights, withValidBiasDimension } from './tflite-patch.js';

/** One of the models that the project is measured with. */
export interface Case {
  readonly file: string;
  /** Pictures: how their bytes become input values. Left out: the model takes something else. */
  readonly pixels?: PixelRange;
  /** Not classes but a vector. */
  readonly vector?: true;
  /** What has to be changed before today's TFLite computes what the file says. */
  readonly patch?: (file: Uint8Array) => Uint8Array;
}

export const CASES: readonly Case[] = [
  { file: 'mobilenet_v1_0.25_128_quant.tflite', pixels: 'quantised' },
  { file: 'mobilenet_v1_1.0_224_quant_embedding_extractor.tflite', pixels: 'quantised', vector: true },
  { file: 'mobilenet_v2_1.0_224_quant.tflite', pixels: 'quantised' },
  { file: 'tf2_mobilenet_v2_1.0_224_ptq.tflite', pixels: 'quantised' },
  { file: 'person_detect.tflite', pixels: 'quantised', patch: withValidBiasDimension },
  { file: 'vww_96_int8.tflite', pixels: 'quantised' },
  { file: 'vww_96_float.tflite', pixels: 'unit' },
  { file: 'pretrainedResnet_quant.tflite', pixels: 'quantised' },
  { file: 'pretrainedResnet.tflite', pixels: 'bytes' },
  { file: 'kws_ref_model.tflite' },
  { file: 'kws_ref_model_float32.tflite', patch: withFloatWeights },
  { file: 'ad01_int8.tflite', vector: true },
  { file: 'mobilenet_quant_v1_224_head_layers.tflite' },
];
