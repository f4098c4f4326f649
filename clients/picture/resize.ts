import { toGrey, toRgb, type Picture } from './picture.js';

/** How a picture of another aspect ratio meets the network's input. */
export type Fit =
  /** Both sides scaled on their own. */
  | 'stretch'
  /** Scaled to fit inside, the rest black: nothing is lost, shapes are kept. */
  | 'letterbox'
  /** Scaled to cover, the middle kept. */
  | 'crop';

export interface FrameShape {
  readonly width: number;
  readonly height: number;
  readonly channels: 1 | 3;
}

/**
 * Brings a picture to a network's input size. Same result on every platform: a triangle filter as wide as the reduction (so
 * that reducing averages instead of skipping), computed here rather than by whatever library is installed.
 */
export const resizePicture = (picture: Picture, shape: FrameShape, fit: Fit = 'stretch'): Picture => {
  const source = shape.channels === 1 ? toGrey(picture) : toRgb(picture);
  const across = spans(source.width, source.height, shape, fit);
  const rows = filterRows(source, across.x);
  const data = filterColumns(rows, shape.width, source.height, shape.channels, across.y);
  return { width: shape.width, height: shape.height, channels: shape.channels, data };
};

/** Along one side: `from` source pixels beginning at `start` fill `to` pixels of the frame beginning at `at`. */
interface Span {
  readonly start: number;
  readonly from: number;
  readonly at: number;
  readonly to: number;
  readonly frame: number;
}

const spans = (width: number, height: number, shape: FrameShape, fit: Fit): { x: Span; y: Span } => {
  const scaleX = shape.width / width;
  const scaleY = shape.height / height;
  if (fit === 'letterbox') {
    const scale = Math.min(scaleX, scaleY);
    const inside = (size: number, frame: number): Span => {
      const to = Math.max(1, Math.min(frame, Math.round(size * scale)));
      return { start: 0, from: size, at: Math.floor((frame - to) / 2), to, frame };
    };
    return { x: inside(width, shape.width), y: inside(height, shape.height) };
  }
  const scale = Math.max(scaleX, scaleY);
  const covering = (size: number, frame: number): Span => {
    const from = fit === 'crop' ? Math.min(size, frame / scale) : size;
    return { start: (size - from) / 2, from, at: 0, to: frame, frame };
  };
  return { x: covering(width, shape.width), y: covering(height, shape.height) };
};

interface Taps {
  readonly first: number;
  readonly weights: Float64Array;
}

/** For every pixel of the frame, the source pixels that it is the weighted mean of; undefined for the border. */
const tapsOf = ({ start, from, at, to, frame }: Span, size: number): (Taps | undefined)[] => {
  const scale = from / to;
  const support = Math.max(1, scale);
  return Array.from({ length: frame }, (_, i) => {
    if (i < at || i >= at + to) return undefined;
    const centre = start + (i - at + 0.5) * scale;
    const first = Math.max(0, Math.floor(centre - support + 0.5));
    const end = Math.min(size, Math.max(first + 1, Math.floor(centre + support + 0.5)));
    const raw = Array.from({ length: end - first }, (__, k) =>
      Math.max(0, 1 - Math.abs(first + k + 0.5 - centre) / support),
    );
    const total = raw.reduce((sum, weight) => sum + weight, 0);
    return {
      first,
      weights: Float64Array.from(raw, (weight) => (total > 0 ? weight / total : 1 / raw.length)),
    };
  });
};

const filterRows = (source: Picture, span: Span): Float32Array => {
  const { width, height, channels, data } = source;
  const taps = tapsOf(span, width);
  const out = new Float32Array(taps.length * height * channels);
  for (let y = 0, to = 0; y < height; y++) {
    for (const tap of taps) {
      for (let channel = 0; channel < channels; channel++, to++) {
        if (tap === undefined) continue;
        let sum = 0;
        let from = (y * width + tap.first) * channels + channel;
        for (const weight of tap.weights) {
          sum += weight * (data[from] ?? 0);
          from += channels;
        }
        out[to] = sum;
      }
    }
  }
  return out;
};

const filterColumns = (
  rows: Float32Array,
  width: number,
  height: number,
  channels: number,
  span: Span,
): Uint8Array => {
  const taps = tapsOf(span, height);
  const row = width * channels;
  const out = new Uint8Array(taps.length * row);
  for (const [y, tap] of taps.entries()) {
    if (tap === undefined) continue;
    for (let x = 0; x < row; x++) {
      let sum = 0;
      let from = tap.first * row + x;
      for (const weight of tap.weights) {
        sum += weight * (rows[from] ?? 0);
        from += row;
      }
      out[y * row + x] = Math.min(255, Math.max(0, Math.round(sum)));
    }
  }
  return out;
};
