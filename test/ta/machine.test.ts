/**
 * The TA does what its executable specification (test/ta/model) says: the same decision, error code and visible state after each of
 * 10,000 random operations. That the comparison can fail is shown with TAs that have a fault each.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { SealedModel } from '../../clients/publisher/index.js';
import { buildFaulty, faultySource, FAULTS } from './model/faults.js';
import { randomOperations } from './model/operations.js';
import { describeFailure, run, shrinkFailure } from './model/run.js';
import { tinyModels } from './model/tiny-models.js';
import { TaHost } from './ta-host.js';

const LONG = process.env['SMART_ZONE_TEST_LONG'] === '1';
const OPERATIONS = 10_000;
/** `N` for the first N, `M-N` for a part of them. */
const [from = 1, to = from] = (process.env['SMART_ZONE_SEEDS'] ?? (LONG ? '1-100' : '1'))
  .replace(/^\d+$/, '1-$&')
  .split('-')
  .map(Number);
const SEEDS = Array.from({ length: to - from + 1 }, (_, i) => from + i);
/** A fault must show within as many. */
const NOTICED_WITHIN = 10_000;
const SAMPLE = 10;

const program = fileURLToPath(new URL('../../build/ctest/ta_host_streaming', import.meta.url));
let containers: ReadonlyMap<string, SealedModel>;

beforeAll(async () => {
  await TaHost.create('ta_host_streaming').stop(); // builds it
  containers = new Map((await tinyModels()).map((model, i) => [`container ${i + 1}`, model]));
}, 300_000);

test(`${SEEDS.length} sequences of ${OPERATIONS} operations, seeds ${from} to ${to}`, async () => {
  const reached = new Map<string, number>();
  for (const seed of SEEDS) {
    const result = await run(program, containers, randomOperations(seed, OPERATIONS));
    if (result.failure)
      throw new Error(describeFailure(seed, await shrinkFailure(program, containers, result.failure)));
    for (const [what, count] of result.reached) reached.set(what, (reached.get(what) ?? 0) + count);
  }
  const messages = [...reached.values()].reduce((a, b) => a + b, 0);
  console.log(
    `${SEEDS.length} x ${OPERATIONS} operations, ${messages} messages, ${reached.size} pairs of command and code:\n` +
      [...reached]
        .map(([what, count]) => `${what} ${count}`)
        .sort()
        .join(', '),
  );
  // Not vacuous: sequences get to labels and past every stage.
  for (const often of [
    'FRAME OK',
    'FRAME STALE_NUMBER',
    'OFFER STATE_ROLLED_BACK',
    'MODEL_BEGIN MODEL_TRIAL',
    'ZONE_OFFER OK',
    'ZONE_OFFER NOT_IN_ZONE',
    'ZONE_OFFER STALE_ROSTER',
    'FRAME SEGMENTS_WANTED',
    'FRAME BUSY',
    'CONTINUE OK',
    'CONTINUE MODEL_ORDER',
    'CONTINUE MODEL_DIGEST',
    'CONTINUE NO_CHANNEL',
    'CONTINUE TRUNCATED',
    'CONTINUE TRAILING_BYTES',
  ])
    expect(reached.get(often)).toBeGreaterThan(0);
}, 36_000_000);

test.each(FAULTS)('still a fault of its source: $what', (fault) => {
  expect(faultySource(fault)).not.toBe('');
});

const everyNth = LONG ? 1 : SAMPLE;
test.each(FAULTS.filter((_, i) => i % everyNth === 0))(
  'noticed: $what',
  async (fault) => {
    const folder = mkdtempSync(join(tmpdir(), 'ta-fault-'));
    try {
      const { failure } = await run(
        buildFaulty(fault, folder),
        containers,
        randomOperations(1, NOTICED_WITHIN),
      );
      console.log(`noticed by operation ${failure?.operations.length}: ${fault.what}: ${failure?.message}`);
      expect(failure).toBeDefined();
    } finally {
      rmSync(folder, { recursive: true });
    }
  },
  600_000,
);
