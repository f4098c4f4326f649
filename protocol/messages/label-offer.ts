import type { ChannelId } from '../kid.js';
import type { AgreementKey, SigningKey } from '../keys.js';
import type { Randomness } from '../randomness.js';
import { bytes, channelId, field, nonce, struct, uint } from '../schema.js';
import { openOfferFor, sealOfferFor, type Receiver, type SealedReceiver } from '../signed.js';

/** The epoch's secret for labels and telemetry: from a device to one rules host; retained. */
export interface LabelOffer {
  /** The channel id of this epoch's records. */
  readonly channel: ChannelId;
  /** 32 bytes. */
  readonly secret: Uint8Array;
  /** Strictly increasing within a boot. */
  readonly epoch: number;
  readonly bootNonce: Uint8Array;
  readonly rosterVersion: number;
  readonly modelSequence: number;
}

export const labelOfferCodec = struct<LabelOffer>({
  channel: field(1, channelId),
  secret: field(2, bytes(32, 32)),
  epoch: field(3, uint),
  bootNonce: field(4, nonce),
  rosterVersion: field(5, uint),
  modelSequence: field(6, uint),
});

/** @param rulesHost prekey, kid and fresh nonce of its newest rules hello. */
export function sealLabelOffer(
  offer: LabelOffer,
  device: SigningKey,
  rulesHost: SealedReceiver,
  random?: Randomness,
): Uint8Array {
  return sealOfferFor(labelOfferCodec, 'label-offer', offer, device, [rulesHost], random);
}

export function openLabelOffer(
  raw: Uint8Array,
  deviceKey: Uint8Array,
  rulesHost: Receiver,
  prekey: AgreementKey,
): LabelOffer {
  return openOfferFor(labelOfferCodec, 'label-offer', raw, deviceKey, rulesHost, prekey);
}
