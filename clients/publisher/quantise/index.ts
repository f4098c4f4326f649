/** Post-training quantisation: an int8 network from a float one and frames like those that it will see. */
export type { Comparison, LayerNoise } from './compare.js';
export { compareNetworks } from './compare.js';
export { quantiseWithFrames, type QuantiseFramesOptions } from './frames.js';
export {
  quantise,
  type Frames,
  type Quantised,
  type QuantiseOptions,
  type QuantiseReport,
} from './quantise.js';
