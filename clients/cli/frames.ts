import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SmartZoneError } from '../../protocol/errors.js';
import { inputBytes, type InputShape } from '../../protocol/messages/input-shape.js';
import type { FrameShape } from '../picture/index.js';
import type { NamedFrame } from '../publisher/index.js';

const PICTURE = /\.(bmp|gif|jpe?g|png|tiff?|webp)$/i;
const RAW = /\.(bin|raw)$/i;

/**
 * A model's frames from a folder, by name: files that hold one frame each as it is (.bin, .raw), and pictures where it takes them.
 * @throws SmartZoneError PICTURE_INVALID, BAD_FRAME
 */
export const readFrames = async (shape: InputShape, folder: string): Promise<NamedFrame[]> => {
  const { dims, format } = shape;
  const [height = 1, width = 1, channels = 1] = dims;
  const picture: FrameShape | undefined =
    format === 'u8' && dims.length === 3 && (channels === 1 || channels === 3)
      ? { width, height, channels }
      : undefined;
  const names = readdirSync(folder)
    .filter((name) => RAW.test(name) || (picture !== undefined && PICTURE.test(name)))
    .sort();
  if (names.length === 0)
    throw picture !== undefined
      ? new SmartZoneError('PICTURE_INVALID', `there is no picture in ${folder}`)
      : new SmartZoneError(
          'BAD_FRAME',
          `there is no frame in ${folder}: the model takes ${format} ${dims.join('x')}, one to a file, .bin or .raw`,
        );
  const { decodePicture, resizePicture } = await import('../picture/index.js');
  return Promise.all(
    names.map(async (name) => {
      const file = join(folder, name);
      if (picture === undefined || RAW.test(name)) return { name, data: rawFrame(shape, file) };
      const decoded = await decodePicture(new Uint8Array(readFileSync(file)));
      return { name, data: resizePicture(decoded, picture).data };
    }),
  );
};

const rawFrame = (shape: InputShape, file: string): Uint8Array => {
  const data = new Uint8Array(readFileSync(file));
  const size = inputBytes(shape);
  if (data.length !== size)
    throw new SmartZoneError('BAD_FRAME', `${file} has ${data.length} bytes, a frame has ${size}`);
  return data;
};
