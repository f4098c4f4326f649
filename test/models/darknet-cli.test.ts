/** Darknet's files on the command line. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { generateKeys, writeKeyFile } from '../../clients/keys/index.js';
import { importModel } from '../../clients/publisher/index.js';
import { smartZoneIn } from './command.js';
import { smallYolo } from './darknet-nets.js';

let folder: string;
let smartZone: ReturnType<typeof smartZoneIn>;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'smart-zone-darknet-'));
  smartZone = smartZoneIn(folder);
  writeKeyFile(join(folder, 'publisher.key.json'), generateKeys('publisher', 'tester'));
  const net = smallYolo();
  writeFileSync(join(folder, 'small.cfg'), net.cfg);
  writeFileSync(join(folder, 'small.weights'), net.weights());
  writeFileSync(join(folder, 'other.bin'), net.weights());
  writeFileSync(join(folder, 'alone.cfg'), net.cfg);
  writeFileSync(join(folder, 'names'), 'cup\nplate\nspoon\n');
});
afterAll(() => rmSync(folder, { recursive: true }));

test('inspected with the weights beside it, packed with those named', async () => {
  const inspected = await smartZone('model', 'inspect', 'small.cfg', '--rate', '1');
  expect(inspected).toMatchObject({ status: 0, error: '' });
  expect(inspected.out).toMatch(/^takes {4}u8 32x48x3$/m);
  expect(inspected.out).toMatch(/^results {2}at most 16 detections/m);
  const flags = [
    '--key',
    'publisher.key.json',
    '--weights',
    'other.bin',
    '--labels',
    'names',
    '--name',
    'cutlery',
  ];
  const packed = await smartZone('model', 'pack', 'alone.cfg', ...flags);
  expect(packed).toMatchObject({ status: 0 });
  expect(packed.out).toMatch(/^cutlery\.szm: \d+ KiB/m);
});

test('without weights, or with others: exit status 65', async () => {
  const missing = await smartZone('model', 'inspect', 'alone.cfg');
  expect(missing.status).toBe(65);
  expect(missing.error).toMatch(/its weights are missing/);
  const wrong = await smartZone('model', 'import', 'alone.cfg', '--weights', 'names');
  expect(wrong.status).toBe(65);
});

test('a file is told by its content', () => {
  const net = smallYolo();
  const cfg = new TextEncoder().encode(`# mine\n\n${net.cfg}`);
  expect(importModel(cfg, 'detector', () => net.weights()).outputs[0]?.dims).toEqual([1, 144, 8]);
});
