import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** A file system in memory, on every Linux with a C library. */
const MEMORY = '/dev/shm';

/** Shorter requests go as messages: the file is worth it from here on. */
export const LEAST_BYTES = 16 * 1024;

/**
 * A file without a name that daemon and TEE client process both have open: long requests lie in it, so that they are copied
 * twice on their way into the TEE's shared memory. As messages between the processes they are copied several times more, and the
 * garbage collector of the daemon has more to do with that than anything else. It holds ciphertext only.
 */
export class RequestFile {
  private constructor(readonly descriptor: number) {}

  /** In memory if that can be had, else in the temporary folder. */
  static create(): RequestFile {
    try {
      return RequestFile.#createIn(MEMORY);
    } catch {
      return RequestFile.#createIn(tmpdir());
    }
  }

  static #createIn(parent: string): RequestFile {
    const folder = mkdtempSync(join(parent, 'smart-zone-'));
    try {
      return new RequestFile(openSync(join(folder, 'request'), 'wx+', 0o600));
    } finally {
      rmSync(folder, { recursive: true });
    }
  }

  /** @param start where in the file */
  write(bytes: Uint8Array, start: number): void {
    for (let at = 0; at < bytes.length;)
      at += writeSync(this.descriptor, bytes, at, bytes.length - at, start + at);
  }

  close(): void {
    closeSync(this.descriptor);
  }
}

/** Reads the request that begins at `start` in an inherited file. @throws Error where it is shorter than `into` */
export const readRequest = (descriptor: number, into: Uint8Array, start: number): void => {
  for (let at = 0; at < into.length;) {
    const read = readSync(descriptor, into, at, into.length - at, start + at);
    if (read === 0) throw new Error('the request file ends early');
    at += read;
  }
};
