/** 500 labels a second from 50 sensors, for some seconds; `npm run bench -- --suite rules` has ten minutes of them. */
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import type { LoadResult } from './load.js';

const built = new URL('../../dist/bench/rules/load.js', import.meta.url);
if (!existsSync(built)) throw new Error('dist/ is missing: node scripts/build.mjs');

test('a rules host on one processor keeps up, loses nothing, and what is alive does not grow', async () => {
  const { runLoad } = (await import(built.href)) as typeof import('./load.js');
  const result: LoadResult = await runLoad({
    rate: 500,
    labels: 4000,
    sensors: 50,
    core: cpus().length - 1,
  });
  expect(result).toMatchObject({ labels: 4000, announced: 50, missed: 0, failed: 0, lost: 0, rows: 12_000 });
  expect(result.actions).toBeGreaterThan(2000);
  expect(result.latency.median).toBeLessThan(50);
  const [early = NaN] = result.memory.slice(10);
  expect((result.memory.at(-1) ?? NaN) - early).toBeLessThan(12);
}, 60_000);
