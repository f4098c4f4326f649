import { mkdir, open, readFile, rename, rm, type FileHandle } from 'node:fs/promises';
import { join } from 'node:path';
import type { AnnouncedSegment } from '../../protocol/messages/model-announcement.js';
import { layoutOf, sha256, type PackageLayout } from './package-layout.js';

/** What a package is fetched by, as the publisher's messages have it. */
export interface IncomingMessages {
  readonly announcement: Buffer;
  readonly offer: Buffer;
}

const PART = 'package.part';
const ANNOUNCEMENT = 'announcement';
const OFFER = 'offer';

/**
 * A package that is being fetched: a file with the package's final layout, whose gaps fill up. What is there after a restart is
 * found out by its digests, so that nothing needs to be kept in step with the file. All of it is ciphertext.
 */
export class IncomingPackage {
  readonly #missing: Set<number>;

  private constructor(
    readonly folder: string,
    readonly segments: readonly AnnouncedSegment[],
    readonly layout: PackageLayout,
    private readonly file: FileHandle,
    missing: Iterable<number>,
  ) {
    this.#missing = new Set(missing);
  }

  /** Begins a fetch, in place of any other. Throws the file system's errors, ENOSPC among them; then nothing is left. */
  static async begin(
    folder: string,
    messages: IncomingMessages,
    envelope: Uint8Array,
    segments: readonly AnnouncedSegment[],
  ): Promise<IncomingPackage> {
    await IncomingPackage.discard(folder);
    let file: FileHandle | undefined;
    try {
      await mkdir(folder, { recursive: true, mode: 0o750 });
      const layout = layoutOf(envelope, segments);
      file = await open(join(folder, PART), 'w+', 0o640);
      for (const { at, bytes } of layout.framing) await file.write(bytes, 0, bytes.length, at);
      await writeDurably(join(folder, OFFER), messages.offer);
      // The announcement last: with it, everything else is there.
      await writeDurably(join(folder, ANNOUNCEMENT), messages.announcement);
      return new IncomingPackage(folder, segments, layout, file, segments.keys());
    } catch (error) {
      await file?.close();
      await IncomingPackage.discard(folder);
      throw error;
    }
  }

  /** What a fetch that was interrupted was made of; undefined where there is none. */
  static async left(folder: string): Promise<IncomingMessages | undefined> {
    try {
      const announcement = await readFile(join(folder, ANNOUNCEMENT));
      return { announcement, offer: await readFile(join(folder, OFFER)) };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
  }

  /** Goes on with an interrupted fetch: every segment on the disk is looked at again. */
  static async resume(
    folder: string,
    envelope: Uint8Array,
    segments: readonly AnnouncedSegment[],
  ): Promise<IncomingPackage> {
    const layout = layoutOf(envelope, segments);
    const file = await open(join(folder, PART), 'r+');
    // A power cut may have lost any of it.
    for (const { at, bytes } of layout.framing) await file.write(bytes, 0, bytes.length, at);
    const missing: number[] = [];
    for (const [index, [length, digest]] of segments.entries()) {
      const bytes = Buffer.alloc(length);
      const { bytesRead } = await file.read(bytes, 0, length, layout.places[index]?.at ?? 0);
      if (bytesRead !== length || !sha256(bytes).equals(digest)) missing.push(index);
    }
    return new IncomingPackage(folder, segments, layout, file, missing);
  }

  static async discard(folder: string): Promise<void> {
    await rm(folder, { recursive: true, force: true });
  }

  get missing(): readonly number[] {
    return [...this.#missing];
  }

  get missingBytes(): number {
    return this.missing.reduce((sum, index) => sum + (this.segments[index]?.[0] ?? 0), 0);
  }

  get total(): number {
    return this.segments.length;
  }

  /** Stores a segment if it is the one that was announced and is missing. Returns whether it was. */
  async put(index: number, bytes: Uint8Array): Promise<boolean> {
    const [length, digest] = this.segments[index] ?? [];
    if (!this.#missing.has(index) || bytes.length !== length || digest === undefined) return false;
    if (!sha256(bytes).equals(digest)) return false;
    // Taken before it is written: the same segment may come again meanwhile.
    this.#missing.delete(index);
    try {
      for (let done = 0; done < length;) {
        const at = (this.layout.places[index]?.at ?? 0) + done;
        done += (await this.file.write(bytes, done, length - done, at)).bytesWritten;
      }
    } catch (error) {
      this.#missing.add(index);
      throw error;
    }
    return true;
  }

  /** The complete package and its offer become these two files, the offer first. */
  async finish(packageFile: string, offerFile: string): Promise<void> {
    if (this.#missing.size > 0) throw new Error('segments are missing');
    await this.file.sync();
    await this.file.close();
    await rename(join(this.folder, OFFER), offerFile);
    await rename(join(this.folder, PART), packageFile);
    await syncFolder(join(packageFile, '..'));
    await IncomingPackage.discard(this.folder);
  }

  /** The key, wrapped anew. */
  async setOffer(offer: Uint8Array): Promise<void> {
    await writeDurably(join(this.folder, OFFER), offer);
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

/** Written beside, synced, renamed: the old content or the new. */
export const writeDurably = async (path: string, bytes: Uint8Array): Promise<void> => {
  const temporary = `${path}.tmp`;
  const file = await open(temporary, 'w', 0o640);
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(temporary, path);
};

export const syncFolder = async (path: string): Promise<void> => {
  const folder = await open(path, 'r');
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
};
