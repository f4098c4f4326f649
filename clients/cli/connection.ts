import { existsSync, readFileSync } from 'node:fs';
import { SmartZoneError } from '../../protocol/errors.js';
import { writeFileAtomic } from '../keys/index.js';

/** Where a party finds its device: what options and environment say comes before it. */
export interface Connection {
  readonly broker?: string;
  readonly prefix?: string;
}

/** Nothing where there is no file. @throws CONFIG_INVALID */
export function readConnection(path: string): Connection {
  if (!existsSync(path)) return {};
  let value: Partial<Record<string, unknown>> | null;
  try {
    value = JSON.parse(readFileSync(path, 'utf8')) as typeof value;
  } catch (error) {
    throw new SmartZoneError('CONFIG_INVALID', `${path}: ${(error as Error).message}`, { cause: error });
  }
  const { broker, prefix } = value ?? {};
  if (typeof broker !== 'string' || typeof prefix !== 'string')
    throw new SmartZoneError(
      'CONFIG_INVALID',
      `${path}: broker and prefix are strings; delete it to do without`,
    );
  return { broker, prefix };
}

export function writeConnection(path: string, connection: Required<Connection>): void {
  writeFileAtomic(path, `${JSON.stringify(connection, null, 2)}\n`);
}
