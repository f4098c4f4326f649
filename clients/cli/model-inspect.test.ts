import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { arenaOf, inspectModel } from './model-inspect.js';
import { UsageError } from './exit-codes.js';
import { Output } from './output.js';

const model = 'node_modules/@mediapipe/face_detection/face_detection_short_range.tflite';

let folder: string;
beforeEach(() => (folder = mkdtempSync(join(tmpdir(), 'smart-zone-inspect-'))));
afterEach(() => rmSync(folder, { recursive: true }));

const inspect = async (json: boolean, flags: Parameters<typeof inspectModel>[2]): Promise<string> => {
  const out = new PassThrough();
  await inspectModel(new Output(json, out, new PassThrough()), model, flags);
  return String(out.read());
};

test('a model that is not packed yet: what it needs, and where its peak is', async () => {
  const svg = join(folder, 'plan.svg');
  const text = await inspect(false, { plan: svg });
  expect(text).toMatch(/^needs {4}\d+ KiB for weights, [\d,]+ KiB for activations/m);
  expect(text).toMatch(/^plan {5}arena [\d,.]+ KiB, the lower bound; peak [\d,.]+ KiB at [A-Z0-9_]+ \d+$/m);
  expect(text).toContain(`picture  ${svg}`);
  expect(readFileSync(svg, 'utf8')).toMatch(
    /^<svg [^>]*>\n<title>Memory plan of face_detection_short_range.tflite</,
  );
});

test('the same for programs', async () => {
  const { arena, plan } = JSON.parse(await inspect(true, { target: 'neon' })) as {
    arena: number;
    plan: { arena: number; lives: unknown[] };
  };
  expect(plan.arena).toBe(arena);
  expect(plan.lives.length).toBeGreaterThan(10);
});

test('row bands need a target: the reference has none', () => {
  expect(arenaOf({ target: 'x86' })).toEqual({});
  expect(arenaOf({ target: 'x86', patches: true })).toEqual({ arena: 0 });
  expect(arenaOf({ target: 'neon', arena: 5000 })).toEqual({ arena: 5000 });
  expect(() => arenaOf({ target: 'ref', patches: true })).toThrow(UsageError);
  expect(() => arenaOf({ arena: 5000 })).toThrow(UsageError);
});
