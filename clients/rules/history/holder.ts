import { randomBytes } from 'node:crypto';
import {
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';

/** Nobody holds a file for more than part of a second: of one that cannot be looked up nothing is left after so long. */
export const LONGEST_HOLD_MS = 30_000;

export interface Hold {
  /** Somebody before held it who ended without releasing it. */
  readonly tookOver: boolean;
  release(): void;
}

/**
 * Makes this thread the holder that `file` names, unless somebody else is. A holder whose process has ended gives way at once,
 * whenever and however it ended; one that cannot be looked up (another machine or container, not Linux) after half a minute.
 * @returns undefined: somebody else is the holder
 */
export function hold(file: string): Hold | undefined {
  const nonce = randomBytes(8).toString('hex');
  const self = [process.pid, startOf(process.pid) ?? '-', place ?? '-', nonce].join(' ');
  const tookOver = !make(file, self);
  if (tookOver && !replace(file, self, nonce)) return undefined;
  return {
    tookOver,
    release: () => {
      if (read(file) === self) unlinkSync(file);
    },
  };
}

/** Nobody is the holder: now this is. */
function make(file: string, self: string): boolean {
  try {
    writeFileSync(file, self, { flag: 'wx', mode: 0o600 });
    return true;
  } catch (error) {
    if ((error as { code?: unknown }).code !== 'EEXIST') throw error;
    return false;
  }
}

/**
 * Of all that find the same holder gone one may take its place: whoever holds the file that is named after it. Nobody else changes
 * what `file` says meanwhile. One that ends in the middle of this is a holder that is gone, too.
 */
function replace(file: string, self: string, nonce: string): boolean {
  const former = read(file);
  if (former === undefined || !isGone(former, file)) return false;
  const right = `${file}.${/ ([0-9a-f]{16})$/.exec(former)?.[1] ?? 'unknown'}`;
  if (!make(right, self) && !replace(right, self, nonce)) return false;
  try {
    // Who had the right before may have used it.
    if (read(file) !== former || !isGone(former, file)) return false;
    const next = `${file}.next-${nonce}`;
    writeFileSync(next, self, { mode: 0o600 });
    renameSync(next, file);
    return true;
  } finally {
    unlinkSync(right);
  }
}

function isGone(holder: string, file: string): boolean {
  const [pid, start, where] = holder.split(' ');
  const lives = where === place && place !== undefined ? isRunning(Number(pid), start) : undefined;
  if (lives !== undefined) return !lives;
  try {
    return Date.now() - statSync(file).mtimeMs > LONGEST_HOLD_MS;
  } catch {
    return false; // released meanwhile
  }
}

/** undefined: nobody can tell. */
function isRunning(pid: number, start: string | undefined): boolean | undefined {
  try {
    process.kill(pid, 0);
  } catch (error) {
    if ((error as { code?: unknown }).code === 'ESRCH') return false;
  }
  const found = startOf(pid);
  if (found === undefined) return undefined;
  return found === start && !hasEnded(pid);
}

/** Killed, and not yet waited for; none of its threads writes any more. */
function hasEnded(pid: number): boolean {
  return /^State:\s+[ZX]/m.test(read(`/proc/${pid}/status`) ?? '') && threadsOf(pid) <= 1;
}

function threadsOf(pid: number): number {
  try {
    return readdirSync(`/proc/${pid}/task`).length;
  } catch {
    return 0;
  }
}

/** When a process was started, in ticks since the machine was (proc_pid_stat(5)): its number may be another's later. */
function startOf(pid: number): string | undefined {
  const stat = read(`/proc/${pid}/stat`);
  // The program's name, in brackets, may contain anything.
  return stat?.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
}

/** Where process numbers mean the same: this start of this machine, and this container. */
const place = ((): string | undefined => {
  try {
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    return `${boot}/${readlinkSync('/proc/self/ns/pid')}`;
  } catch {
    return undefined;
  }
})();

function read(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as { code?: unknown };
    // A process may end while it is looked at.
    if (code !== 'ENOENT' && code !== 'ESRCH') throw error;
    return undefined;
  }
}
