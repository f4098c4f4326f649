import type { SmartZoneError } from '../../protocol/errors.js';
import type { InputShape } from '../../protocol/messages/input-shape.js';
import type { Randomness } from '../../protocol/randomness.js';
import type { PartyKeys, PartyPublic } from '../keys/index.js';
import type { BrokerLink } from '../link/index.js';
import type { Fit } from '../picture/index.js';
import type { Refusal, TrustedDevice } from '../trust/index.js';
import type { DropReason } from './frame-queue.js';

export interface SensorOptions {
  /** Open connection to the broker; the caller closes it. */
  readonly link: BrokerLink;
  /** Keys with the role sensor. */
  readonly keys: PartyKeys;
  /** The owner whose roster counts: the one anchor. */
  readonly owner: PartyPublic;
  /** What the device's topics start with, such as smartzone/porch-pi. Either this or `zone`. */
  readonly prefix?: string;
  /**
   * A zone of the roster, by its name or id: several devices answer the frames, whichever is free. Its devices' topics must start
   * with smartzone/<name>, and the broker must have MQTT 5. Either this or `prefix`.
   */
  readonly zone?: string;
  /** File of what this sensor has seen, beside its key file; without it a restart forgets. */
  readonly seenPath?: string;
  /** Frames kept until the device has receipted them; when full the oldest is dropped. Default 32. */
  readonly queueCapacity?: number;
  /** Frames under way to the broker at a time. Default 8. */
  readonly window?: number;
  /** Seconds after which the broker drops a frame that the device did not fetch (MQTT 5). Default 30. */
  readonly frameExpiry?: number;
  /** Milliseconds after which a frame without receipt is not sent again. Default 30 000: rules hosts ignore older labels. */
  readonly maxAge?: number;
  /**
   * Milliseconds after which a zone's frame without receipt is sent again, as it is: another device may take it. Default 2000. A
   * device of its own gets its frames in order, and needs no such thing.
   */
  readonly sendAgainAfter?: number;
  /**
   * Milliseconds without a receipt, while frames wait for one, after which a new channel is offered. Default 10 000. Each time that it
   * was in vain the wait doubles, up to four times this: a device that takes longer for one frame would never finish one.
   */
  readonly offerAgainAfter?: number;
  /** How pictures of another aspect ratio meet the network's input. Default stretch. */
  readonly fit?: Fit;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
  readonly random?: Randomness;
}

/** A frame was sealed and given to the broker. */
export interface FrameSent {
  readonly frameId: Uint8Array;
  /** Its number in the channel. */
  readonly number: number;
  /** 1 for the first time; more when it was sealed or sent again. */
  readonly attempt: number;
  /** Bytes of the record. */
  readonly size: number;
}

export interface FrameReceipted {
  readonly frameId: Uint8Array;
  readonly number: number;
}

export interface FrameDropped {
  readonly frameId: Uint8Array;
  readonly reason: DropReason;
}

export interface SensorEvents {
  /** A device that frames go to, verified: for the first time, after a start of the TA, or with another model or roster. */
  device: [TrustedDevice];
  /** A channel was offered: frames go out from here on. */
  channel: [{ readonly inputShape: InputShape }];
  sent: [FrameSent];
  receipted: [FrameReceipted];
  dropped: [FrameDropped];
  /** A message of the broker was not believed. */
  refused: [{ readonly what: Refusal['what'] | 'receipt'; readonly error: SmartZoneError }];
}

export interface SensorStats {
  /** Frames taken, whatever became of them. */
  readonly frames: number;
  /** Records given to the broker: more than frames where some were sealed or sent again. */
  readonly sent: number;
  readonly receipted: number;
  readonly dropped: number;
  /** Frames that wait. */
  readonly queued: number;
  readonly offers: number;
}
