import sharp from 'sharp';
import { decodePicture, readBmp, resizePicture, toGrey, type Picture } from './index.js';

interface BmpOptions {
  readonly bits: 8 | 24 | 32;
  readonly topDown?: boolean;
  readonly palette?: readonly (readonly [number, number, number])[];
}

/** Writes rows of pixels (RGB, or palette indices for 8 bits) as a BMP. */
const bmp = (
  rows: readonly (readonly (readonly number[])[])[],
  { bits, topDown, palette = [] }: BmpOptions,
): Uint8Array => {
  const [height, width] = [rows.length, rows[0]?.length ?? 0];
  const stride = Math.ceil((width * bits) / 32) * 4;
  const pixels = 54 + 4 * palette.length;
  const bytes = new Uint8Array(pixels + stride * height);
  const view = new DataView(bytes.buffer);
  bytes.set([0x42, 0x4d]);
  view.setUint32(2, bytes.length, true);
  view.setUint32(10, pixels, true);
  view.setUint32(14, 40, true);
  view.setInt32(18, width, true);
  view.setInt32(22, topDown ? -height : height, true);
  view.setUint16(26, 1, true);
  view.setUint16(28, bits, true);
  view.setUint32(46, palette.length, true);
  palette.forEach(([r, g, b], i) => bytes.set([b, g, r, 0], 54 + 4 * i));
  rows.forEach((row, y) =>
    row.forEach((pixel, x) => {
      const at = pixels + stride * (topDown ? y : height - 1 - y) + (x * bits) / 8;
      bytes.set(bits === 8 ? pixel : pixel.toReversed(), at);
    }),
  );
  return bytes;
};

const rows = [
  [
    [1, 2, 3],
    [4, 5, 6],
    [7, 8, 9],
  ],
  [
    [11, 12, 13],
    [14, 15, 16],
    [17, 18, 19],
  ],
];
const invalid = expect.objectContaining({ code: 'PICTURE_INVALID' }) as unknown as Error;

describe('BMP', () => {
  test.each([24, 32] as const)('%i bits, from the bottom up and from the top down', (bits) => {
    for (const topDown of [false, true]) {
      const pictureOf = readBmp(bmp(rows, { bits, topDown }));
      expect(pictureOf).toEqual({ width: 3, height: 2, channels: 3, data: Uint8Array.from(rows.flat(2)) });
    }
  });

  test('a palette of greys gives a grey picture, another one colours', () => {
    const grey = bmp([[[0], [1]]], {
      bits: 8,
      palette: [
        [9, 9, 9],
        [200, 200, 200],
      ],
    });
    expect(readBmp(grey)).toEqual({ width: 2, height: 1, channels: 1, data: Uint8Array.of(9, 200) });
    const colour = bmp([[[1]]], {
      bits: 8,
      palette: [
        [9, 9, 9],
        [1, 2, 3],
      ],
    });
    expect(readBmp(colour)).toEqual({ width: 1, height: 1, channels: 3, data: Uint8Array.of(1, 2, 3) });
  });

  test('everything that does not add up is refused', () => {
    const good = bmp(rows, { bits: 24 });
    const changed = (at: number, value: number): Uint8Array => {
      const copy = Uint8Array.from(good);
      new DataView(copy.buffer).setUint32(at, value, true);
      return copy;
    };
    for (let length = 0; length < good.length; length++)
      expect(() => readBmp(good.subarray(0, length))).toThrow(invalid);
    expect(() => readBmp(changed(18, 0))).toThrow(invalid);
    expect(() => readBmp(changed(18, 0x7fffffff))).toThrow(invalid);
    expect(() => readBmp(changed(22, 0x80000000))).toThrow(invalid);
    expect(() => readBmp(changed(10, 0xffffffff))).toThrow(invalid);
    expect(() => readBmp(changed(30, 1))).toThrow(invalid);
    const outside = bmp([[[5]]], { bits: 8, palette: [[1, 1, 1]] });
    expect(() => readBmp(outside)).toThrow(invalid);
  });
});

describe('other formats', () => {
  const raw = { width: 16, height: 8, channels: 3 } as const;
  const pixels = Uint8Array.from({ length: 16 * 8 * 3 }, (_, i) => (i * 7) % 256);

  test('PNG comes back bit by bit', async () => {
    const png = await sharp(pixels, { raw }).png().toBuffer();
    expect(await decodePicture(png)).toEqual({ ...raw, data: pixels });
  });

  test('JPEG and WebP are read', async () => {
    const image = sharp(pixels, { raw });
    for (const file of [await image.jpeg().toBuffer(), await image.webp().toBuffer()])
      expect(await decodePicture(file)).toMatchObject(raw);
  });

  test("a camera's orientation mark is applied", async () => {
    const turned = await sharp(pixels, { raw }).withMetadata({ orientation: 6 }).jpeg().toBuffer();
    expect(await decodePicture(turned)).toMatchObject({ width: 8, height: 16 });
  });

  test('anything else is refused', async () => {
    for (const bytes of [new Uint8Array(0), Uint8Array.of(1, 2, 3), Buffer.from('<svg'), pixels])
      await expect(decodePicture(bytes)).rejects.toThrow(invalid);
    const png = await sharp(pixels, { raw }).png().toBuffer();
    await expect(decodePicture(png.subarray(0, png.length - 30))).rejects.toThrow(invalid);
  });
});

describe('resizing', () => {
  const plain = (width: number, height: number, value: number): Picture => ({
    width,
    height,
    channels: 3,
    data: new Uint8Array(width * height * 3).fill(value),
  });

  test('the same size changes nothing', () => {
    const picture = { width: 3, height: 2, channels: 3, data: Uint8Array.from(rows.flat(2)) } as const;
    expect(resizePicture(picture, { width: 3, height: 2, channels: 3 })).toEqual(picture);
  });

  test('reducing averages: every source pixel counts', () => {
    const stripes: Picture = {
      width: 64,
      height: 1,
      channels: 1,
      data: Uint8Array.from({ length: 64 }, (_, i) => (i % 2 === 0 ? 0 : 200)),
    };
    const { data } = resizePicture(stripes, { width: 4, height: 1, channels: 1 });
    for (const value of data) expect(Math.abs(value - 100)).toBeLessThanOrEqual(2);
  });

  test('one colour stays that colour, whatever the sizes', () => {
    for (const [width, height] of [
      [7, 5],
      [300, 2],
      [1, 1],
      [129, 640],
    ] as const) {
      const { data } = resizePicture(plain(width, height, 77), { width: 32, height: 48, channels: 3 });
      expect(new Set(data)).toEqual(new Set([77]));
    }
  });

  test('letterbox keeps the whole picture between black bars', () => {
    const { data } = resizePicture(plain(40, 20, 255), { width: 8, height: 8, channels: 1 }, 'letterbox');
    const row = (y: number): number[] => [...data.subarray(8 * y, 8 * y + 8)];
    expect([0, 1, 6, 7].map(row)).toEqual(new Array(4).fill(new Array(8).fill(0)));
    expect([2, 3, 4, 5].map(row)).toEqual(new Array(4).fill(new Array(8).fill(255)));
  });

  test('crop keeps the middle', () => {
    const data = Uint8Array.from({ length: 40 * 10 }, (_, i) => (i % 40 < 15 || i % 40 >= 25 ? 0 : 255));
    const cropped = resizePicture(
      { width: 40, height: 10, channels: 1, data },
      { width: 10, height: 10, channels: 1 },
      'crop',
    );
    expect(new Set(cropped.data)).toEqual(new Set([255]));
  });

  test('grey is luma', () => {
    const grey = (r: number, g: number, b: number): number | undefined =>
      toGrey({ width: 1, height: 1, channels: 3, data: Uint8Array.of(r, g, b) }).data[0];
    expect([grey(255, 0, 0), grey(0, 255, 0), grey(0, 0, 255), grey(255, 255, 255)]).toEqual([
      76, 150, 29, 255,
    ]);
  });
});
