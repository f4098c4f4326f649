import { spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
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

/** Bytes that are not synced, of one file. */
type Range = { readonly offset: number; readonly length: number };

class FileNode {
  pending: Range[] = [];
  constructor(
    public bytes: Buffer,
    readonly mode = 0o600,
  ) {}

  write(offset: number, data: Buffer): void {
    const end = offset + data.length;
    if (end > this.bytes.length)
      this.bytes = Buffer.concat([this.bytes, Buffer.alloc(end - this.bytes.length)]);
    data.copy(this.bytes, offset);
    this.pending.push({ offset, length: data.length });
  }

  /** @param lost what was not synced is zeros, and what was appended last is not there at all */
  content(lost: boolean): Buffer {
    const last = this.pending.at(-1);
    if (!lost || last === undefined) return this.bytes;
    const left = Buffer.from(this.bytes);
    for (const { offset, length } of this.pending) left.fill(0, offset, offset + length);
    return left.subarray(0, last.offset);
  }
}

/** A directory: its entries as programs see them, and as the disk has them for certain. */
class FolderNode {
  readonly now = new Map<string, DiskNode>();
  readonly synced = new Map<string, DiskNode>();

  constructor(readonly mode = 0o700) {}
}
type DiskNode = FileNode | FolderNode;

/** A change of entries that is not synced: a rename between two directories is one. */
interface EntryChange {
  /** Synced with this one. */
  readonly folder: FolderNode;
  readonly apply: () => void;
}

const readFolder = (path: string): FolderNode => {
  const node = new FolderNode(statSync(path).mode);
  for (const entry of readdirSync(path, { withFileTypes: true })) {
    const child = join(path, entry.name);
    const inner = entry.isDirectory()
      ? readFolder(child)
      : new FileNode(readFileSync(child), statSync(child).mode);
    node.now.set(entry.name, inner);
    node.synced.set(entry.name, inner);
  }
  return node;
};

/** A disk on which a folder's changes happen again, one after the other. */
class Disk {
  readonly root: FolderNode;
  pending: EntryChange[] = [];

  constructor(before: string) {
    this.root = readFolder(before);
  }

  change({ operation, path, other, offset, data }: DiskChange): void {
    if (operation === 'sync') return this.#sync(path);
    const { folder, name } = this.#place(path);
    if (operation === 'write') return this.#file(path).write(offset, data);
    if (operation === 'remove') return this.#entry(folder, (entries) => entries.delete(name));
    if (operation === 'mkdir') {
      if (folder.now.has(name)) return;
      const made = new FolderNode();
      return this.#entry(folder, (entries) => entries.set(name, made));
    }
    if (operation === 'create') {
      const there = folder.now.get(name);
      if (there instanceof FileNode) {
        there.bytes = Buffer.alloc(0);
        there.pending = [];
        return;
      }
      const made = new FileNode(Buffer.alloc(0));
      return this.#entry(folder, (entries) => entries.set(name, made));
    }
    const moved = folder.now.get(name);
    const target = this.#place(other);
    if (moved === undefined) throw new Error(`the journal renames ${path}, which is not there`);
    folder.now.delete(name);
    target.folder.now.set(target.name, moved);
    this.pending.push({
      folder: target.folder,
      apply: () => {
        if (folder.synced.get(name) === moved) folder.synced.delete(name);
        target.folder.synced.set(target.name, moved);
      },
    });
  }

  /** What is left. @param kept of the entry changes that are not synced */
  leave(kept: readonly boolean[], lost: boolean, into: string): void {
    this.pending.forEach(({ apply }, i) => kept[i] === true && apply());
    const write = (node: FolderNode, path: string): void => {
      mkdirSync(path, { recursive: true, mode: node.mode });
      for (const [name, child] of node.synced)
        if (child instanceof FolderNode) write(child, join(path, name));
        else writeFileSync(join(path, name), child.content(lost), { mode: child.mode });
    };
    write(this.root, into);
  }

  #entry(folder: FolderNode, apply: (entries: Map<string, DiskNode>) => unknown): void {
    apply(folder.now);
    this.pending.push({ folder, apply: () => apply(folder.synced) });
  }

  #sync(path: string): void {
    const node = path === '.' ? this.root : this.#find(path);
    if (node instanceof FileNode) node.pending = [];
    if (!(node instanceof FolderNode)) return;
    for (const { folder, apply } of this.pending) if (folder === node) apply();
    this.pending = this.pending.filter(({ folder }) => folder !== node);
  }

  #find(path: string): DiskNode | undefined {
    const { folder, name } = this.#place(path);
    return folder.now.get(name);
  }

  #file(path: string): FileNode {
    const node = this.#find(path);
    if (node instanceof FileNode) return node;
    throw new Error(`the journal writes to ${path}, which is not there`);
  }

  /** Folders that were there before the journal began, and were not copied, are made. */
  #place(path: string): { folder: FolderNode; name: string } {
    const parts = path.split('/');
    const name = parts.pop() ?? '';
    let folder = this.root;
    for (const part of parts) {
      const next = folder.now.get(part);
      const found = next instanceof FolderNode ? next : new FolderNode();
      if (next === undefined) {
        folder.now.set(part, found);
        folder.synced.set(part, found);
      }
      folder = found;
    }
    return { folder, name };
  }
}

const diskAfter = (before: string, changes: readonly DiskChange[], count: number): Disk => {
  const disk = new Disk(before);
  for (const change of changes.slice(0, count)) disk.change(change);
  return disk;
};

/** How many entry changes no sync of their directory followed. */
export const unsyncedEntries = (before: string, changes: readonly DiskChange[], count: number): number =>
  diskAfter(before, changes, count).pending.length;

/**
 * Which of the entry changes (create, rename, remove, mkdir) that no sync of their directory followed may have reached the disk: any
 * of them, as POSIX has it, and a journalling file system keeps them in order.
 */
export const entryChoices = (before: string, changes: readonly DiskChange[], count: number): boolean[][] => {
  const open = unsyncedEntries(before, changes, count);
  if (open > 8) throw new Error(`${open} entries are not synced`);
  return Array.from({ length: 2 ** open }, (_, bits) =>
    Array.from({ length: open }, (_each, i) => ((bits >> i) & 1) === 1),
  );
};

/**
 * What a power cut after the first `count` changes leaves of a folder.
 * @param lost what was written and not synced is gone: the bytes are zeros, and those appended last are not there. Otherwise
 *   everything had reached the disk.
 * @param kept which entry changes that are not synced did so, too, in their order (`entryChoices`); all, or none
 */
export const afterPowerCut = (
  before: string,
  changes: readonly DiskChange[],
  count: number,
  lost: boolean,
  into: string,
  kept: readonly boolean[] | 'all' | 'none' = 'all',
): void => {
  const disk = diskAfter(before, changes, count);
  const choice = typeof kept === 'string' ? disk.pending.map(() => kept === 'all') : kept;
  disk.leave(choice, lost, into);
};
