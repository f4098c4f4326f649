import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hold } from './holder.js';

const built = new URL('../../../dist/clients/rules/history/holder.js', import.meta.url);
if (!existsSync(built)) throw new Error('dist/ is missing: node scripts/build.mjs');

let folder: string;
let file: string;
const children: ChildProcess[] = [];
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sz-holder-'));
  file = join(folder, 'holder');
});
afterEach(() => {
  for (const child of children.splice(0)) child.kill('SIGKILL');
  rmSync(folder, { recursive: true });
});

const start = (script: string, ...args: string[]): ChildProcess => {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, built.href, file, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  children.push(child);
  return child;
};
const old = (path: string): void => {
  const then = new Date(Date.now() - 60_000);
  utimesSync(path, then, then);
};

const HOLDS = `
  const [built, file] = process.argv.slice(1);
  const { hold } = await import(built);
  console.log(hold(file) !== undefined);
  setInterval(() => undefined, 1000);`;

test('one at a time, also in one process', () => {
  const first = hold(file);
  expect(first).toMatchObject({ tookOver: false });
  expect(hold(file)).toBeUndefined();
  first?.release();
  const second = hold(file);
  expect(second).toMatchObject({ tookOver: false });
  first?.release();
  expect(hold(file)).toBeUndefined();
  second?.release();
  expect(readdirSync(folder)).toEqual([]);
});

test('a holder that lives keeps it for as long as it likes, stopped or not; killed, it has lost it at once', async () => {
  const child = start(HOLDS);
  const [said] = (await once(child.stdout ?? child, 'data')) as [Buffer];
  expect(said.toString()).toBe('true\n');
  child.kill('SIGSTOP');
  old(file);
  expect(hold(file)).toBeUndefined();
  child.kill('SIGKILL');
  await once(child, 'close');
  const held = hold(file);
  expect(held).toMatchObject({ tookOver: true });
  held?.release();
  expect(readdirSync(folder)).toEqual([]);
});

test('a number that another process has by now is not taken for the holder', () => {
  const self = hold(file);
  const [pid, startTime, place, nonce] = readFileSync(file, 'utf8').split(' ');
  self?.release();
  writeFileSync(file, [pid, Number(startTime) - 1, place, nonce].join(' '));
  expect(hold(file)).toMatchObject({ tookOver: true });
});

test.each([
  ['of another machine', '1 1 elsewhere 0123456789abcdef'],
  ['that was killed before it had written its name', ''],
])('one %s has lost it after half a minute', (_who, name) => {
  writeFileSync(file, name);
  expect(hold(file)).toBeUndefined();
  old(file);
  expect(hold(file)).toMatchObject({ tookOver: true });
  expect(readdirSync(folder)).toEqual(['holder']);
});

test('one that was killed while it took over is replaced itself', async () => {
  const dead = start(HOLDS);
  await once(dead.stdout ?? dead, 'data');
  dead.kill('SIGKILL');
  await once(dead, 'close');
  const name = readFileSync(file, 'utf8');
  const right = `${file}.${name.split(' ').at(-1) ?? ''}`;
  writeFileSync(right, name.replace(/[0-9a-f]{16}$/, 'f'.repeat(16)));
  expect(hold(file)).toMatchObject({ tookOver: true });
  expect(readdirSync(folder)).toEqual(['holder']);
});

/** Holds it so many times, says when in a log, and is killed with it. */
const COMPETES = `
  const { appendFileSync } = await import('node:fs');
  const [built, file, log, times] = process.argv.slice(1);
  const { hold } = await import(built);
  const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
  for (let left = Number(times); left > 0; ) {
    const held = hold(file);
    if (held === undefined) { await pause(Math.random() * 2); continue; }
    left -= 1;
    appendFileSync(log, 'begin ' + process.pid + (held.tookOver ? ' after' : '') + '\\n');
    await pause(1);
    appendFileSync(log, (left > 0 ? 'end ' : 'killed ') + process.pid + '\\n');
    if (left === 0) process.kill(process.pid, 'SIGKILL');
    held.release();
  }`;

test('many that want it at once, each of which is killed while it holds it: never two have it', async () => {
  const log = join(folder, 'log');
  const MANY = 8;
  const TIMES = 12;
  const racing = Array.from({ length: MANY }, () => start(COMPETES, log, String(TIMES)));
  await Promise.all(racing.map((child) => once(child, 'close')));
  const lines = readFileSync(log, 'utf8').trimEnd().split('\n');
  expect(lines).toHaveLength(2 * MANY * TIMES);
  let after = 'end';
  for (let i = 0; i < lines.length; i += 2) {
    const [begin, pid, how] = (lines[i] ?? '').split(' ');
    const [end, same] = (lines[i + 1] ?? '').split(' ');
    expect([begin, how === 'after', same]).toEqual(['begin', after === 'killed', pid]);
    after = end ?? '';
  }
  expect(hold(file)).toMatchObject({ tookOver: true });
});
