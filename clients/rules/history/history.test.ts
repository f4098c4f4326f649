import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  utimesSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { asKid } from '../../../protocol/kid.js';
import type { Results } from '../../../protocol/messages/results.js';
import type { LabelEvent } from '../label-event.js';
import { CSV_HEADER, readHistory, toCsv, type HistoryQuery, type HistoryRow } from './query.js';
import { exclusively, openSqlite, openSqliteReadOnly } from './sqlite.js';

// As it is built: it runs a file on another thread, where nothing makes JavaScript of TypeScript.
const built = new URL('../../../dist/clients/rules/history/history.js', import.meta.url);
if (!existsSync(built)) throw new Error('dist/ is missing: node scripts/build.mjs');
const { History } = (await import(built.href)) as typeof import('./history.js');

let folder: string;
let path: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'sz-history-'));
  path = join(folder, 'history.db');
});
afterEach(() => rmSync(folder, { recursive: true }));

const START = Date.parse('2026-11-20T12:00:00Z');
const seen = (...items: [name: string, score: number][]): Results => ({
  kind: 'detections',
  detections: items.map(([name, score], index) => ({
    index,
    name,
    score,
    box: { x: 0.1, y: 0.2, width: 0.3, height: 0.4 },
  })),
});
const label = (second: number, results: Results, sensor = 'porch'): LabelEvent => ({
  device: { kid: asKid(new Uint8Array(8)), name: 'pi' },
  sensor: { kid: asKid(new Uint8Array(8)), name: sensor },
  number: second,
  frameId: new Uint8Array(8).fill(second),
  sensorTime: START + second * 1000,
  received: START + second * 1000 + 30.5,
  model: new Uint8Array(32).fill(7),
  results,
});
const all = async (query?: HistoryQuery): Promise<HistoryRow[]> => {
  const rows: HistoryRow[] = [];
  for await (const row of readHistory(path, query)) rows.push(row);
  return rows;
};

test('what was written is found again, by time, class, sensor and score', async () => {
  const history = await History.open(path);
  history.write(label(1, seen(['person', 0.9], ['dog', 0.6])));
  history.write(label(2, seen()));
  history.write(label(3, seen(['person', 0.5]), 'gate'));
  history.write(label(4, { kind: 'reconstruction', error: 2.5 }));
  history.write(label(5, seen(['', 0.7])));
  await history.close();
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const rows = await all();
  expect(rows.map(({ class: name, error }) => name ?? error)).toEqual([
    'person',
    'dog',
    null,
    'person',
    2.5,
    'class 0',
  ]);
  expect(rows[0]).toEqual({
    time: START + 1000,
    received: START + 1031,
    device: 'pi',
    sensor: 'porch',
    number: 1,
    frame: '01'.repeat(8),
    model: '07'.repeat(32),
    class: 'person',
    score: 0.9,
    x: 0.1,
    y: 0.2,
    width: 0.3,
    height: 0.4,
    error: null,
  });
  expect(await all({ class: 'person' })).toHaveLength(2);
  expect(await all({ class: 'person', score: 0.6 })).toHaveLength(1);
  expect(await all({ sensor: 'gate' })).toHaveLength(1);
  expect(await all({ device: 'other' })).toHaveLength(0);
  expect(await all({ class: "' OR 1=1 --" })).toHaveLength(0);
  expect(await all({ since: START + 2000, until: START + 4000 })).toHaveLength(2);
  expect(await all({ since: START + 60_000 })).toHaveLength(0);
  expect(await all({ limit: 2 })).toHaveLength(2);
});

test('opened again it goes on, and a file that others could read is theirs no more', async () => {
  for (const second of [1, 2]) {
    const history = await History.open(path);
    history.write(label(second, seen(['person', 0.9])));
    await history.close();
    expect(statSync(path).mode & 0o777).toBe(0o600);
    chmodSync(path, 0o644);
  }
  expect(await all()).toHaveLength(2);
});

test('many pages, read while more is written', async () => {
  const history = await History.open(path, { interval: 5 });
  for (let i = 0; i < 2500; i += 1) history.write(label(i, seen(['person', 0.9])));
  while (history.stats.waiting > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  let count = 0;
  for await (const row of readHistory(path)) {
    if (count === 10) history.write(label(9999, seen(['person', 0.9])));
    expect(row.number).toBe(count++);
  }
  expect(count).toBe(2500);
  await history.close();
  expect(await all()).toHaveLength(2501);
});

test('retention by days: the text is gone from the file too', async () => {
  let now = START;
  const options = { days: 1, clock: () => now };
  const history = await History.open(path, options);
  history.write(label(1, seen(['a-class-to-be-forgotten', 0.9])));
  history.write(label(7200, seen(['kept', 0.9])));
  await history.close();
  expect(readFileSync(path).includes('a-class-to-be-forgotten')).toBe(true);
  now = START + 24 * 3600_000 + 3600_000;
  await (await History.open(path, options)).close();
  expect((await all()).map(({ class: name }) => name)).toEqual(['kept']);
  expect(readFileSync(path).includes('a-class-to-be-forgotten')).toBe(false);
});

test('retention by size: the oldest go, the file shrinks', async () => {
  const history = await History.open(path);
  for (let i = 0; i < 6000; i += 1) history.write(label(i, seen(['person', 0.9])));
  await history.close();
  const before = statSync(path).size;
  const bytes = Math.round(before / 2);
  await (await History.open(path, { bytes })).close();
  expect(statSync(path).size).toBeLessThan(before * 0.6);
  const rows = await all();
  expect(rows.at(-1)?.number).toBe(5999);
  expect(rows.length).toBeGreaterThan(1000);
  expect(rows[0]?.number).toBe(6000 - rows.length);
});

test('the lock of a program that names no holder does not stay', async () => {
  await (await History.open(path)).close();
  mkdirSync(`${path}.lock`);
  const old = new Date(Date.now() - 60_000);
  utimesSync(`${path}.lock`, old, old);
  const history = await History.open(path);
  history.write(label(1, seen(['person', 0.9])));
  await history.close();
  expect(await all()).toHaveLength(1);
});

test('while another process has the file labels wait, and are written when it is free', async () => {
  const history = await History.open(path, { interval: 5 });
  mkdirSync(`${path}.lock`);
  // Some turns without anything to write, and some without the file.
  await new Promise((resolve) => setTimeout(resolve, 50));
  history.write(label(1, seen(['person', 0.9])));
  await new Promise((resolve) => setTimeout(resolve, 50));
  history.write(label(2, seen(['person', 0.9])));
  expect(history.stats).toEqual({ written: 0, waiting: 2, lost: 0 });
  rmSync(`${path}.lock`, { recursive: true });
  while (history.stats.waiting > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  await history.close();
  expect((await all()).map(({ number }) => number)).toEqual([1, 2]);
});

test('what the file cannot take is said with the next label, and on closing', async () => {
  const history = await History.open(path, { interval: 5 });
  const sqlite = await openSqlite(path);
  sqlite.exec('DROP TABLE seen');
  sqlite.close();
  history.write(label(1, seen(['person', 0.9])));
  await new Promise((resolve) => setTimeout(resolve, 100));
  expect(() => history.write(label(2, seen(['person', 0.9])))).toThrow('no such table');
  await expect(history.close()).rejects.toThrow('no such table');
  expect(history.stats).toMatchObject({ written: 0, waiting: 2 });
});

/** Writes label after label, and says how many are in the file. */
const ENDLESS = `
  const [built, path, label] = process.argv.slice(1);
  const { History } = await import(built);
  const history = await History.open(path, { interval: 3, bytes: 1e9 });
  const one = { ...JSON.parse(label), frameId: new Uint8Array(8), model: new Uint8Array(32) };
  for (let number = 1; ; number += 1) {
    history.write({ ...one, number });
    await new Promise((resolve) => setTimeout(resolve, 1));
    process.stdout.write(history.stats.written + '\\n');
  }`;

test('a process that is killed in the middle loses nothing of what was written', async () => {
  const one = JSON.stringify(label(1, seen(['person', 0.9], ['dog', 0.8])));
  const child = spawn(process.execPath, ['--input-type=module', '-e', ENDLESS, built.href, path, one], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let said = '';
  child.stdout.on('data', (data) => {
    said += String(data);
    if (Number(said.split('\n').at(-2)) >= 400) child.kill('SIGKILL');
  });
  await once(child, 'close');
  const written = Number(said.split('\n').at(-2));
  expect(written).toBeGreaterThanOrEqual(400);
  await (await History.open(path)).close();
  const sqlite = await openSqliteReadOnly(path);
  expect(sqlite.get('PRAGMA integrity_check')).toEqual({ integrity_check: 'ok' });
  sqlite.close();
  const rows = await all();
  expect(rows.length).toBeGreaterThanOrEqual(written);
  expect(rows.map(({ number }) => number)).toEqual(rows.map((_, at) => 1 + Math.floor(at / 2)));
});

/** Is killed when the file holds part of a transaction, whose pages were too many for its memory. */
const KILLED = `
  const [built, path] = process.argv.slice(1);
  const { exclusively, openSqlite } = await import(built);
  const sqlite = await openSqlite(path);
  exclusively(path, () => {
    sqlite.exec('PRAGMA cache_size = 10');
    sqlite.exec('BEGIN IMMEDIATE');
    sqlite.exec("UPDATE seen SET class = class || ' that was not there'");
    process.kill(process.pid, 'SIGKILL');
  });`;

test('a process that is killed in a transaction holds up nobody, and its half is undone', async () => {
  const history = await History.open(path);
  for (let i = 0; i < 2000; i += 1) history.write(label(i, seen(['person', 0.9])));
  await history.close();
  const before = readFileSync(path);
  const sqliteBuilt = new URL('sqlite.js', built).href;
  const child = spawn(process.execPath, ['--input-type=module', '-e', KILLED, sqliteBuilt, path], {
    stdio: 'inherit',
  });
  expect(await once(child, 'close')).toEqual([null, 'SIGKILL']);
  for (const left of ['.lock', '.holder', '-journal']) expect(existsSync(path + left)).toBe(true);
  expect(readFileSync(path).equals(before)).toBe(false);
  // At the first attempt.
  const sqlite = await openSqliteReadOnly(path);
  const check = exclusively(path, () => sqlite.get('PRAGMA integrity_check'));
  sqlite.close();
  expect(check).toEqual({ integrity_check: 'ok' });
  expect(readFileSync(path).equals(before)).toBe(true);
  for (const left of ['.lock', '.holder', '-journal']) expect(existsSync(path + left)).toBe(false);
  await (await History.open(path)).close();
  expect(new Set((await all()).map(({ class: name }) => name))).toEqual(new Set(['person']));
});

test('a process that ends writes what it has begun, and is not kept by the thread', async () => {
  const script = `
    const [built, path, label] = process.argv.slice(1);
    const { History } = await import(built);
    const history = await History.open(path, { interval: 1 });
    const one = { ...JSON.parse(label), frameId: new Uint8Array(8), model: new Uint8Array(32) };
    for (let number = 1; number <= 2000; number += 1) history.write({ ...one, number });
    await new Promise((resolve) => setTimeout(resolve, 5));`;
  const one = JSON.stringify(label(1, seen(['person', 0.9])));
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, built.href, path, one], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  expect(await once(child, 'close')).toEqual([0, null]);
  expect(existsSync(`${path}.lock`)).toBe(false);
  expect(await all()).toHaveLength(2000);
});

test('without the optional package, and without a file, it is said what to do', async () => {
  const missing = 'node-sqlite3-wasm-that-is-not-there';
  const opened = History.open(path, { sqlite: missing });
  await expect(opened).rejects.toThrow(`npm install ${missing}`);
  await expect(opened).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  await expect(History.open(join(folder, 'none', 'history.db'))).rejects.toMatchObject({
    code: 'ENOENT',
    syscall: 'open',
  });
  await expect(openSqlite(path, 'node-sqlite3-wasm-that-is-not-there')).rejects.toThrow(
    'npm install node-sqlite3-wasm-that-is-not-there',
  );
  await expect(all()).rejects.toThrow('there is no history');
});

test('CSV: quoted where needed, and nothing that a spreadsheet would run', async () => {
  const history = await History.open(path);
  const names = ['person', '=cmd|"/c calc"!A1', '@x', '-1+2', 'a "b", c', 'two\nlines', '+1'];
  for (const name of names) history.write(label(1, seen([name, 0.5])));
  await history.close();
  const lines = (await all()).map(toCsv);
  expect(CSV_HEADER.split(',').slice(0, 5)).toEqual(['time', 'device', 'sensor', 'class', 'score']);
  expect(lines[0]).toMatch(/^2026-11-20T12:00:01\.000Z,pi,porch,person,0\.5,0\.1,0\.2,0\.3,0\.4,,1,/);
  const cells = lines.map((line) => /porch,(.*),0\.5,0\.1/s.exec(line)?.[1]);
  expect(cells).toEqual([
    'person',
    '"\'=cmd|""/c calc""!A1"',
    "'@x",
    "'-1+2",
    '"a ""b"", c"',
    '"two\nlines"',
    "'+1",
  ]);
});
