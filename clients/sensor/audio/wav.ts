import { SmartZoneError } from '../../../protocol/errors.js';

/** One channel of sound. */
export interface Sound {
  /** Samples per second. */
  readonly rate: number;
  /** -1 .. 1. */
  readonly samples: Float32Array;
}

const PCM = 1;
const EXTENSIBLE = 0xfffe;
const refuse = (detail: string): SmartZoneError => new SmartZoneError('BAD_FRAME', `WAV: ${detail}`);

/**
 * Reads a WAV file of 16-bit PCM; several channels become their mean. What else is in it is skipped.
 * Source: "Multimedia Programming Interface and Data Specifications 1.0" (IBM, Microsoft, 1991), chapter "WAVE".
 * @throws SmartZoneError BAD_FRAME
 */
export const readWav = (file: Uint8Array): Sound => {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  const tag = (at: number): string => String.fromCharCode(...file.subarray(at, at + 4));
  if (file.length < 12 || tag(0) !== 'RIFF' || tag(8) !== 'WAVE') throw refuse('it does not begin as one');
  let format: { channels: number; rate: number } | undefined;
  for (let at = 12; at + 8 <= file.length;) {
    const [name, size] = [tag(at), view.getUint32(at + 4, true)];
    const from = at + 8;
    if (name === 'fmt ') format = readFormat(view, from, size);
    if (name === 'data') {
      if (format === undefined) throw refuse('sound before its format');
      // A length that nobody knew when writing began (of a stream) is "the rest".
      return {
        rate: format.rate,
        samples: mixed(view, from, Math.min(size, file.length - from), format.channels),
      };
    }
    at = from + size + (size % 2);
  }
  throw refuse('it holds no sound');
};

const readFormat = (view: DataView, at: number, size: number): { channels: number; rate: number } => {
  if (size < 16 || at + size > view.byteLength) throw refuse('its format is cut off');
  const [code, channels, rate, bits] = [
    view.getUint16(at, true),
    view.getUint16(at + 2, true),
    view.getUint32(at + 4, true),
    view.getUint16(at + 14, true),
  ];
  const subformat = code === EXTENSIBLE && size >= 26 ? view.getUint16(at + 24, true) : code;
  if (subformat !== PCM || bits !== 16)
    throw refuse(`format ${subformat} with ${bits} bits: convert it to 16-bit PCM (ffmpeg -c:a pcm_s16le)`);
  if (channels < 1 || rate < 1) throw refuse(`${channels} channels at ${rate} samples a second`);
  return { channels, rate };
};

/** Little-endian 16-bit samples, channels side by side, as their mean. */
const mixed = (view: DataView, at: number, size: number, channels: number): Float32Array => {
  const frames = Math.floor(size / (2 * channels));
  return Float32Array.from({ length: frames }, (_, i) => {
    let sum = 0;
    for (let c = 0; c < channels; c++) sum += view.getInt16(at + 2 * (i * channels + c), true);
    return sum / channels / 32768;
  });
};

/** Raw 16-bit little-endian samples of one channel, as `arecord -t raw -f S16_LE` writes them. */
export const readPcm = (bytes: Uint8Array): Float32Array =>
  mixed(new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), 0, bytes.byteLength, 1);
