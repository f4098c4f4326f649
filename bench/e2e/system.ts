import { readFileSync } from 'node:fs';

/** One way from a sensor's frame to an opened label, all its processes running. */
export interface System {
  readonly name: string;
  /** What its processes are, without this one, which is the sensor and the consumer. */
  processes(): ReadonlyMap<string, number>;
  /** Sends one noise frame. @returns when its label is here */
  label(): Promise<void>;
  stop(): Promise<void>;
}

/** Clock ticks of proc_pid_stat(5) in a second: USER_HZ, 100 on every Linux. */
const TICKS = 100;
const UTIME = 11;
const STIME = 12;

/** Processor seconds that a process has used so far. */
export const processorSeconds = (pid: number): number => {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[UTIME]) + Number(fields[STIME])) / TICKS;
};

/** Bytes of memory that a process has resident. */
export const residentBytes = (pid: number): number => {
  const [, kib = '0'] = /^VmRSS:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return Number(kib) * 1024;
};

/** Labels by the frames that they answer. */
export class Answers {
  readonly #waiting = new Map<string, () => void>();

  arrived(id: string): void {
    this.#waiting.get(id)?.();
    this.#waiting.delete(id);
  }

  after(id: string): Promise<void> {
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => reject(new Error('no label within 60 s')), 60_000);
      this.#waiting.set(id, () => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}
