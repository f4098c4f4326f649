import { readdir, readFile, stat } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { SmartZoneError } from '../../protocol/errors.js';
import { PictureSplitter } from './picture-splitter.js';

/** One encoded picture or sound, and where it came from. */
export interface SourcePicture {
  readonly name: string;
  readonly bytes: Uint8Array;
}

const EXTENSIONS: ReadonlySet<string> = new Set(['.bmp', '.jpg', '.jpeg', '.png', '.webp', '.wav']);

export const isSound = ({ name }: Pick<SourcePicture, 'name'>): boolean =>
  extname(name).toLowerCase() === '.wav';

/** The pictures of files and folders: folders by name, not below them. @throws PICTURE_INVALID where a folder has none */
export async function* picturesOfPaths(paths: readonly string[]): AsyncGenerator<SourcePicture> {
  for (const file of await listPictures(paths)) yield { name: file, bytes: await readFile(file) };
}

/** The files that `picturesOfPaths` reads, without reading them. */
export async function listPictures(paths: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of paths) {
    if (!(await stat(path)).isDirectory()) {
      files.push(path);
      continue;
    }
    const inside = await picturesInFolder(path);
    if (inside.length === 0) throw new SmartZoneError('PICTURE_INVALID', `no pictures or sounds in ${path}`);
    files.push(...inside);
  }
  return files;
}

async function picturesInFolder(folder: string): Promise<string[]> {
  const names = await readdir(folder);
  return names
    .filter((name) => EXTENSIONS.has(extname(name).toLowerCase()) && !name.startsWith('.'))
    .sort()
    .map((name) => join(folder, name));
}

/**
 * Pictures that appear in a folder from now on. A file is read when its size stayed the same between two looks, so that none
 * is read half-written.
 */
export async function* picturesAppearing(
  folder: string,
  { signal, interval = 250 }: { readonly signal?: AbortSignal; readonly interval?: number } = {},
): AsyncGenerator<SourcePicture> {
  const done = new Set(await picturesInFolder(folder));
  let growing = new Map<string, number>();
  while (signal?.aborted !== true) {
    const next = new Map<string, number>();
    for (const file of await picturesInFolder(folder)) {
      if (done.has(file)) continue;
      const size = await stat(file).then(
        (found) => found.size,
        () => -1,
      );
      if (size > 0 && growing.get(file) === size) {
        done.add(file);
        yield { name: file, bytes: await readFile(file) };
      } else next.set(file, size);
    }
    growing = next;
    await new Promise((resolve) => setTimeout(resolve, interval));
  }
}

/** Pictures one after the other in a stream, such as `ffmpeg -f image2pipe`: JPEG, PNG or BMP, told apart by their own bytes. */
export async function* picturesOfStream(stream: AsyncIterable<Uint8Array>): AsyncGenerator<SourcePicture> {
  const splitter = new PictureSplitter();
  let count = 0;
  for await (const chunk of stream)
    for (const bytes of splitter.push(chunk)) yield { name: `picture ${++count}`, bytes };
  splitter.end();
}

/** Frames of `size` bytes one after the other in a stream. @throws BAD_FRAME where it ends within one */
export async function* framesOfStream(
  stream: AsyncIterable<Uint8Array>,
  size: number,
): AsyncGenerator<SourcePicture> {
  let rest: Uint8Array = new Uint8Array(0);
  let count = 0;
  for await (const chunk of stream) {
    rest = Buffer.concat([rest, chunk]);
    for (; rest.length >= size; rest = rest.subarray(size))
      yield { name: `frame ${++count}`, bytes: rest.subarray(0, size) };
  }
  if (rest.length > 0)
    throw new SmartZoneError('BAD_FRAME', `the last frame has ${rest.length} of ${size} bytes`);
}
