import { closeSync, openSync, readdirSync, readFileSync, readSync, writeSync } from 'node:fs';

export interface Region {
  readonly start: number;
  readonly size: number;
  readonly name: string;
  /** As in proc_pid_maps(5): rw-p is the process's own memory. */
  readonly mode: string;
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
      return [{ start, size: parseInt(to, 16) - start, name, mode }];
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

/** All threads of a process stand still while `during` runs. */
export const whileStopped = <T>(pid: number, during: () => T): T => {
  process.kill(pid, 'SIGSTOP');
  try {
    const end = Date.now() + 5_000;
    while (!stands(pid)) {
      if (Date.now() > end) throw new Error(`process ${pid} does not stop`);
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2);
    }
    return during();
  } finally {
    process.kill(pid, 'SIGCONT');
  }
};

const stands = (pid: number): boolean =>
  readdirSync(`/proc/${pid}/task`).every((task) =>
    /^State:\s+[Tt]/m.test(readFileSync(`/proc/${pid}/task/${task}/status`, 'utf8')),
  );

/** Writes bytes over zeros in a stopped process's own memory while `during` runs, and puts the zeros back. */
export const whilePlanted = <T>(pid: number, bytes: Uint8Array, during: () => T): T => {
  const memory = openSync(`/proc/${pid}/mem`, 'r+');
  try {
    const at = findZeros(memory, pid, bytes.length);
    writeSync(memory, bytes, 0, bytes.length, at);
    try {
      return during();
    } finally {
      writeSync(memory, Buffer.alloc(bytes.length), 0, bytes.length, at);
    }
  } finally {
    closeSync(memory);
  }
};

const findZeros = (memory: number, pid: number, length: number): number => {
  const piece = Buffer.alloc(64 * 1024);
  const zeros = Buffer.alloc(length);
  for (const { start, size, mode, name } of writableRegions(pid)) {
    if (mode !== 'rw-p' || (name !== '' && name !== '[heap]')) continue;
    const read = readPart(memory, piece, Math.min(piece.length, size), start);
    const at = piece.subarray(0, read).indexOf(zeros);
    if (at >= 0) return start + at;
  }
  throw new Error(`process ${pid} has no ${length} zeros in a row`);
};
