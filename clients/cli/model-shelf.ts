import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { SmartZoneError } from '../../protocol/errors.js';
import type { PushedPackage } from '../publisher/push/index.js';

/** How often files are looked at. */
const INTERVAL = 5000;

interface Shelved {
  readonly sequence: number;
  readonly packages: readonly PushedPackage[];
}

const EMPTY: Shelved = { sequence: 0, packages: [] };

/**
 * Packages that could be installed: files, or folders of `.szm` files, each with its content key beside it. Of several models the one
 * with the highest sequence number counts, with its packages for all targets. Looked at again now and then: who puts a newer one there
 * offers it.
 */
export class ModelShelf {
  #found = EMPTY;
  #seen = '';
  #timer: NodeJS.Timeout | undefined;

  private constructor(private readonly places: readonly string[]) {}

  /** @throws what is wrong with a file; CONFIG_INVALID where no package is there */
  static async open(places: readonly string[]): Promise<ModelShelf> {
    const shelf = new ModelShelf(places);
    await shelf.#look();
    if (shelf.sequence === 0)
      throw new SmartZoneError('CONFIG_INVALID', `--model: no package (.szm) in ${places.join(', ')}`);
    return shelf;
  }

  get sequence(): number {
    return this.#found.sequence;
  }

  get packages(): readonly PushedPackage[] {
    return this.#found.packages;
  }

  /**
   * @param changed called when another model counts
   * @param failed called with what is wrong with a new file: what was there before goes on counting
   */
  watch(changed: () => void, failed: (error: Error) => void): void {
    const again = async (): Promise<void> => {
      const before = this.sequence;
      try {
        await this.#look();
        if (this.sequence !== before) changed();
      } catch (error) {
        failed(error as Error);
      }
      if (this.#timer !== undefined) this.#timer = setTimeout(() => void again(), INTERVAL).unref();
    };
    this.#timer = setTimeout(() => void again(), INTERVAL).unref();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  async #look(): Promise<void> {
    const files = this.places.flatMap((place) =>
      statSync(place).isDirectory()
        ? readdirSync(place)
            .filter((name) => name.endsWith('.szm'))
            .map((name) => join(place, name))
        : [place],
    );
    const seen = JSON.stringify(files.map((file) => [file, statSync(file).mtimeMs, statSync(file).size]));
    if (seen === this.#seen) return;
    // A file that is wrong is said once, not every few seconds.
    this.#seen = seen;
    const { readPackage, readPackageFile } = await import('../publisher/index.js');
    let found = EMPTY;
    for (const file of files) {
      const content = await readPackageFile(file);
      const { sequence } = readPackage(content.bytes).manifest;
      if (sequence > found.sequence) found = { sequence, packages: [content] };
      else if (sequence === found.sequence) found = { sequence, packages: [...found.packages, content] };
    }
    this.#found = found;
  }
}
