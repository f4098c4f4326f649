import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { arenaOf, inspectModel } from './model-inspect.js';
import { UsageError } from './exit-codes.js';
import { EngineTool } from '../publisher/index.js';
import { sizeOption } from './model-layers.js';
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

test('operators, weights in memory, results: what is to be expected of it', async () => {
  const text = await inspect(false, { target: 'neon', rate: 2, budget: 2850 * 1024, patches: true });
  expect(text).toMatch(/^results {2}at most 8 detections: number, name, score, box/m);
  expect(text).toMatch(/^labels {3}face$/m);
  expect(text).toMatch(/^secure {3}[\d,]+ KiB of secure heap at least, [\d,]+ KiB with all weights in it$/m);
  expect(text).toMatch(/^budget {3}2,850 KiB: \d+ segments stay in memory/m);
  expect(text).toMatch(/^time {5}[\d.]+ ms, at 2 billion multiply-accumulates a second/m);
  expect(text).toMatch(/^CONV_2D 0( rows)? +f32 +1x128x128x3 → 1x64x64x24 +\d/m);
  expect(await inspect(false, { target: 'neon', budget: 1024 * 1024, layers: false })).toMatch(
    /^budget {3}1,024 KiB are too few/m,
  );
});

test('times are measured where the kernels are those of this machine, and said to be', async () => {
  const { macs, layers, time } = JSON.parse(await inspect(true, { target: EngineTool.find().target() })) as {
    macs: number;
    layers: { macs: number; ms: number }[];
    time: { source: string; ms: number };
  };
  expect(time.source).toBe('measured');
  expect(time.ms).toBeGreaterThan(0);
  expect(layers.reduce((sum, layer) => sum + layer.ms, 0)).toBeCloseTo(time.ms, 6);
  expect(layers.reduce((sum, layer) => sum + layer.macs, 0)).toBe(macs);
  const other = EngineTool.find().target() === 'x86' ? 'neon' : 'x86';
  expect(await inspect(false, { target: other })).toMatch(
    /^time {5}not known, packed for \w+, this machine/m,
  );
});

test.each([
  ['8MiB', 8 * 1024 * 1024],
  ['7168 KiB', 7168 * 1024],
  ['0.5mib', 512 * 1024],
  ['4096', 4096],
])('%s is a size', (text, bytes) => expect(sizeOption(text)).toBe(bytes));

test.each(['', 'MiB', '8 MB', '-1', '0'])('"%s" is none', (text) =>
  expect(() => sizeOption(text)).toThrow(/a size/),
);

test('row bands need a target: the reference has none', () => {
  expect(arenaOf({ target: 'x86' })).toEqual({});
  expect(arenaOf({ target: 'x86', patches: true })).toEqual({ arena: 0 });
  expect(arenaOf({ target: 'neon', arena: 5000 })).toEqual({ arena: 5000 });
  expect(() => arenaOf({ target: 'ref', patches: true })).toThrow(UsageError);
  expect(() => arenaOf({ arena: 5000 })).toThrow(UsageError);
});
