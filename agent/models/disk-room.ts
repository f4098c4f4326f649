import { stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { isSmartZoneError, SmartZoneError } from '../../protocol/errors.js';

/** Beside a package its offer and announcement are written, each as a new file before it replaces the old one. */
const BESIDE = 64 * 1024;

/** The file system has no room (or this user has no more of it): that may pass. */
export const isDiskFull = (error: unknown): boolean => {
  const { code } = error as NodeJS.ErrnoException;
  return code === 'ENOSPC' || code === 'EDQUOT';
};

/** The bound on what all packages take together. @throws MODEL_DISK where these bytes are too many beside `kept` */
export const checkBound = async (
  directory: string,
  kept: readonly string[],
  bytes: number,
  most: number,
): Promise<void> => {
  const sizes = await Promise.all(
    kept.map((name) =>
      stat(join(directory, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  const all = sizes.reduce((sum, size) => sum + size, bytes);
  if (all > most)
    throw new SmartZoneError(
      'MODEL_DISK',
      `${all} bytes with those that are kept, models.maxMebibytes allows ${most}`,
    );
};

/** @throws an error of isDiskFull() where these bytes do not fit on the file system now */
export const checkFree = async (directory: string, bytes: number): Promise<void> => {
  const { bavail, bsize } = await statfs(directory);
  const free = bavail * bsize;
  if (bytes + BESIDE > free)
    throw Object.assign(new Error(`${bytes} bytes are needed, ${free} are free`), { code: 'ENOSPC' });
};

/** An error as it is published: a code of protocol/codes.json, and words. */
export const describeTrouble = (error: unknown): { code: string; reason: string } => {
  if (isSmartZoneError(error)) return { code: error.code, reason: error.message };
  const { code, message } = error as NodeJS.ErrnoException;
  const disk = isDiskFull(error) || code === 'EFBIG';
  return { code: disk ? 'MODEL_DISK' : 'MALFORMED', reason: message };
};
