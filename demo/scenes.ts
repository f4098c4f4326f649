import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../agent/package-root.js';
import { decodePicture, type Picture } from '../clients/picture/index.js';

/** What the camera sees. */
export interface Scene {
  readonly name: string;
  /** Whether there are people's faces in it. */
  readonly people: boolean;
  readonly picture: Picture;
}

interface Region {
  readonly left: number;
  readonly top: number;
  readonly size: number;
}

const FOLDER = join('node_modules', '@vladmandic', 'face-api', 'demo');

/** Parts of two of the photographs with nobody in them: a door and the stairs. */
const EMPTY: Readonly<Record<string, Region>> = {
  door: { left: 0, top: 0, size: 400 },
  stairs: { left: 0, top: 0, size: 400 },
};

/** The photographs that come with @vladmandic/face-api (MIT), and the parts of them without people. */
export const loadScenes = async (root = packageRoot()): Promise<Scene[]> => {
  const photograph = async (number: number): Promise<Picture> =>
    decodePicture(new Uint8Array(await readFile(join(root, FOLDER, `sample${number}.jpg`))));
  const people = await Promise.all([1, 2, 3, 4, 5, 6].map(photograph));
  const [one, two, three, four, five, six] = people as [Picture, Picture, Picture, Picture, Picture, Picture];
  const empty = (name: keyof typeof EMPTY, picture: Picture): Scene => ({
    name,
    people: false,
    picture: cut(picture, EMPTY[name] as Region),
  });
  const door = empty('door', three);
  const stairs = empty('stairs', five);
  const withPeople = (name: string, picture: Picture): Scene => ({ name, people: true, picture });
  // Some come, then for a while nobody: the light has time to go off.
  return [
    withPeople('photo 1', one),
    withPeople('photo 2', two),
    withPeople('photo 3', three),
    door,
    stairs,
    door,
    withPeople('photo 4', four),
    withPeople('photo 5', five),
    withPeople('photo 6', six),
    stairs,
    door,
    stairs,
  ];
};

const cut = ({ width, channels, data }: Picture, { left, top, size }: Region): Picture => {
  const row = size * channels;
  const part = new Uint8Array(size * row);
  for (let y = 0; y < size; y += 1) {
    const from = ((top + y) * width + left) * channels;
    part.set(data.subarray(from, from + row), y * row);
  }
  return { width: size, height: size, channels, data: part };
};
