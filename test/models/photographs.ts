import { readFileSync } from 'node:fs';
import { decodePicture, type Picture } from '../../clients/picture/index.js';
import { sharedFile } from './shared.js';

/** Photographs of people from @vladmandic/face-api, 1 to 6. */
export const people = (...numbers: readonly number[]): Promise<Picture[]> =>
  Promise.all(
    numbers.map((n) =>
      decodePicture(new Uint8Array(readFileSync(`node_modules/@vladmandic/face-api/demo/sample${n}.jpg`))),
    ),
  );

export const sharedPhotographs = (...names: readonly string[]): Promise<Picture[]> =>
  Promise.all(names.map((name) => decodePicture(sharedFile(`images/${name}.bmp`))));

/** No photograph of one list is in the other. */
export const CALIBRATION_PHOTOGRAPHS = async (): Promise<Picture[]> => [
  ...(await people(1, 2, 3, 4, 5, 6)),
  ...(await sharedPhotographs('bird', 'sunflower', 'person', 'no_person')),
];
export const TEST_PHOTOGRAPHS = (): Promise<Picture[]> => sharedPhotographs('grace_hopper', 'cat');
