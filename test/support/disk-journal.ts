import { spawnSync } from 'node:child_process';
import {
  closeSync,
  cpSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** One change of the disk, as disk-journal.c wrote it down. */
export interface DiskChange {
  readonly operation: 'create' | 'write' | 'sync' | 'rename' | 'remove' | 'mkdir';
  /** Relative to the folder. */
  readonly path: string;
  readonly other: string;
  readonly offset: number;
  readonly data: Buffer;
}

/** Compiles the recorder. @returns what LD_PRELOAD names */
export const buildDiskJournal = (folder: string): string => {
  const library = join(folder, 'disk-journal.so');
  const source = fileURLToPath(new URL('disk-journal.c', import.meta.url));
  const { status, stderr } = spawnSync('cc', ['-O1', '-shared', '-fPIC', '-o', library, source, '-ldl']);
  if (status !== 0) throw new Error(stderr.toString());
  return library;
};

export const readDiskJournal = (file: string): DiskChange[] => {
  const bytes = readFileSync(file);
  const changes: DiskChange[] = [];
  for (let at = 0; at < bytes.length;) {
    const end = bytes.indexOf(10, at);
    const [operation = '', path = '', other = '', offset = '', length = ''] = bytes
      .toString('utf8', at, end)
      .split('\t');
    const size = Number(length);
    changes.push({
      operation: operation as DiskChange['operation'],
      path,
      other,
      offset: Number(offset),
      data: bytes.subarray(end + 1, end + 1 + size),
    });
    at = end + 1 + size;
  }
  return changes;
};

/**
 * What a power cut after the first `count` changes leaves of a folder.
 * @param lost what was written and not synced is gone: names, which a journalling file system keeps in order, are there, and
 *   the bytes are zeros. Otherwise everything had reached the disk.
 */
export const afterPowerCut = (
  before: string,
  changes: readonly DiskChange[],
  count: number,
  lost: boolean,
  into: string,
): void => {
  cpSync(before, into, { recursive: true });
  /** Bytes that are not synced, by present name. */
  const pending = new Map<string, { offset: number; length: number }[]>();
  for (const { operation, path, other, offset, data } of changes.slice(0, count)) {
    const file = join(into, path);
    if (operation === 'mkdir') mkdirSync(file, { recursive: true });
    if (operation === 'create') {
      mkdirSync(dirname(file), { recursive: true });
      writeFileSync(file, '');
      pending.delete(path);
    }
    if (operation === 'write') {
      const descriptor = openSync(file, 'r+');
      writeSync(descriptor, data, 0, data.length, offset);
      closeSync(descriptor);
      pending.set(path, [...(pending.get(path) ?? []), { offset, length: data.length }]);
    }
    if (operation === 'sync') pending.delete(path);
    if (operation === 'rename') {
      renameSync(file, join(into, other));
      pending.set(other, pending.get(path) ?? []);
      pending.delete(path);
    }
    if (operation === 'remove') {
      rmSync(file, { recursive: true, force: true });
      pending.delete(path);
    }
  }
  if (!lost) return;
  for (const [path, ranges] of pending) {
    if (ranges.length === 0) continue;
    const descriptor = openSync(join(into, path), 'r+');
    for (const { offset, length } of ranges) writeSync(descriptor, Buffer.alloc(length), 0, length, offset);
    // And what was appended last is not there at all.
    const last = ranges.at(-1);
    if (last) ftruncateSync(descriptor, last.offset);
    closeSync(descriptor);
  }
};
