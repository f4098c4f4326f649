import { closeSync, openSync, readSync } from 'node:fs';
import type { SegmentPlace } from './messages.js';
import type { SegmentSource } from './segment-feeder.js';

/**
 * A model package's segments, read from the file each time they are needed: they are ciphertext, the page cache keeps what is
 * read for every frame, and a model of any size costs this process no memory. The file stays the one that was opened, also when
 * another takes its name.
 */
export class ModelFile implements SegmentSource {
  readonly #descriptor: number;
  readonly #places: readonly SegmentPlace[];

  private constructor(descriptor: number, places: readonly SegmentPlace[]) {
    this.#descriptor = descriptor;
    this.#places = places;
  }

  /** @param places where segment 0, 1, … is in the file */
  static open(path: string, places: readonly SegmentPlace[]): ModelFile {
    return new ModelFile(openSync(path, 'r'), places);
  }

  sizeOf(index: number): number | undefined {
    return this.#places[index]?.length;
  }

  read(indices: readonly number[], into: Uint8Array): { count: number; length: number } {
    let length = 0;
    let count = 0;
    for (const index of indices) {
      const place = this.#places[index];
      if (!place || length + place.length > into.length) break;
      for (let done = 0; done < place.length;) {
        const read = readSync(this.#descriptor, into, length + done, place.length - done, place.at + done);
        if (read === 0) return { count, length }; // shorter than it was
        done += read;
      }
      length += place.length;
      count += 1;
    }
    return { count, length };
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}
