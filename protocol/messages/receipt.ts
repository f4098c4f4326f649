import type { ChannelId, Kid } from '../kid.js';
import type { SigningKey } from '../keys.js';
import { channelId, field, kid, nonce, struct, uint } from '../schema.js';
import { openSigned, sealSigned } from '../signed.js';

/** The device has labelled the channel's frames up to a number; retained. */
export interface Receipt {
  readonly device: Kid;
  readonly channel: ChannelId;
  readonly lastNumber: number;
  readonly bootNonce: Uint8Array;
}

const codec = struct<Receipt>({
  device: field(1, kid),
  channel: field(2, channelId),
  lastNumber: field(3, uint),
  bootNonce: field(4, nonce),
});

export function signReceipt(receipt: Receipt, device: SigningKey): Uint8Array {
  return sealSigned(codec, 'receipt', receipt, device);
}

export function verifyReceipt(bytes: Uint8Array, deviceKey: Uint8Array): Receipt {
  return openSigned(codec, 'receipt', bytes, () => deviceKey).body;
}
