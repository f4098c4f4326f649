import { inputBytes, type InputShape } from '../../protocol/messages/input-shape.js';
import type { Network, Quantisation } from './network.js';

/** Below this a "picture" of one channel is rather a spectrogram. */
const LEAST_PICTURE_SIDE = 32;

export const isPictureInput = ({ input }: Network): boolean => {
  const [n, h = 0, w = 0, c] = input.dims;
  return input.dims.length === 4 && n === 1 && (c === 1 || c === 3) && Math.min(h, w) >= LEAST_PICTURE_SIDE;
};

/** Pictures come as u8; other inputs in the network's own type. */
export const frameShapeOf = (network: Network): InputShape => {
  const { dims, dtype } = network.input;
  const frame = dims.length > 1 && dims[0] === 1 ? dims.slice(1) : [...dims];
  return { format: isPictureInput(network) ? 'u8' : dtype === 'i8' ? 'i8' : 'f32', dims: frame };
};

/**
 * A frame of noise that is the same everywhere (xorshift32, Marsaglia 2003): the golden test's input.
 * @param range of floats
 */
export const noiseFrame = (
  shape: InputShape,
  seed = 0x5a6f6e65,
  [low, high]: readonly [number, number] = [-1, 1],
): Uint8Array => {
  let state = seed >>> 0 || 1;
  const next = (): number => {
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    return state >>> 8;
  };
  const bytes = new Uint8Array(inputBytes(shape));
  if (shape.format !== 'f32') return bytes.map(() => next() & 0xff);
  const view = new DataView(bytes.buffer);
  for (let at = 0; at < bytes.length; at += 4)
    view.setFloat32(at, low + (high - low) * (next() / 2 ** 24), true);
  return bytes;
};

/** The real values that a quantised input can tell apart; of a float one -1..1. */
export const inputRange = (quantisation: Quantisation | undefined): readonly [number, number] => {
  if (quantisation === undefined) return [-1, 1];
  const { scale, zeroPoint } = quantisation;
  return [(-128 - zeroPoint) * scale, (127 - zeroPoint) * scale];
};
