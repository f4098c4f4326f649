import type { ChannelId, Kid } from '../kid.js';
import type { SigningKey } from '../keys.js';
import { bytes, channelId, field, kid, nonce, struct, uint } from '../schema.js';
import { openSigned, sealSigned } from '../signed.js';

/** Which of a channel's frames the device has taken; retained. Those lost on the way, or dealt to another device, are not among them. */
export interface Receipt {
  readonly device: Kid;
  readonly channel: ChannelId;
  /** The highest number that the device took. */
  readonly lastNumber: number;
  readonly bootNonce: Uint8Array;
  /** Which of the last 128 numbers it took, as `receiptCovers` reads it. */
  readonly window: Uint8Array;
}

/** Numbers that a receipt tells of. */
export const RECEIPT_WINDOW = 128;

/** Whether the receipt says that the device took this number. */
export function receiptCovers({ lastNumber, window }: Receipt, number: number): boolean {
  const below = lastNumber - number;
  if (number < 1 || below < 0) return false;
  return below < RECEIPT_WINDOW && ((window[below >> 3] ?? 0) & (1 << (below & 7))) !== 0;
}

const codec = struct<Receipt>({
  device: field(1, kid),
  channel: field(2, channelId),
  lastNumber: field(3, uint),
  bootNonce: field(4, nonce),
  window: field(5, bytes(RECEIPT_WINDOW / 8, RECEIPT_WINDOW / 8)),
});

export function signReceipt(receipt: Receipt, device: SigningKey): Uint8Array {
  return sealSigned(codec, 'receipt', receipt, device);
}

export function verifyReceipt(raw: Uint8Array, deviceKey: Uint8Array): Receipt {
  return openSigned(codec, 'receipt', raw, () => deviceKey).body;
}
