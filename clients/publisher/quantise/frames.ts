import type { InputShape } from '../../../protocol/messages/input-shape.js';
import { SmartZoneError } from '../../../protocol/errors.js';
import { frameShapeOf } from '../frame.js';
import type { Network } from '../network.js';
import { normalisationOf, type ChannelNormalisation, type PixelRange } from '../normalisation.js';
import { automaticPurpose } from '../preset.js';
import { simplify } from '../simplify.js';
import type { InputNormalisation } from '../write-graph.js';
import { quantise, type Quantised, type QuantiseOptions } from './quantise.js';

/** One in so many frames is kept from calibration, for the report. */
const HELD_OUT = 5;
/** Fewer say nothing about a range. */
const LEAST_FRAMES = 10;

export interface QuantiseFramesOptions extends Pick<QuantiseOptions, 'engine' | 'progress'> {
  /** How bytes become real values. Default: what the model's file or shapes suggest, else -1..1. */
  readonly pixels?: PixelRange | ChannelNormalisation;
}

/**
 * Quantises with frames as a sensor would send them to the float model: u8 for pictures, little-endian f32 otherwise. Every fifth is
 * kept from calibration, and the report's comparison is about those.
 *
 * @returns a network that takes the same frames: where they are pictures it knows how bytes become real values
 * @throws SmartZoneError MODEL_IMPORT where there are fewer than ten frames, or the network is not float32
 */
export const quantiseWithFrames = async (
  source: Network,
  frames: readonly Uint8Array[],
  options: QuantiseFramesOptions = {},
): Promise<Quantised> => {
  if (frames.length < LEAST_FRAMES)
    throw new SmartZoneError(
      'MODEL_IMPORT',
      `${frames.length} calibration frames: at least ${LEAST_FRAMES} are needed, some tens to a hundred are good`,
    );
  const network = simplify(source);
  const shape = frameShapeOf(network);
  const { pixels = source.purpose?.pixels ?? automaticPurpose(network).pixels } = options;
  const normalisation = normalisationOf(network, pixels);
  const real = frames.map((frame) => realValues(frame, shape, normalisation));
  const quantised = await quantise(
    network,
    real.filter((_, i) => !isHeldOut(i)),
    {
      ...options,
      test: real.filter((_, i) => isHeldOut(i)),
      ...(shape.format === 'u8' && { levels: levelsOf(shape, normalisation) }),
    },
  );
  if (shape.format !== 'u8') return quantised;
  const kept = pixels === undefined ? 'signed' : pixels;
  return {
    ...quantised,
    network: { ...quantised.network, purpose: { ...source.purpose, pixels: kept } },
  };
};

const isHeldOut = (index: number): boolean => index % HELD_OUT === HELD_OUT - 1;

const channelsOf = ({ dims }: InputShape): number => (dims.length === 3 ? (dims[2] ?? 1) : 1);

const realValues = (frame: Uint8Array, shape: InputShape, { a, b }: InputNormalisation): Float32Array => {
  if (shape.format !== 'u8')
    return new Float32Array(frame.buffer.slice(frame.byteOffset, frame.byteOffset + frame.byteLength));
  const channels = channelsOf(shape);
  return Float32Array.from(frame, (byte, i) => (a[i % channels] ?? 1) * byte + (b[i % channels] ?? 0));
};

/** All real values that a picture's bytes can have. */
const levelsOf = (shape: InputShape, { a, b }: InputNormalisation): number[] => {
  const levels = new Set<number>();
  for (let channel = 0; channel < channelsOf(shape); channel++)
    for (let byte = 0; byte < 256; byte++) levels.add((a[channel] ?? 1) * byte + (b[channel] ?? 0));
  return [...levels];
};
