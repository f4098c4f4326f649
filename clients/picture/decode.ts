import { SmartZoneError } from '../../protocol/errors.js';
import { isBmp, readBmp } from './bmp.js';
import { MOST_PIXELS, type Picture } from './picture.js';

/**
 * Decodes BMP, JPEG, PNG or WebP; the camera's orientation mark is applied, transparency lies on black.
 * @throws SmartZoneError PICTURE_INVALID
 */
export const decodePicture = async (bytes: Uint8Array): Promise<Picture> => {
  if (isBmp(bytes)) return readBmp(bytes);
  // Loaded only when needed: it brings a native library, and BMP and raw frames do without.
  const { default: sharp } = await import('sharp');
  try {
    const image = sharp(bytes, { limitInputPixels: MOST_PIXELS, failOn: 'error' });
    const { data, info } = await image
      .rotate()
      .flatten({ background: '#000' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true });
    const { width, height, channels } = info;
    if (channels !== 1 && channels !== 3) throw new SmartZoneError('PICTURE_INVALID', `${channels} channels`);
    return { width, height, channels, data: new Uint8Array(data.buffer, data.byteOffset, data.length) };
  } catch (cause) {
    if (cause instanceof SmartZoneError) throw cause;
    throw new SmartZoneError('PICTURE_INVALID', cause instanceof Error ? cause.message : undefined, {
      cause,
    });
  }
};
