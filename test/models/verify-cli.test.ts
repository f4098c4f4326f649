/** `smart-zone model verify` as publishers run it. */
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ARCHITECTURES } from '../../bench/nets/architectures.js';
import { floatOnnx } from '../../bench/peers/onnx.js';
import { problemOf } from '../../clients/cli/exit-codes.js';
import { generateKeys, writeKeyFile } from '../../clients/keys/index.js';
import { EngineTool, MissingRuntimeError } from '../../clients/publisher/index.js';

const MODEL = resolve('node_modules/@mediapipe/face_detection/face_detection_short_range.tflite');
const OTHER = resolve('node_modules/@mediapipe/face_detection/face_detection_full_range.tflite');
const PHOTOGRAPHS = resolve('node_modules/@vladmandic/face-api/demo');

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'smart-zone-verify-'));
  writeKeyFile(join(folder, 'publisher.key.json'), generateKeys('publisher', 'tester'));
});
afterAll(() => rmSync(folder, { recursive: true }));

interface Outcome {
  readonly status: number;
  readonly out: string;
  readonly error: string;
}

const smartZone = (...args: string[]): Promise<Outcome> =>
  new Promise((done) => {
    const env = { ...process.env, SMART_ZONE_HOME: folder };
    execFile(
      process.execPath,
      [resolve('dist/clients/cli/main.js'), ...args],
      { cwd: folder, env },
      (error, out, err) => done({ status: (error?.code as number | undefined) ?? 0, out, error: err }),
    );
  });

test('a package agrees with the model it was made from, on photographs', async () => {
  const target = EngineTool.find().target();
  const packed = await smartZone('model', 'pack', MODEL, '--name', 'faces', '--target', target);
  expect(packed).toMatchObject({ status: 0 });
  const { status, out } = await smartZone(
    ...['model', 'verify', 'faces.szm', '--against', MODEL, '--pictures', PHOTOGRAPHS, '--json'],
  );
  const report = JSON.parse(out) as Record<string, unknown>;
  expect(report).toMatchObject({ good: true, kind: 'detections', target, streamed: 0, disagreements: [] });
  expect(report['agreeing']).toBe(report['of']);
  expect(report['of']).toBeGreaterThan(5);
  expect(status).toBe(0);
  const forPeople = await smartZone('model', 'verify', 'faces.szm', '--against', MODEL);
  expect(forPeople.out).toMatch(/^against {2}TensorFlow Lite \(WebAssembly\), 4 frames$/m);
  expect(forPeople.out).toMatch(/^found {4}(\d+) of \1 the same$/m);
});

test('an ONNX model: from its file through the TEE, against ONNX Runtime', async () => {
  writeFileSync(join(folder, 'squeezenet.onnx'), floatOnnx(ARCHITECTURES['squeezenet-1.1']()));
  const target = EngineTool.find().target();
  const packed = await smartZone('model', 'pack', 'squeezenet.onnx', '--target', target);
  expect(packed).toMatchObject({ status: 0 });
  const { status, out } = await smartZone(
    ...['model', 'verify', 'squeezenet.szm', '--against', 'squeezenet.onnx'],
    ...['--pictures', PHOTOGRAPHS, '--json'],
  );
  const report = JSON.parse(out) as Record<string, unknown>;
  expect(report).toMatchObject({ good: true, kind: 'classes', target, disagreements: [] });
  expect(report['agreeing']).toBe(report['of']);
  expect(report['of']).toBeGreaterThan(5);
  expect(status).toBe(0);
});

test('not with another one, nor with a file that is none', async () => {
  const other = await smartZone('model', 'verify', 'faces.szm', '--against', OTHER);
  expect(other).toMatchObject({ status: 65, out: '' });
  expect(other.error).toMatch(/192x192x3, the package's 1x128x128x3: another model\?/);
  writeFileSync(join(folder, 'x.tflite'), 'not a model');
  expect(await smartZone('model', 'verify', 'faces.szm', '--against', 'x.tflite')).toMatchObject({
    status: 65,
  });
  expect(await smartZone('model', 'verify', 'x.tflite', '--against', MODEL)).toMatchObject({ status: 65 });
});

test('a runtime that is not there is an error that says how to get it', () => {
  expect(problemOf(new MissingRuntimeError('a runtime', 'some-package'))).toEqual({
    exit: 69,
    code: 'RUNTIME_MISSING',
    message: 'a runtime is not installed',
    fix: 'npm install some-package',
  });
});
