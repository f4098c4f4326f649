/**
 * 500 labels a second from 50 sensors through rules, bridge and history: for some seconds, with SMART_ZONE_TEST_LONG=1 for ten
 * minutes. The figures of a machine that does nothing else are the bench's: `npm run bench -- --suite rules`.
 */
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import type { LoadResult } from './load.js';

const built = new URL('../../dist/bench/rules/load.js', import.meta.url);
if (!existsSync(built)) throw new Error('dist/ is missing: node scripts/build.mjs');

const LONG = process.env['SMART_ZONE_TEST_LONG'] === '1';
const RATE = 500;
const LABELS = RATE * (LONG ? 600 : 12);
const SENSORS = 50;
/** Before other tests, which may have all processors: what they take is none of the host's time. Only root may. */
const first = spawnSync('chrt', ['--rr', '1', 'true']).status === 0;
if (!first) console.warn('not allowed to go before other processes: latency is printed, not judged');

test('a rules host on one processor keeps up, loses nothing, acts in time, and does not grow', async () => {
  const { runLoad } = (await import(built.href)) as typeof import('./load.js');
  const result: LoadResult = await runLoad({
    rate: RATE,
    labels: LABELS,
    sensors: SENSORS,
    core: cpus().length - 1,
    first,
  });
  const { latency, memory, cpu, seconds, actions, states, loop } = result;
  console.info(
    `${LABELS} of 300000 labels in ${seconds.toFixed(0)} s: median ${latency.median} ms, p99 ${latency.p99} ms, most ${latency.most} ms, ` +
      `event loop late by ${loop.most.toFixed(0)} ms at most, ${(100 * cpu).toFixed(0)} % of a processor; MiB alive ${memory.map((each) => each.toFixed(0)).join(' ')}`,
  );
  expect(result).toMatchObject({ labels: LABELS, stale: 0, missed: 0, lost: 0, rows: 3 * LABELS });
  // The device and its sensors.
  expect(result.announced).toBe(1 + SENSORS);
  expect(actions).toBeGreaterThan(first ? LABELS * 0.9 : 0);
  expect(states).toBeGreaterThan(first ? LABELS * 0.9 : 0);
  if (!first) return;
  // The tail of the sample is the disk's, which other tests keep busy.
  expect(LONG ? latency.p99 : latency.median).toBeLessThanOrEqual(50);
  // The least of each quarter, not the last moment: nothing is collected for this.
  const quarter = (at: number): number =>
    Math.min(
      ...memory.slice(Math.floor((at * memory.length) / 4), Math.ceil(((at + 1) * memory.length) / 4)),
    );
  // In the sample's seconds it may not be the old objects' turn: that sees a leak of some KiB for each label only.
  expect(quarter(3)).toBeLessThan(quarter(1) + (LONG ? 10 : 30));
}, 900_000);
