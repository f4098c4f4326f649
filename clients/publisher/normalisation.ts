import type { Network } from './network.js';
import type { InputNormalisation } from './write-graph.js';

/** How the 0..255 of a picture become the network's real input values. */
export type PixelRange =
  /** int8 models: the byte is the quantised value (of a uint8 model, or + 128 of an int8 one). */
  | 'quantised'
  /** -1..1: u / 127.5 - 1. */
  | 'signed'
  /** 0..1: u / 255. */
  | 'unit'
  /** 0..255 as they are. */
  | 'bytes';

/** One value for all channels, or one per channel. */
export interface ChannelNormalisation {
  readonly a: number | readonly number[];
  readonly b: number | readonly number[];
}

const four = (value: number | readonly number[]): [number, number, number, number] => {
  const at = (i: number): number => (typeof value === 'number' ? value : (value[i] ?? value.at(-1) ?? 0));
  return [at(0), at(1), at(2), at(3)];
};

export const normalisationOf = (
  network: Network,
  wanted: PixelRange | ChannelNormalisation | undefined,
): InputNormalisation => {
  const { quantisation } = network.input;
  const range = wanted ?? (quantisation === undefined ? 'signed' : 'quantised');
  if (typeof range === 'object') return { a: four(range.a), b: four(range.b) };
  switch (range) {
    case 'quantised': {
      if (quantisation === undefined) throw new RangeError('pixel range "quantised" needs a quantised input');
      const { scale, zeroPoint } = quantisation;
      return { a: four(scale), b: four(-(zeroPoint + 128) * scale) };
    }
    case 'signed':
      return { a: four(1 / 127.5), b: four(-1) };
    case 'unit':
      return { a: four(1 / 255), b: four(0) };
    case 'bytes':
      return { a: four(1), b: four(0) };
  }
};
