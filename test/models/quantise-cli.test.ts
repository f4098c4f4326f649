/** `smart-zone model quantise`, and `pack --quantise`, as commands. */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { generateKeys, writeKeyFile } from '../../clients/keys/index.js';
import type { QuantiseReport } from '../../clients/publisher/index.js';
import { smartZoneIn } from './command.js';
import { cropsOf } from './crops.js';
import { sharedPhotographs } from './photographs.js';
import { describeWithOracle, shared } from './shared.js';

const FLOAT = resolve(shared, 'models/pretrainedResnet.tflite');
const INT8 = resolve(shared, 'models/pretrainedResnet_quant.tflite');

let folder: string;
let smartZone: ReturnType<typeof smartZoneIn>;

describeWithOracle('quantising by command', () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'smart-zone-quantise-'));
    smartZone = smartZoneIn(folder);
    writeKeyFile(join(folder, 'publisher.key.json'), generateKeys('publisher', 'tester'));
    const frames = cropsOf(await sharedPhotographs('cat', 'bird'), {
      ...{ width: 32, height: 32 },
      ...{ count: 400, seed: 1 },
    });
    for (const [name, count] of Object.entries({ all: 400, twenty: 20, three: 3, none: 0 })) {
      mkdirSync(join(folder, name));
      for (const [i, frame] of frames.slice(0, count).entries())
        writeFileSync(join(folder, name, `${String(i).padStart(3, '0')}.bin`), frame);
    }
    mkdirSync(join(folder, 'short'));
    writeFileSync(join(folder, 'short', '0.bin'), new Uint8Array(5));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  test('the report, and nothing packed', async () => {
    const { status, out } = await smartZone('model', 'quantise', FLOAT, '--calibration', 'twenty', '--json');
    expect(status).toBe(0);
    const { calibrationFrames, tried, test } = JSON.parse(out) as QuantiseReport;
    expect(calibrationFrames).toBe(16);
    expect(tried.length).toBeGreaterThanOrEqual(2);
    expect(test).toMatchObject({ frames: 4 });
    expect(test?.decibels).toBeGreaterThan(10);
    expect(existsSync(join(folder, 'pretrainedResnet.szm'))).toBe(false);
    const people = await smartZone('model', 'quantise', FLOAT, '--calibration', 'twenty');
    expect(people.out).toMatch(/^calibration +16 frames\nchosen +(equalised|as it is), bias correction: /);
    expect(people.out).toMatch(/^top-1 +\d of 4 frames as float, which calibration did not see$/m);
    expect(people.out).toMatch(/^noisiest +\d+\.\d dB {2}[A-Z_0-9]+ /m);
  });

  test('fewer agreeing than asked for: nothing is packed', async () => {
    const { out } = await smartZone('model', 'quantise', FLOAT, '--calibration', 'all', '--json');
    const { test } = JSON.parse(out) as QuantiseReport;
    expect(test?.frames).toBe(80);
    expect(test?.agreeing).toBeLessThan(80);
    const { status, error } = await smartZone(
      ...['model', 'pack', FLOAT, '--name', 'bad', '--quantise', 'all', '--least-agreement', '100'],
    );
    expect(error).toMatch(
      /quantised, \d\d\.\d % of the frames have the float model's best class, 100 % were asked for/,
    );
    expect(status).toBe(65);
    expect(existsSync(join(folder, 'bad.szm'))).toBe(false);
    expect(existsSync(join(folder, 'bad.key'))).toBe(false);
  });

  test.each([
    ['too few', [FLOAT, 'three'], /3 calibration frames: at least 10 are needed/],
    ['none', [FLOAT, 'none'], /there is no picture in none/],
    ['frames of another size', [FLOAT, 'short'], /0\.bin has 5 bytes, a frame has 3072/],
    ['int8 already', [INT8, 'twenty'], /is i8: the network has to be float32/],
  ])('%s', async (_name, [model = '', calibration = ''], message) => {
    const { status, error } = await smartZone('model', 'quantise', model, '--calibration', calibration);
    expect(error).toMatch(message);
    expect(status).toBe(65);
  });
});
