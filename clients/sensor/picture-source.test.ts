import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { framesOfStream, picturesAppearing, picturesOfPaths, picturesOfStream } from './picture-source.js';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'smart-zone-pictures-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const noise = (seed: number) =>
  sharp(
    Buffer.from(Array.from({ length: 32 * 32 * 3 }, (_, i) => ((i + 1) * (seed + 7) * 2654435761) >>> 24)),
    { raw: { width: 32, height: 32, channels: 3 } },
  );
const thumbnailed = async (): Promise<Buffer> => {
  // An APP1 segment with a whole JPEG inside, as cameras write it.
  const inner = await noise(9).jpeg().toBuffer();
  const outer = await noise(10).jpeg().toBuffer();
  const head = Buffer.from([0xff, 0xe1, 0, 0]);
  head.writeUInt16BE(inner.length + 2, 2);
  return Buffer.concat([outer.subarray(0, 2), head, inner, outer.subarray(2)]);
};
const bmp = (): Buffer => {
  const bytes = Buffer.alloc(58);
  bytes.write('BM');
  bytes.writeUInt32LE(58, 2);
  return bytes;
};

async function* chunks(bytes: Uint8Array, size: number) {
  for (let at = 0; at < bytes.length; at += size) yield await Promise.resolve(bytes.subarray(at, at + size));
}

async function collect<T>(source: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const each of source) all.push(each);
  return all;
}

test.each([1, 7, 1000, 1_000_000])(
  'a stream is cut into its pictures, whatever the chunks (%i bytes)',
  async (size) => {
    const pictures = [
      await noise(1).jpeg({ quality: 95 }).toBuffer(),
      await noise(2).png().toBuffer(),
      await thumbnailed(),
      bmp(),
      await noise(3).jpeg({ progressive: true }).toBuffer(),
      await noise(4).jpeg().toBuffer(),
    ];
    const found = await collect(picturesOfStream(chunks(Buffer.concat(pictures), size)));
    expect(found.map(({ bytes }) => Buffer.from(bytes))).toEqual(pictures);
    expect(found[2]?.name).toBe('picture 3');
  },
);

test('a stream that ends within a picture, or has something else, is an error', async () => {
  const picture = await noise(1).jpeg().toBuffer();
  await expect(collect(picturesOfStream(chunks(picture.subarray(0, -1), 100)))).rejects.toThrow(
    'ended within a picture',
  );
  await expect(collect(picturesOfStream(chunks(Buffer.from('hello world'), 100)))).rejects.toThrow(
    'neither JPEG',
  );
  const png = await noise(1).png().toBuffer();
  png.writeUInt32BE(0xffffffff, 8);
  await expect(collect(picturesOfStream(chunks(png, 100)))).rejects.toThrow('damaged PNG');
});

test('raw frames are cut by their size', async () => {
  const found = await collect(
    framesOfStream(
      chunks(
        Uint8Array.from({ length: 12 }, (_, i) => i),
        5,
      ),
      4,
    ),
  );
  expect(found.map(({ bytes }) => [...bytes])).toEqual([
    [0, 1, 2, 3],
    [4, 5, 6, 7],
    [8, 9, 10, 11],
  ]);
  await expect(collect(framesOfStream(chunks(new Uint8Array(5), 5), 4))).rejects.toThrow('1 of 4 bytes');
});

test('files and folders, by name, pictures only', async () => {
  for (const name of ['b.png', 'a.JPG', 'notes.txt', '.hidden.png']) writeFileSync(join(folder, name), name);
  const found = await collect(picturesOfPaths([folder, join(folder, 'notes.txt')]));
  expect(found.map(({ name }) => name)).toEqual(
    ['a.JPG', 'b.png', 'notes.txt'].map((name) => join(folder, name)),
  );
  await expect(collect(picturesOfPaths([join(folder, 'no')]))).rejects.toMatchObject({ code: 'ENOENT' });
  rmSync(folder, { recursive: true });
  folder = mkdtempSync(join(tmpdir(), 'smart-zone-pictures-'));
  await expect(collect(picturesOfPaths([folder]))).rejects.toThrow('no pictures or sounds in');
});

test('pictures that appear in a folder come when they are complete', async () => {
  writeFileSync(join(folder, 'old.png'), 'old');
  const stop = new AbortController();
  const source = picturesAppearing(folder, { signal: stop.signal, interval: 20 });
  const first = source.next();
  await new Promise((resolve) => setTimeout(resolve, 50));
  writeFileSync(join(folder, 'new.png'), 'new');
  expect((await first).value).toMatchObject({ name: join(folder, 'new.png') });
  stop.abort();
  expect((await source.next()).done).toBe(true);
});
