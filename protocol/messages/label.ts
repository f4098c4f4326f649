import type { ChannelId, Kid } from '../kid.js';
import type { SigningKey } from '../keys.js';
import { bytes, channelId, digest, field, kid, nonce, optional, struct, uint } from '../schema.js';
import { openSigned, sealSigned } from '../signed.js';
import { FRAME_ID_LENGTH } from './frame.js';
import { pad, unpad } from './padding.js';
import { resultsCodec, type Results } from './results.js';

/** The answer to one accepted frame, whether or not anything was seen in it. */
export interface Label {
  /** The frame's channel, number and authentication tag: just that record. */
  readonly frameChannel: ChannelId;
  readonly frameNumber: number;
  readonly frameTag: Uint8Array;
  readonly frameId: Uint8Array;
  /** Milliseconds since 1970, by the sensor's clock. */
  readonly sensorTime: number;
  readonly sensor: Kid;
  readonly device: Kid;
  readonly bootNonce: Uint8Array;
  /** The digest of the manifest of the model that made it. */
  readonly model: Uint8Array;
  readonly results: Results;
  /** The frame's channel is this zone's: other devices may label the same frame. */
  readonly zone?: Kid;
}

const codec = struct<Label>({
  frameChannel: field(1, channelId),
  frameNumber: field(2, uint),
  frameTag: field(3, bytes(16, 16)),
  frameId: field(4, bytes(FRAME_ID_LENGTH, FRAME_ID_LENGTH)),
  sensorTime: field(5, uint),
  sensor: field(6, kid),
  device: field(7, kid),
  bootNonce: field(8, nonce),
  model: field(9, digest),
  results: field(10, resultsCodec),
  zone: optional(11, kid),
});

/** The plaintext of a label record: signed by the device, padded to the model's one `size`. */
export function signLabel(label: Label, device: SigningKey, size: number): Uint8Array {
  return pad(sealSigned(codec, 'label', label, device), size);
}

/**
 * From the plaintext of a label record. The signature is what tells a label of the device from one that another rules
 * host, which knows the epoch's secret, has made.
 */
export function verifyLabel(plaintext: Uint8Array, deviceKey: Uint8Array): Label {
  return openSigned(codec, 'label', unpad(plaintext), () => deviceKey).body;
}
