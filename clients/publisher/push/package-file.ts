import { readFile } from 'node:fs/promises';
import { SmartZoneError } from '../../../protocol/errors.js';
import type { PushedPackage } from './model-push.js';

/** Where `model pack` puts the content key of a package: beside it. */
export const contentKeyFile = (packageFile: string): string => packageFile.replace(/(\.[^./]*)?$/, '.key');

/** @throws KEY_FILE */
export const parseContentKey = (text: string, file: string): Uint8Array => {
  const key = new Uint8Array(Buffer.from(text.trim(), 'base64url'));
  if (key.length !== 16) throw new SmartZoneError('KEY_FILE', `${file}: not a content key`);
  return key;
};

/**
 * A package as `model pack` writes it, and its content key.
 * @param keyFile default: beside the package
 * @throws KEY_FILE, the file system's errors; what the package holds is looked at when it is pushed
 */
export const readPackageFile = async (
  file: string,
  keyFile = contentKeyFile(file),
): Promise<PushedPackage> => ({
  bytes: new Uint8Array(await readFile(file)),
  contentKey: parseContentKey(await readFile(keyFile, 'utf8'), keyFile),
});
