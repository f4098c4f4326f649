/*
 * Damages real models, in many ways and the same ones each time, and imports them; run by damaged-models.test.ts with little memory.
 *   node damaged-host.mjs ROUNDS MODEL…
 * Writes one line of JSON: how many were refused, how many imported, the greatest resident set in KiB. Status 1 and the damage in words
 * where anything but a ModelImportError came of one.
 */
import { readFileSync } from 'node:fs';
import { pathToFileURL } from 'node:url';
import { resolve } from 'node:path';

const { importModel, ModelImportError, planGraph, preview, readModelFile, simplify } = await import(
  pathToFileURL(resolve('dist/clients/publisher/index.js')).href
);

const [rounds, ...files] = process.argv.slice(2);
const whole = files.map((file) => ({ file, bytes: readModelFile(file) }));

/** Numerical Recipes' generator. */
let state = 2026;
const next = (most) => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return Math.floor((state / 2 ** 32) * most);
};
/** Ends of ranges, and what an offset, a length, a count or a dimension should never be. */
const EXTREMES = [0, 1, 0x7f, 0xff, 0x7fff, 0xffff, 0x10000, 0x7fffffff, 0x80000000, 0xfffffff0, 0xffffffff];

/** Structure is at both ends of a file: weights in between take any value. */
const place = (length) => {
  const near = Math.min(length, next(2) === 0 ? 4096 : 65_536);
  return next(2) === 0 ? next(near) : length - 1 - next(near);
};

const damage = (bytes) => {
  let damaged = Buffer.from(bytes);
  const done = [];
  for (let i = 0; i <= next(3); i++) {
    const at = place(damaged.length);
    const kind = next(10);
    if (kind < 2) damaged[at] = next(256);
    else if (kind < 4) damaged[at] ^= 1 << next(8);
    else if (kind < 7 && at + 4 <= damaged.length)
      damaged.writeUInt32LE(EXTREMES[next(EXTREMES.length)], at & ~3);
    else if (kind === 7 && at + 4 <= damaged.length)
      damaged.writeUInt32LE(damaged.readUInt32LE(place(damaged.length - 4)), at & ~3);
    else if (kind === 8) damaged = damaged.subarray(0, at);
    else damaged = Buffer.concat([damaged.subarray(0, at), damaged.subarray(at + 1 + next(8))]);
    done.push(`${kind} at ${at}`);
    if (damaged.length < 8) break;
  }
  return { damaged, done };
};

const counts = { refused: 0, imported: 0 };
for (let round = 0; round < Number(rounds); round++) {
  const { file, bytes } = whole[next(whole.length)];
  const { damaged, done } = damage(bytes);
  try {
    const network = importModel(damaged, file);
    planGraph(network);
    preview(simplify(network), { target: 'x86' });
    counts.imported += 1;
  } catch (error) {
    if (
      !(error instanceof ModelImportError || error?.code === 'MODEL_IMPORT') ||
      error.message.length > 20_000
    ) {
      console.error(`round ${round}, ${file}: ${done.join(', ')}`, error);
      process.exit(1);
    }
    counts.refused += 1;
  }
}
const kib = Number(/^VmHWM:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]);
console.log(JSON.stringify({ ...counts, kib }));
