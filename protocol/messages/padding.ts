import { SmartZoneError } from '../errors.js';

/** Marks where the content ends; zeros follow. */
const END = 0x80;

/** Content, h'80', zeros up to `size` bytes, so that all records of a kind are as long as each other. */
export function pad(content: Uint8Array, size: number): Uint8Array {
  if (content.length >= size) throw new RangeError(`${content.length} bytes do not fit padding to ${size}`);
  const out = new Uint8Array(size);
  out.set(content);
  out[content.length] = END;
  return out;
}

/** The content. Throws MALFORMED where the padding is not of this form. */
export function unpad(padded: Uint8Array): Uint8Array {
  let end = padded.length - 1;
  while (end >= 0 && padded[end] === 0) end--;
  if (end < 0 || padded[end] !== END) throw new SmartZoneError('MALFORMED', 'padding');
  return padded.subarray(0, end);
}
