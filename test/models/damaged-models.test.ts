/** TensorFlow Lite files that are damaged, in little memory; and what the command says of a bad file of each format. */
import { execFile } from 'node:child_process';
import { copyFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { generateKeys, writeKeyFile } from '../../clients/keys/index.js';
import { smartZoneIn } from './command.js';
import { describeWithOracle, shared } from './shared.js';

const ROUNDS = 20_000;
const SAMPLED = process.env['SMART_ZONE_TEST_LONG'] === '1' ? ROUNDS : 2000;
/** MiB: of JavaScript's heap, and of the process with the files and Node itself. */
const HEAP = 256;
const RESIDENT = 512;

const FACES = resolve('node_modules/@mediapipe/face_detection/face_detection_short_range.tflite');
const MODELS = [
  FACES,
  ...[
    'ad01_int8',
    'kws_ref_model',
    'kws_ref_model_float32',
    'mobilenet_v1_0.25_128_quant',
    'person_detect',
    'pretrainedResnet_quant',
    'vww_96_float',
    'vww_96_int8',
  ].map((name) => resolve(shared, `models/${name}.tflite`)),
];

describeWithOracle('damaged TensorFlow Lite files', () => {
  test('one clear error or a network, in bounded memory', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, [
      `--max-old-space-size=${HEAP}`,
      ...['test/models/damaged-host.mjs', String(SAMPLED), ...MODELS],
    ]);
    const { refused, imported, kib } = JSON.parse(stdout) as Record<'refused' | 'imported' | 'kib', number>;
    console.info(
      `${SAMPLED}/${ROUNDS} damaged: ${refused} refused, ${imported} imported, ${(kib / 1024).toFixed(0)} MiB at most`,
    );
    expect(refused + imported).toBe(SAMPLED);
    expect(refused).toBeGreaterThan(SAMPLED / 4);
    expect(imported).toBeGreaterThan(SAMPLED / 10);
    expect(kib / 1024).toBeLessThan(RESIDENT);
  }, 240_000);
});

describe('the command', () => {
  let folder: string;
  let smartZone: ReturnType<typeof smartZoneIn>;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'smart-zone-damaged-'));
    smartZone = smartZoneIn(folder);
    writeKeyFile(join(folder, 'publisher.key.json'), generateKeys('publisher', 'tester'));
    const faces = readFileSync(FACES);
    const file = (name: string, bytes: Uint8Array | string): void => writeFileSync(join(folder, name), bytes);
    file('cut.tflite', faces.subarray(0, faces.length / 2));
    file('offsets.tflite', Buffer.from(faces).fill(0xff, 8, 64));
    file('magic.tflite', Buffer.concat([faces.subarray(0, 4), Buffer.from('TFL2'), faces.subarray(8)]));
    file('empty.tflite', '');
    file('text.onnx', 'no model at all');
    file('cut.cfg', '[net]\nwidth=64\nheight=64\nchannels=3\n[convolutional]\nfilters=');
    file(
      'huge.cfg',
      '[net]\nwidth=2147483648\nheight=2147483648\nchannels=3\n[convolutional]\nfilters=4\nsize=3\n',
    );
    file('cut.weights', new Uint8Array(8));
    file('huge.weights', new Uint8Array(20));
    // A package of files for a web page whose table names a model that lies beyond its end.
    const assets = resolve('node_modules/@mediapipe/objectron/objectron_solution_packed_assets');
    copyFileSync(`${assets}_loader.js`, join(folder, 'objectron_solution_packed_assets_loader.js'));
    file('objectron_solution_packed_assets.data', readFileSync(`${assets}.data`).subarray(0, 100_000));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  const FILES = [
    'cut.tflite',
    'offsets.tflite',
    'magic.tflite',
    'empty.tflite',
    'text.onnx',
    'cut.cfg',
    'huge.cfg',
    'objectron_solution_packed_assets.data',
  ];

  test.each(FILES)('%s: one error, status 65, nothing written', async (file) => {
    for (const [command = '', ...flags] of [
      ['import'],
      ['inspect'],
      ['pack', '--name', 'out'],
      ['quantise', '--calibration', '.'],
    ]) {
      const { status, out, error } = await smartZone('model', command, file, ...flags);
      const said = error
        .split('\n')
        .filter((line) => line !== '' && !line.startsWith('importing '))
        .join('\n');
      expect(`${command}: ${said}`).toMatch(
        new RegExp(`^${command}: smart-zone: .*${file.replaceAll('.', '\\.')}.*$`, 's'),
      );
      expect(said.length).toBeLessThan(2000);
      expect(said).not.toMatch(/\bat .*\.js:\d/);
      expect([status, out]).toEqual([65, '']);
    }
    expect(() => readFileSync(join(folder, 'out.szm'))).toThrow('ENOENT');
    expect(() => readFileSync(join(folder, 'out.key'))).toThrow('ENOENT');
  });
});
