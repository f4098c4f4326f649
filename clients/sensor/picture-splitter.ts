import { SmartZoneError } from '../../protocol/errors.js';

/** No camera's picture is larger; a stream that pretends one would fill the memory. */
const MOST_BYTES = 64 * 1024 * 1024;

/** Cuts a stream into pictures by walking through the structure of each: a length that is not known yet is undefined. */
export class PictureSplitter {
  private rest: Uint8Array = new Uint8Array(0);

  /** The pictures that are complete with this chunk. @throws PICTURE_INVALID */
  push(chunk: Uint8Array): Uint8Array[] {
    this.rest = this.rest.length === 0 ? chunk : Buffer.concat([this.rest, chunk]);
    const pictures: Uint8Array[] = [];
    for (;;) {
      const length = pictureLength(this.rest);
      if (length === undefined || length > this.rest.length) break;
      pictures.push(Uint8Array.from(this.rest.subarray(0, length)));
      this.rest = this.rest.subarray(length);
    }
    if (this.rest.length > MOST_BYTES) throw invalid(`a picture of more than ${MOST_BYTES} bytes`);
    return pictures;
  }

  /** @throws PICTURE_INVALID where the stream ended within a picture */
  end(): void {
    if (this.rest.length > 0)
      throw invalid(`the stream ended within a picture, after ${this.rest.length} bytes`);
  }
}

/** The length of the picture that `bytes` start with, as far as it can be told yet. */
function pictureLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < 8) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (view.getUint16(0) === 0xffd8) return jpegLength(bytes, view);
  if (view.getUint32(0) === 0x89504e47) return pngLength(bytes, view);
  if (view.getUint16(0) === 0x424d) return bmpLength(view);
  throw invalid('the stream has neither JPEG, PNG nor BMP where a picture should start');
}

/** ITU-T T.81, annex B: marker segments have a length, entropy-coded data after SOS goes to the next marker. */
function jpegLength(bytes: Uint8Array, view: DataView): number | undefined {
  for (let at = 2; at + 4 <= bytes.length;) {
    if (bytes[at] !== 0xff) throw invalid('damaged JPEG in the stream');
    const marker = bytes[at + 1] ?? 0;
    if (marker === 0xff) {
      at++;
      continue;
    }
    if (marker === 0xd9) return at + 2;
    at += 2 + view.getUint16(at + 2);
    if (marker !== 0xda) continue;
    // In entropy-coded data a 0xff is followed by 0 (stuffing) or a restart marker; any other ends it.
    for (; ; at++) {
      at = bytes.indexOf(0xff, at);
      if (at < 0 || at + 1 >= bytes.length) return undefined;
      const next = bytes[at + 1] ?? 0;
      if (next !== 0 && !(next >= 0xd0 && next <= 0xd7)) break;
    }
    if (bytes[at + 1] === 0xd9) return at + 2;
  }
  return undefined;
}

/** PNG (third edition), section 5: chunks of length, type, data and CRC up to IEND. */
function pngLength(bytes: Uint8Array, view: DataView): number | undefined {
  for (let at = 8; at + 8 <= bytes.length;) {
    const end = at + 12 + view.getUint32(at);
    if (end > MOST_BYTES) throw invalid('damaged PNG in the stream');
    if (view.getUint32(at + 4) === 0x49454e44) return end;
    at = end;
  }
  return undefined;
}

/** The file header has the size. */
function bmpLength(view: DataView): number {
  const size = view.getUint32(2, true);
  if (size < 26 || size > MOST_BYTES) throw invalid('damaged BMP in the stream');
  return size;
}

function invalid(detail: string): SmartZoneError {
  return new SmartZoneError('PICTURE_INVALID', detail);
}
