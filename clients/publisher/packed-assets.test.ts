import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readModelFile, unpackAssets } from './packed-assets.js';

const loader = (table: string): string => `(function () {\n    loadPackage(${table});\n\n  })();`;
const file = (filename: string, start: number, end: number): string =>
  JSON.stringify({ filename, start, end });
const tableOf = (...files: string[]): string =>
  loader(`{"files": [${files.join(', ')}], "remote_package_size": 10}`);
const data = Uint8Array.from([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);

test('files are found by the table of the loader', () => {
  const files = unpackAssets(data, tableOf(file('/a.txt', 0, 3), file('/b.tflite', 3, 10)), 'x.data');
  expect([...files].map(([name, bytes]) => [name, bytes.length, bytes[0]])).toEqual([
    ['/a.txt', 3, 0],
    ['/b.tflite', 7, 3],
  ]);
});

test.each([
  ['no table', loader('metadata'), /no table/],
  ['a table that is no JSON', loader('{"files": [{]}'), /no table/],
  ['a file without an end', loader('{"files": [{"filename": "a", "start": 0}]}'), /no table/],
  ['a file that ends behind the data', tableOf(file('/a', 0, 11)), /\/a lies at 0 to 11 of 10 bytes/],
  ['a file that ends before it begins', tableOf(file('/a', 5, 4)), /\/a lies at 5 to 4/],
])('%s is an error', (_what, text, message) => {
  expect(() => unpackAssets(data, text, 'x.data')).toThrow(message);
});

test('of a package the one model in it is read, of any other file all of it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'smart-zone-assets-'));
  try {
    const path = join(folder, 'net.data');
    writeFileSync(path, data);
    expect(readModelFile(path)).toHaveLength(10);
    writeFileSync(join(folder, 'net_loader.js'), tableOf(file('/a.txt', 0, 3), file('/b.tflite', 3, 10)));
    expect(readModelFile(path)).toEqual(data.slice(3));
    writeFileSync(join(folder, 'net_loader.js'), tableOf(file('/a.txt', 0, 3)));
    expect(() => readModelFile(path)).toThrow(/0 models in it/);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
