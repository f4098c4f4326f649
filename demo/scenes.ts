import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { packageRoot } from '../agent/package-root.js';
import { decodePicture, type Picture } from '../clients/picture/index.js';

/** What the camera sees. */
export interface Scene {
  readonly name: string;
  /** Whether there is somebody in it. */
  readonly people: boolean;
  readonly picture: Picture;
}

interface Region {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

const FOLDER = join('node_modules', '@vladmandic', 'face-api', 'demo');

const photograph = async (root: string, number: number): Promise<Picture> =>
  decodePicture(new Uint8Array(await readFile(join(root, FOLDER, `sample${number}.jpg`))));

/** Parts of two of the photographs with nobody in them: a door and the stairs. */
const EMPTY: Region = { left: 0, top: 0, width: 400, height: 400 };

/** Somebody from head to knees, in a frame as narrow as a door. */
const standing = (left: number, top: number): Region => ({ left, top, width: 400, height: 1250 });

/** What comes to the door: the scene, which photograph, which part of it. */
const AT_THE_DOOR: readonly (readonly [string, number, Region])[] = [
  ['photo 1, right', 1, standing(1320, 0)],
  ['photo 1, left', 1, standing(320, 30)],
  ['photo 3', 3, standing(1000, 38)],
  ['door', 3, EMPTY],
  ['stairs', 5, EMPTY],
  ['door', 3, EMPTY],
  ['photo 4, right', 4, standing(880, 38)],
  ['photo 4', 4, standing(580, 0)],
  ['photo 4, left', 4, standing(80, 0)],
  ['stairs', 5, EMPTY],
  ['door', 3, EMPTY],
  ['stairs', 5, EMPTY],
];

/**
 * People at the door, in the photographs that come with @vladmandic/face-api (MIT). Some come, then for a while nobody: the light
 * has time to go off.
 */
export const loadDoorScenes = async (root = packageRoot()): Promise<Scene[]> => {
  const photographs = new Map<number, Promise<Picture>>();
  const scenes = new Map<string, Promise<Scene>>();
  const view = async (name: string, number: number, region: Region): Promise<Scene> => {
    const whole = photographs.get(number) ?? photograph(root, number);
    photographs.set(number, whole);
    return { name, people: region !== EMPTY, picture: cut(await whole, region) };
  };
  for (const [name, number, region] of AT_THE_DOOR)
    if (!scenes.has(name)) scenes.set(name, view(name, number, region));
  return Promise.all(AT_THE_DOOR.map(([name]) => scenes.get(name) as Promise<Scene>));
};

/** The photographs themselves, groups with their faces to the camera, and the parts of them without people. */
export const loadScenes = async (root = packageRoot()): Promise<Scene[]> => {
  const people = await Promise.all([1, 2, 3, 4, 5, 6].map((number) => photograph(root, number)));
  const [one, two, three, four, five, six] = people as [Picture, Picture, Picture, Picture, Picture, Picture];
  const empty = (name: string, picture: Picture): Scene => ({
    name,
    people: false,
    picture: cut(picture, EMPTY),
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

const cut = ({ width, channels, data }: Picture, region: Region): Picture => {
  const row = region.width * channels;
  const part = new Uint8Array(region.height * row);
  for (let y = 0; y < region.height; y += 1) {
    const from = ((region.top + y) * width + region.left) * channels;
    part.set(data.subarray(from, from + row), y * row);
  }
  return { width: region.width, height: region.height, channels, data: part };
};
