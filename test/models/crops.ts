import { resizePicture, type Picture } from '../../clients/picture/index.js';

/** Crops of photographs that differ in position, scale, side and light, the same on every machine. */
export interface CropOptions {
  readonly count: number;
  readonly width: number;
  readonly height: number;
  readonly seed: number;
}

/** 0 to 1, not including it (xorshift32, Marsaglia 2003). */
const randomFrom = (seed: number): (() => number) => {
  let state = seed >>> 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state = (state ^ (state << 5)) >>> 0;
    return state / 2 ** 32;
  };
};

/** Larger photographs are made smaller once: a crop is a third of a side or more. */
const LONGEST_SIDE = 320;

const reduced = (photograph: Picture): Picture => {
  const scale = Math.min(1, LONGEST_SIDE / Math.max(photograph.width, photograph.height));
  const [width, height] = [photograph.width, photograph.height].map((side) => Math.round(side * scale));
  return resizePicture(photograph, { width: width ?? 1, height: height ?? 1, channels: 3 });
};

/** Frames of three channels as a sensor sends them; the photographs take turns. */
export const cropsOf = (
  originals: readonly Picture[],
  { count, width, height, seed }: CropOptions,
): Uint8Array[] => {
  const random = randomFrom(seed);
  const photographs = originals.map(reduced);
  return Array.from({ length: count }, (_, i) => {
    const photograph = photographs[i % photographs.length];
    if (photograph === undefined) throw new Error('there is no photograph');
    const { data } = resizePicture(cropOf(photograph, random), { width, height, channels: 3 });
    const [flip, gain, offset] = [random() < 0.5, 0.6 + 0.7 * random(), 40 * (random() - 0.5)];
    const light = Uint8Array.from({ length: 256 }, (__, value) =>
      Math.min(255, Math.max(0, Math.round(value * gain + offset))),
    );
    const frame = new Uint8Array(data.length);
    for (let row = 0; row < height; row++)
      for (let column = 0; column < width; column++) {
        const at = 3 * (row * width + column);
        const from = flip ? 3 * (row * width + width - 1 - column) : at;
        for (let c = 0; c < 3; c++) frame[at + c] = light[data[from + c] ?? 0] ?? 0;
      }
    return frame;
  });
};

/** The real values that a network sees of a frame. */
export const realOf = (frame: Uint8Array, real: (byte: number) => number): Float32Array => {
  const table = Float32Array.from({ length: 256 }, (_, byte) => real(byte));
  return Float32Array.from(frame, (byte) => table[byte] ?? 0);
};

const cropOf = ({ width, height, channels, data }: Picture, random: () => number): Picture => {
  const side = Math.max(8, Math.floor(Math.min(width, height) * (0.35 + 0.65 * random())));
  const left = Math.floor(random() * (width - side + 1));
  const top = Math.floor(random() * (height - side + 1));
  const rows = Array.from({ length: side }, (_, row) => {
    const at = ((top + row) * width + left) * channels;
    return data.subarray(at, at + side * channels);
  });
  const cropped = new Uint8Array(side * side * channels);
  rows.forEach((row, i) => cropped.set(row, i * side * channels));
  return { width: side, height: side, channels, data: cropped };
};
