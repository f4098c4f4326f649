import { array, enumeration, tuple, uint, type Codec } from '../schema.js';

/** Element type of frame data: u8 (RGB or grey, by the channels), i8, f32 little-endian. */
const FORMAT_NUMBER = { u8: 1, i8: 2, f32: 3 } as const;
export type Format = keyof typeof FORMAT_NUMBER;
export const formatCodec: Codec<Format> = enumeration(FORMAT_NUMBER);

/** What a frame looks like. */
export interface InputShape {
  readonly format: Format;
  /** [height, width, channels] for pictures, [n] for vectors. */
  readonly dims: readonly number[];
}

export const dimsCodec: Codec<readonly number[]> = array(uint, 1, 4);

const pair = tuple<readonly [Format, readonly number[]]>(formatCodec, dimsCodec);

export const inputShapeCodec: Codec<InputShape> = {
  encode: ({ format, dims }) => pair.encode([format, dims]),
  decode: (value, where) => {
    const [format, dims] = pair.decode(value, where);
    return { format, dims };
  },
};

/** Bytes of frame data that the shape takes. */
export function inputBytes({ format, dims }: InputShape): number {
  return dims.reduce((product, dim) => product * dim, format === 'f32' ? 4 : 1);
}
