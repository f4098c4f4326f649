import { closeSync, openSync, readFileSync, readSync } from 'node:fs';

export interface Region {
  readonly start: number;
  readonly size: number;
  readonly name: string;
}

/**
 * The memory that a process can have written to, by proc_pid_maps(5). Programs' code and constants, mapped from files and
 * read-only, are left out: they are the same in every run.
 */
export const writableRegions = (pid: number): Region[] =>
  readFileSync(`/proc/${pid}/maps`, 'utf8')
    .split('\n')
    .flatMap((line) => {
      const [, from, to, mode = '', inode, name = ''] =
        /^([0-9a-f]+)-([0-9a-f]+) (\S{4}) \S+ \S+ (\d+)\s*(.*)$/.exec(line) ?? [];
      if (from === undefined || to === undefined || !mode.startsWith('r')) return [];
      if (inode !== '0' && !mode.startsWith('rw')) return [];
      if (name === '[vvar]' || name === '[vsyscall]' || name === '[vdso]') return [];
      const start = parseInt(from, 16);
      return [{ start, size: parseInt(to, 16) - start, name }];
    });

const PIECE = 4 << 20;
/** Pieces overlap by this much, so that nothing is missed at their edges. */
const OVERLAP = 256;

/** Calls back with the memory piece by piece; returns how many bytes could be read. The piece is used again for the next. */
export const readMemory = (pid: number, visit: (piece: Uint8Array, region: Region) => void): number => {
  const piece = Buffer.alloc(PIECE);
  const memory = openSync(`/proc/${pid}/mem`, 'r');
  let total = 0;
  try {
    for (const region of writableRegions(pid)) {
      for (let at = 0; at < region.size; at += PIECE - OVERLAP) {
        const due = Math.min(PIECE, region.size - at);
        const length = readPart(memory, piece, due, region.start + at);
        total += length;
        if (length >= 8) visit(piece.subarray(0, length), region);
      }
    }
  } finally {
    closeSync(memory);
  }
  return total;
};

/** Regions can shrink while they are read, and device memory cannot be read at all: 0 then. */
const readPart = (memory: number, piece: Buffer, length: number, position: number): number => {
  try {
    return readSync(memory, piece, 0, length, position);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EIO' || code === 'EFAULT') return 0;
    throw error;
  }
};
