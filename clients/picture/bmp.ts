import { SmartZoneError } from '../../protocol/errors.js';
import { MOST_PIXELS, type Picture } from './picture.js';

const FILE_HEADER = 14;
const INFO_HEADER = 40;

export const isBmp = (bytes: Uint8Array): boolean => bytes[0] === 0x42 && bytes[1] === 0x4d;

/**
 * Reads an uncompressed BMP (BITMAPINFOHEADER or later) of 8 bits with palette, 24 or 32 bits per pixel: what sharp does not
 * read. A palette of greys gives a grey picture. Anything else, and any length that does not add up, is PICTURE_INVALID.
 */
export const readBmp = (bytes: Uint8Array): Picture => {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!isBmp(bytes) || bytes.length < FILE_HEADER + INFO_HEADER) throw invalid('not a BMP file');
  const pixelsAt = view.getUint32(10, true);
  const headerSize = view.getUint32(14, true);
  const width = view.getInt32(18, true);
  const signedHeight = view.getInt32(22, true);
  const bits = view.getUint16(28, true);
  const compression = view.getUint32(30, true);
  const height = Math.abs(signedHeight);
  if (headerSize < INFO_HEADER || FILE_HEADER + headerSize > bytes.length)
    throw invalid(`header of ${headerSize} bytes`);
  if (width < 1 || height < 1 || width * height > MOST_PIXELS) throw invalid(`${width} x ${height} pixels`);
  if (compression !== 0) throw invalid(`compression ${compression}`);
  if (bits !== 8 && bits !== 24 && bits !== 32) throw invalid(`${bits} bits per pixel`);
  const stride = Math.ceil((width * bits) / 32) * 4;
  if (pixelsAt < FILE_HEADER + headerSize || pixelsAt + stride * height > bytes.length)
    throw invalid('pixels are missing');

  /** Positive heights are stored from the bottom up. */
  const rowAt = (y: number): number => pixelsAt + stride * (signedHeight > 0 ? height - 1 - y : y);
  if (bits === 8) {
    const colours = view.getUint32(46, true) || 256;
    const paletteAt = FILE_HEADER + headerSize;
    if (colours > 256 || paletteAt + 4 * colours > pixelsAt) throw invalid(`palette of ${colours} colours`);
    return readPalette(bytes, width, height, rowAt, bytes.subarray(paletteAt, paletteAt + 4 * colours));
  }
  const data = new Uint8Array(3 * width * height);
  const size = bits / 8;
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0, from = rowAt(y); x < width; x++, from += size) {
      data[to++] = bytes[from + 2] ?? 0;
      data[to++] = bytes[from + 1] ?? 0;
      data[to++] = bytes[from] ?? 0;
    }
  }
  return { width, height, channels: 3, data };
};

/** Palette entries are blue, green, red, reserved. */
const readPalette = (
  bytes: Uint8Array,
  width: number,
  height: number,
  rowAt: (y: number) => number,
  palette: Uint8Array,
): Picture => {
  const colours = palette.length / 4;
  let grey = true;
  for (let i = 0; i < colours; i++)
    if (palette[4 * i] !== palette[4 * i + 1] || palette[4 * i] !== palette[4 * i + 2]) grey = false;
  const channels = grey ? 1 : 3;
  const data = new Uint8Array(channels * width * height);
  for (let y = 0, to = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const index = bytes[rowAt(y) + x] ?? 0;
      if (index >= colours) throw invalid(`colour ${index} is not in the palette`);
      for (let channel = 0; channel < channels; channel++) data[to++] = palette[4 * index + 2 - channel] ?? 0;
    }
  }
  return { width, height, channels, data };
};

const invalid = (detail: string): SmartZoneError => new SmartZoneError('PICTURE_INVALID', `BMP: ${detail}`);
