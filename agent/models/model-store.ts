import { createHash } from 'node:crypto';
import { watch, type FSWatcher } from 'node:fs';
import { mkdir, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import type { SegmentPlace } from '../tee/messages.js';
import { decodeModelPackage } from '../../protocol/messages/model-package.js';

/** A package on disk, as ciphertext. */
export interface StoredPackage {
  readonly sequence: number;
  readonly envelope: Uint8Array;
  /** The package's file, and where its segments are in it. */
  readonly file: string;
  readonly places: readonly SegmentPlace[];
  /** Names the content of package and offer: another name, another attempt is worth it. */
  readonly fingerprint: string;
}

const CURRENT = 'package';
const STAGED = 'package.new';
const OFFER = 'offer';

/**
 * The model directory. `package`: the committed model. `package.new` with `offer`: what is to be installed; write the offer
 * first, and both by renaming, so that no half of a file is ever seen. All of it is ciphertext and may be read by anyone.
 */
export class ModelStore {
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;

  private constructor(readonly directory: string) {}

  static async create(directory: string): Promise<ModelStore> {
    await mkdir(directory, { recursive: true, mode: 0o750 });
    return new ModelStore(directory);
  }

  /** undefined: there is none. Throws MODEL_PROFILE, MODEL_DIGEST or a CborError where the file is no package. */
  current(): Promise<StoredPackage | undefined> {
    return this.#read(CURRENT);
  }

  staged(): Promise<StoredPackage | undefined> {
    return this.#read(STAGED);
  }

  offer(): Promise<Buffer | undefined> {
    return this.#file(OFFER);
  }

  /** The staged package has been committed by the TA: it is the current one from now on. */
  async promote(): Promise<void> {
    await rename(join(this.directory, STAGED), join(this.directory, CURRENT));
  }

  /** Calls back when files have changed and then stayed the same for a moment. */
  onChange(changed: () => void): void {
    this.#watcher = watch(this.directory, (_event, name) => {
      if (name !== CURRENT && name !== STAGED && name !== OFFER) return;
      clearTimeout(this.#timer);
      this.#timer = setTimeout(changed, 100);
    });
    // A directory that goes away is noticed when it is read next.
    this.#watcher.on('error', () => undefined);
  }

  close(): void {
    this.#watcher?.close();
    clearTimeout(this.#timer);
  }

  async #read(name: string): Promise<StoredPackage | undefined> {
    const bytes = await this.#file(name);
    if (!bytes) return undefined;
    const { envelope, segments, manifest } = decodeModelPackage(bytes);
    const hash = createHash('sha256').update(bytes);
    hash.update((await this.offer()) ?? '');
    const places = segments.map((segment) => ({
      at: segment.byteOffset - bytes.byteOffset,
      length: segment.length,
    }));
    const file = join(this.directory, name);
    return { sequence: manifest.sequence, envelope, file, places, fingerprint: hash.digest('hex') };
  }

  async #file(name: string): Promise<Buffer | undefined> {
    try {
      return await readFile(join(this.directory, name));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }
}
