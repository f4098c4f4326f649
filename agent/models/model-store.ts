import { createHash } from 'node:crypto';
import { watch, type FSWatcher } from 'node:fs';
import { mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { toHex } from '../../protocol/bytes.js';
import type { SegmentPlace } from '../tee/messages.js';
import { decodeModelPackage } from '../../protocol/messages/model-package.js';
import { syncFolder, writeDurably } from './incoming-package.js';

/** A package on disk, as ciphertext. */
export interface StoredPackage {
  readonly sequence: number;
  /** Manifest digest in hexadecimal. */
  readonly digest: string;
  readonly envelope: Uint8Array;
  /** The package's file, and where its segments are in it. */
  readonly file: string;
  readonly places: readonly SegmentPlace[];
  /** Names the content of package and offer: another name, another attempt is worth it. */
  readonly fingerprint: string;
}

const CURRENT = 'package';
const PREVIOUS = 'package.previous';
const STAGED = 'package.new';
const OFFER = 'offer';

/**
 * The model directory. `package`: the committed model. `package.previous`: the one before, which the TA may go back to.
 * `package.new` with `offer`: what is to be installed; write the offer first, and both by renaming, so that no half of a file is
 * ever seen. All of it is ciphertext and may be read by anyone. Which of them counts, the TA says: a power cut between two
 * renames leaves a file under another name, not another model.
 */
export class ModelStore {
  #watcher: FSWatcher | undefined;
  #timer: NodeJS.Timeout | undefined;

  private constructor(readonly directory: string) {}

  static async create(directory: string): Promise<ModelStore> {
    await mkdir(directory, { recursive: true, mode: 0o750 });
    return new ModelStore(directory);
  }

  get stagedFile(): string {
    return join(this.directory, STAGED);
  }

  get offerFile(): string {
    return join(this.directory, OFFER);
  }

  /** undefined: there is none. Throws MODEL_PROFILE, MODEL_DIGEST or a CborError where the file is no package. */
  current(): Promise<StoredPackage | undefined> {
    return this.#read(CURRENT);
  }

  previous(): Promise<StoredPackage | undefined> {
    return this.#read(PREVIOUS);
  }

  staged(): Promise<StoredPackage | undefined> {
    return this.#read(STAGED);
  }

  offer(): Promise<Buffer | undefined> {
    return this.#file(OFFER);
  }

  /** Another offer for the staged package. */
  async setOffer(offer: Uint8Array): Promise<void> {
    await writeDurably(this.offerFile, offer);
  }

  /**
   * The staged package has been committed by the TA: it is the current one from now on.
   * @param previous manifest digest, in hexadecimal, of what the TA can go back to
   */
  async promote(previous: string | undefined): Promise<void> {
    const current = await this.current().catch(() => undefined);
    if (current && current.digest === previous) {
      await rename(join(this.directory, CURRENT), join(this.directory, PREVIOUS));
      await syncFolder(this.directory); // else a power cut may leave the second without the first, and nothing to go back to
    }
    await rename(this.stagedFile, join(this.directory, CURRENT));
    await syncFolder(this.directory);
  }

  /** The TA went back to the previous package. */
  async takeBack(): Promise<void> {
    await rename(join(this.directory, PREVIOUS), join(this.directory, CURRENT));
    await syncFolder(this.directory);
  }

  /** The staged package is not wanted any more. */
  async dropStaged(): Promise<void> {
    await rm(this.stagedFile, { force: true });
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
    const { envelope, segments, manifest, digest } = decodeModelPackage(bytes);
    const hash = createHash('sha256').update(bytes);
    hash.update((await this.offer()) ?? '');
    const places = segments.map((segment) => ({
      at: segment.byteOffset - bytes.byteOffset,
      length: segment.length,
    }));
    const file = join(this.directory, name);
    const { sequence } = manifest;
    return { sequence, digest: toHex(digest), envelope, file, places, fingerprint: hash.digest('hex') };
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
