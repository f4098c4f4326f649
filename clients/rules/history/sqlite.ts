import { closeSync, chmodSync, existsSync, openSync, rmSync, statSync } from 'node:fs';
import { SmartZoneError } from '../../../protocol/errors.js';
import { hold, LONGEST_HOLD_MS } from './holder.js';
import { rollBack } from './journal.js';

export type SqlValue = number | bigint | string | Uint8Array | null;
export type SqlRow = Readonly<Record<string, SqlValue>>;

/** The part of node-sqlite3-wasm that is used here. */
export interface Sqlite {
  exec(sql: string): void;
  run(sql: string, values?: SqlValue[]): unknown;
  all(sql: string, values?: SqlValue[]): unknown[];
  get(sql: string, values?: SqlValue[]): unknown;
  prepare(sql: string): { run(values?: SqlValue[]): unknown; finalize(): void };
  readonly inTransaction: boolean;
  close(): void;
}

type Constructor = new (path: string, options?: { fileMustExist?: boolean; readOnly?: boolean }) => Sqlite;

/** Name of the optional package; tests give one that there is not. */
export const SQLITE_PACKAGE = 'node-sqlite3-wasm';

async function load(specifier: string): Promise<Constructor> {
  try {
    const { default: module } = (await import(specifier)) as { default: { Database: Constructor } };
    return module.Database;
  } catch (error) {
    // The second is how other loaders than Node's own say it.
    const { code } = error as { code?: unknown };
    if (code !== 'ERR_MODULE_NOT_FOUND' && code !== 'MODULE_NOT_FOUND') throw error;
    throw new SmartZoneError(
      'CONFIG_INVALID',
      `a history needs the optional package ${specifier}, which is not installed: npm install ${specifier}`,
      { cause: error },
    );
  }
}

/** A file that is readable for its owner only; made where there is none. */
export async function openSqlite(path: string, specifier = SQLITE_PACKAGE): Promise<Sqlite> {
  const Database = await load(specifier);
  try {
    closeSync(openSync(path, 'ax', 0o600));
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'EEXIST') throw error;
  }
  chmodSync(path, 0o600);
  return new Database(path);
}

/** @throws CONFIG_INVALID where there is no such file */
export async function openSqliteReadOnly(path: string, specifier = SQLITE_PACKAGE): Promise<Sqlite> {
  const Database = await load(specifier);
  if (!existsSync(path))
    throw new SmartZoneError('CONFIG_INVALID', `${path}: there is no history; rules run --history keeps one`);
  return new Database(path, { readOnly: true });
}

/**
 * Works with a file that nobody else works with. This SQLite locks by a folder beside the file, which says nothing about who made
 * it, and which a process that is killed leaves behind: the file `.holder` names the process. What it was in the middle of is undone.
 * @throws "database is locked" where somebody else has the file
 */
export function exclusively<T>(path: string, work: () => T): T {
  const held = hold(`${path}.holder`);
  if (held === undefined) throw new Error('database is locked');
  try {
    const folder = `${path}.lock`;
    if (existsSync(folder) && (held.tookOver || isOld(folder)))
      rmSync(folder, { recursive: true, force: true });
    if (!existsSync(folder)) rollBack(path);
    return work();
  } finally {
    held.release();
  }
}

/** Made by somebody who names no holder: another program. */
function isOld(folder: string): boolean {
  const made = statSync(folder, { throwIfNoEntry: false });
  return made !== undefined && Date.now() - made.mtimeMs > LONGEST_HOLD_MS;
}

export const isBusy = (error: unknown): boolean => /database is locked/.test(String(error));

/** Does it again while another process has the file, for at most `patience` milliseconds. */
export async function whenFree<T>(work: () => T | Promise<T>, patience = 40_000): Promise<T> {
  const end = Date.now() + patience;
  for (let wait = 2; ; wait = Math.min(2 * wait, 250)) {
    try {
      return await work();
    } catch (error) {
      if (!isBusy(error) || Date.now() > end) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}
