import type { ChannelId } from '../kid.js';
import type { AgreementKey, SigningKey } from '../keys.js';
import type { Randomness } from '../randomness.js';
import { bytes, channelId, field, optional, struct, uint } from '../schema.js';
import { openOfferFor, sealOfferFor, type Receiver, type SealedReceiver } from '../signed.js';
import { inputShapeCodec, type InputShape } from './input-shape.js';

/** Opens a channel for frames: from a sensor to a device, or to the devices of a zone (zone-offer.ts); retained. */
export interface Offer {
  readonly channel: ChannelId;
  /** 32 random bytes, drawn per process and never stored. */
  readonly secret: Uint8Array;
  /** What this sensor will send. */
  readonly inputShape: InputShape;
  /** Strictly increasing per sender; milliseconds since 1970 will do. */
  readonly counter: number;
  /** Of the newest that the sender has seen: it witnesses a device whose storage was put back. */
  readonly rosterVersion: number;
  readonly ownerGeneration?: number;
  readonly modelSequence: number;
  /** Seconds since 1970. */
  readonly time: number;
}

export const offerCodec = struct<Offer>({
  channel: field(1, channelId),
  secret: field(2, bytes(32, 32)),
  inputShape: field(3, inputShapeCodec),
  counter: field(4, uint),
  rosterVersion: field(5, uint),
  modelSequence: field(6, uint),
  time: field(7, uint),
  ownerGeneration: optional(8, uint),
});

/** @param devices prekey, kid and boot nonce of the device. */
export function sealOffer(
  offer: Offer,
  sensor: SigningKey,
  devices: readonly SealedReceiver[],
  random?: Randomness,
): Uint8Array {
  return sealOfferFor(offerCodec, 'offer', offer, sensor, devices, random);
}

export function openOffer(
  raw: Uint8Array,
  sensorKey: Uint8Array,
  device: Receiver,
  prekey: AgreementKey,
): Offer {
  return openOfferFor(offerCodec, 'offer', raw, sensorKey, device, prekey);
}
