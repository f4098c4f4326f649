import { deterministicChunks } from '../cbor/encode.js';
import { SmartZoneError } from '../errors.js';
import { bytes, decodeWith, encodeWith, field, struct, uint } from '../schema.js';
import { dimsCodec, formatCodec, inputBytes, type InputShape } from './input-shape.js';

export const FRAME_ID_LENGTH = 8;

/** The plaintext of a frame record. */
export interface Frame extends InputShape {
  /** 8 random bytes, kept when the frame is sealed again for another boot. */
  readonly id: Uint8Array;
  /** Milliseconds since 1970, by the sensor's clock. */
  readonly time: number;
  readonly data: Uint8Array;
}

const codec = struct<Frame>({
  id: field(1, bytes(FRAME_ID_LENGTH, FRAME_ID_LENGTH)),
  time: field(2, uint),
  format: field(3, formatCodec),
  dims: field(4, dimsCodec),
  data: field(5, bytes()),
});

/** Throws BAD_FRAME where the data has not the size of its shape. */
export function encodeFrame(frame: Frame): Uint8Array {
  checkSize(frame);
  return encodeWith(codec, frame);
}

/** The same in pieces, the data itself among them, not copied: for RecordWriter.seal(). */
export function encodeFrameChunks(frame: Frame): Uint8Array[] {
  checkSize(frame);
  return deterministicChunks(codec.encode(frame));
}

export function decodeFrame(raw: Uint8Array): Frame {
  const frame = decodeWith(codec, raw, 'frame');
  checkSize(frame);
  return frame;
}

function checkSize(frame: Frame): void {
  const due = inputBytes(frame);
  if (frame.data.length !== due)
    throw new SmartZoneError('BAD_FRAME', `${frame.data.length} bytes where its shape takes ${due}`);
}
