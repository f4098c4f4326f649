/** `npm run demo` as users and machines run it. */
import { spawn } from 'node:child_process';
import { mkdtempSync, readdirSync, rmdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../agent/package-root.js';
import { PERSON } from '../../demo/household.js';
import { listProcesses } from '../../demo/processes.js';

const folder = mkdtempSync(join(tmpdir(), 'sz-'));

interface Outcome {
  readonly status: number | null;
  readonly output: string;
  readonly milliseconds: number;
}

/** @param interruptAfter sends SIGINT, as Ctrl-C does, when this has been printed */
const demo = (args: readonly string[], interruptAfter?: RegExp): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    const start = Date.now();
    const child = spawn(process.execPath, [join(packageRoot(), 'dist', 'demo', 'main.js'), ...args], {
      stdio: ['ignore', 'pipe', 'inherit'],
      env: { ...process.env, TMPDIR: folder },
    });
    let output = '';
    let interrupted = false;
    child.stdout.on('data', (text: Buffer) => {
      output += text.toString();
      if (interrupted || !interruptAfter?.test(output)) return;
      interrupted = true;
      child.kill('SIGINT');
    });
    child.on('error', reject);
    child.on('close', (status) => resolve({ status, output, milliseconds: Date.now() - start }));
  });

/** Processes know the demo's folder, as argument or in their configuration's path. */
const leftOver = (): string[] => [
  ...readdirSync(folder),
  ...listProcesses()
    .filter(({ commandLine }) => commandLine.some((part) => part.includes(folder)))
    .map(({ name }) => name),
];

afterEach(() => expect(leftOver()).toEqual([]));
afterAll(() => rmdirSync(folder));

test('for machines: one JSON object per line, the summary last', async () => {
  const { status, output, milliseconds } = await demo(['--frames', '4', '--interval', '50', '--json']);
  const lines = output
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  expect(lines.at(-1)).toMatchObject({
    type: 'summary',
    good: true,
    frames: 4,
    labels: 4,
    lost: 0,
    wrong: 0,
    leaks: [],
  });
  const labels = lines.filter(({ type }) => type === 'label');
  expect(labels.map(({ detections }) => (detections as unknown[]).length > 0)).toEqual([
    true,
    true,
    true,
    false,
  ]);
  expect(lines.filter(({ type }) => type === 'broker').length).toBeGreaterThan(10);
  // A busy machine may take longer from one frame to the next than the light stays on.
  const light = lines.filter(({ type }) => type === 'light').map(({ on }) => on);
  expect(light).toEqual(light.map((_, i) => i % 2 === 0));
  expect(light.at(-1)).toBe(false);
  expect(status).toBe(0);
  console.log(`4 frames from nothing to the summary in ${milliseconds} ms`);
});

test('for people: lines where there is no terminal, and Ctrl-C ends it with a summary', async () => {
  const { status, output } = await demo(['--interval', '50'], /porch light on/);
  expect(output).toMatch(/^broker {2}sensor\/[0-9a-f]{4}…\/frame +263\.\d KiB {2}([0-9a-f]{2} ){12}…$/m);
  expect(output).toMatch(new RegExp(`^rules .*photo 1, right: ${PERSON} \\d+ % at \\d+,\\d+`, 'm'));
  expect(output).toMatch(/porch light off/);
  expect(output.trim().split('\n').at(-1)).toMatch(
    /^ok: \d+ frames, .* 0 lost, 0 wrong; .* nothing in the clear/,
  );
  expect(status).toBe(0);
});

test('it says what is wrong with its arguments', async () => {
  expect((await demo(['--frames', 'many'])).status).not.toBe(0);
});
