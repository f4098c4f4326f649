import type { SmartZoneError } from '../../protocol/errors.js';
import type { Kid } from '../../protocol/kid.js';
import type { InputShape } from '../../protocol/messages/input-shape.js';
import type { Offer } from '../../protocol/messages/offer.js';
import type { Receipt } from '../../protocol/messages/receipt.js';
import type { Refusal, TrustedDevice } from '../trust/index.js';

/** To whom a channel can be offered now. */
export interface Target {
  /** The same as long as a channel that was offered to it can be used: devices, their boots and prekeys, input. */
  readonly identity: string;
  readonly inputShape: InputShape;
  /** What the channel is bound to: a device's kid or a zone's id. */
  readonly audience: Kid;
  /** The highest model sequence number seen of those devices. */
  readonly modelSequence: number;
  /** The sealed message. */
  seal(offer: Offer): Uint8Array;
}

export interface DestinationEvents {
  /** `target` may be another one. */
  changed: () => void;
  device: (device: TrustedDevice) => void;
  refused: (refusal: { what: Refusal['what'] | 'receipt'; error: SmartZoneError }) => void;
  receipt: (receipt: Receipt) => void;
  /** Nobody knows what became of the frames that are under way. */
  interrupted: () => void;
}

/** Where a sensor's frames go: one device, or the devices of a zone. */
export interface Destination {
  readonly offerTopic: string;
  readonly frameTopic: string;
  /**
   * Frames are dealt out to several devices: a number that one of them did not take another may have, and a frame without receipt is
   * sent again as it is. Else a number that was passed over is lost.
   */
  readonly shared: boolean;
  readonly target: Target | undefined;
  readonly device: TrustedDevice | undefined;
  readonly inputShape: InputShape | undefined;
  /** The newest roster that is known, as an offer tells it. */
  readonly seenRoster: Pick<Offer, 'rosterVersion' | 'ownerGeneration'>;
  start(events: DestinationEvents): Promise<void>;
  /** The device has answered what this process made: its earlier boots have ended. */
  confirmAlive(device: Kid): void;
  /** Why there is no target. @param refused what was refused last */
  whyNot(refused?: SmartZoneError): SmartZoneError;
  close(): Promise<void>;
}

export function sameShape(a: InputShape, b: InputShape): boolean {
  return (
    a.format === b.format && a.dims.length === b.dims.length && a.dims.every((dim, i) => dim === b.dims[i])
  );
}

/** For people: "u8 128x128x3". */
export function describeShape({ format, dims }: InputShape): string {
  return `${format} ${dims.join('x')}`;
}
