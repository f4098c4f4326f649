import { readFile } from 'node:fs/promises';
import { writeDurably } from '../models/incoming-package.js';

/**
 * The roster that the TA took last, as it came: a broker that forgot what it kept would leave an agent that starts without one, and so
 * with nobody whose models it may fetch. Nothing here is secret, and the TA looks at it again.
 */
export class RosterFile {
  constructor(private readonly path: string) {}

  async read(): Promise<Buffer | undefined> {
    try {
      return await readFile(this.path);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Whole at any time; a power cut may leave the one before. */
  async write(roster: Buffer): Promise<void> {
    if ((await this.read())?.equals(roster) !== true) await writeDurably(this.path, roster);
  }
}
