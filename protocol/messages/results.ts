import { array, bytes, float, oneOf, refuse, text, tuple, uint, type Codec } from '../schema.js';
import { formatCodec, type Format } from './input-shape.js';

export interface ClassScore {
  readonly index: number;
  /** The model's name for the class; empty where it has none. */
  readonly name: string;
  readonly score: number;
}

export interface Detection extends ClassScore {
  /** In fractions of the picture, from its upper left corner. */
  readonly box: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
}

/** What the network said of one frame, by the model's output schema. */
export type Results =
  | { readonly kind: 'classes'; readonly classes: readonly ClassScore[] }
  | { readonly kind: 'detections'; readonly detections: readonly Detection[] }
  | { readonly kind: 'reconstruction'; readonly error: number }
  | { readonly kind: 'tensor'; readonly format: Format; readonly data: Uint8Array };

type Box = readonly [number, number, number, number];
const boxCodec = tuple<Box>(float, float, float, float);
const classTuple = tuple<readonly [number, string, number]>(uint, text(), float);
const detectionTuple = tuple<readonly [number, string, number, Box]>(uint, text(), float, boxCodec);

const classes = tuple<readonly [1, readonly (readonly [number, string, number])[]]>(
  oneOf(1),
  array(classTuple),
);
const detections = tuple<readonly [2, readonly (readonly [number, string, number, Box])[]]>(
  oneOf(2),
  array(detectionTuple),
);
const reconstruction = tuple<readonly [3, number]>(oneOf(3), float);
const tensor = tuple<readonly [4, Format, Uint8Array]>(oneOf(4), formatCodec, bytes());

export const resultsCodec: Codec<Results> = {
  encode: (results) => {
    switch (results.kind) {
      case 'classes':
        return classes.encode([1, results.classes.map(({ index, name, score }) => [index, name, score])]);
      case 'detections':
        return detections.encode([
          2,
          results.detections.map(({ index, name, score, box }) => [
            index,
            name,
            score,
            [box.x, box.y, box.width, box.height],
          ]),
        ]);
      case 'reconstruction':
        return reconstruction.encode([3, results.error]);
      case 'tensor':
        return tensor.encode([4, results.format, results.data]);
    }
  },
  decode: (value, where) => {
    switch (Array.isArray(value) ? value[0] : undefined) {
      case 1:
        return {
          kind: 'classes',
          classes: classes.decode(value, where)[1].map(([index, name, score]) => ({ index, name, score })),
        };
      case 2:
        return {
          kind: 'detections',
          detections: detections
            .decode(value, where)[1]
            .map(([index, name, score, [x, y, width, height]]) => ({
              index,
              name,
              score,
              box: { x, y, width, height },
            })),
        };
      case 3:
        return { kind: 'reconstruction', error: reconstruction.decode(value, where)[1] };
      case 4: {
        const [, format, data] = tensor.decode(value, where);
        return { kind: 'tensor', format, data };
      }
      default:
        return refuse(where, 'unknown kind of results');
    }
  },
};
