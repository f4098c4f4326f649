import type { Kid } from '../../protocol/kid.js';
import type { Results } from '../../protocol/messages/results.js';

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
  readonly results: Results;
}
