/** A decoded picture: rows from top to bottom, channels interleaved, 8 bits each. */
export interface Picture {
  readonly width: number;
  readonly height: number;
  /** 1 grey, 3 RGB. */
  readonly channels: 1 | 3;
  readonly data: Uint8Array;
}

/** Larger pictures are refused before they are decoded: 64 megapixels are 192 MiB. */
export const MOST_PIXELS = 64 * 1024 * 1024;

/** ITU-R BT.601 luma, in integers, rounded. */
export const toGrey = (picture: Picture): Picture => {
  if (picture.channels === 1) return picture;
  const { width, height, data } = picture;
  const grey = new Uint8Array(width * height);
  for (let i = 0; i < grey.length; i++) {
    const [r, g, b] = [data[3 * i] ?? 0, data[3 * i + 1] ?? 0, data[3 * i + 2] ?? 0];
    grey[i] = (299 * r + 587 * g + 114 * b + 500) / 1000;
  }
  return { width, height, channels: 1, data: grey };
};

export const toRgb = (picture: Picture): Picture => {
  if (picture.channels === 3) return picture;
  const { width, height, data } = picture;
  const rgb = new Uint8Array(3 * data.length);
  data.forEach((value, i) => rgb.fill(value, 3 * i, 3 * i + 3));
  return { width, height, channels: 3, data: rgb };
};
