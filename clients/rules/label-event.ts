import type { Kid } from '../../protocol/kid.js';

/** One class with its score, 0..1. */
export interface ClassScore {
  /** Index of the class in the model. */
  readonly class: number;
  readonly name: string;
  readonly score: number;
}

/** Something found, and where: a box in fractions of width and height, from the upper left. */
export interface Detection extends ClassScore {
  readonly box: { readonly x: number; readonly y: number; readonly width: number; readonly height: number };
}

/** What the network said of one frame. */
export type LabelResults =
  /** The most likely classes, best first. */
  | { readonly kind: 'classes'; readonly items: readonly ClassScore[] }
  | { readonly kind: 'detections'; readonly items: readonly Detection[] }
  /** Reconstruction error: how unlike what the model was trained on. */
  | { readonly kind: 'anomaly'; readonly error: number }
  | { readonly kind: 'tensor'; readonly format: 'u8' | 'i8' | 'f32'; readonly data: Uint8Array };

/** A party as the roster names it. */
export interface NamedParty {
  readonly kid: Kid;
  readonly name: string;
}

/** A label that passed every check, for the first time. */
export interface LabelEvent {
  readonly device: NamedParty;
  readonly sensor: NamedParty;
  /** The frame's number in its channel. */
  readonly number: number;
  /** Given by the sensor; the same frame sealed again has the same. */
  readonly frameId: Uint8Array;
  /** When the picture was taken by the sensor's clock, milliseconds since 1970. */
  readonly sensorTime: number;
  /** When the label arrived here, by this host's clock, milliseconds since 1970. */
  readonly received: number;
  /** Digest of the model's manifest. */
  readonly model: Uint8Array;
  readonly results: LabelResults;
}
