import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Context } from '../context.js';
import { fullPlan, interleave, type Contender } from '../interleave.js';
import { engineModel, naiveModels, type BenchNet } from '../model-files.js';
import type { Architecture } from '../nets/architectures.js';
import { ROOT, SCRATCH } from '../paths.js';
import { runTool } from '../peers/run-tool.js';
import { ratioOfRounds, summarise } from '../statistics.js';
import { Worker } from '../worker.js';

/**
 * Milliseconds of the paper's published reference on this class of machine (scalar C, one thread): a naive method that were
 * much slower than that would flatter us.
 */
const PUBLISHED: Partial<Record<Architecture, number>> = {
  'darknet-256': 85.2,
  'mobilenet-v1-256': 128.6,
  'resnet-18-256': 342.1,
};
const MOST_ABOVE_PUBLISHED = 1.2;

/** The pieces in which the paper's predecessors move weights, and the most that fits an invoke here. */
const SMALL_PIECE = 4096;
const LARGE_PIECE = 1 << 20;

const INT8 = 'smart-zone int8';
const FLOAT = 'smart-zone float32';
const KERNELS = 'naive: kernels alone';
const MEMORY = 'naive: memory and invoke flow alone';
const MEMORY_LARGE = 'the same with invokes of 1 MiB';
const BOTH = 'naive: both';

/**
 * What the paper improves on, in three steps: convolution, batch norm and activation one after the other with the reference
 * kernels; memory for every tensor and weights through small invokes; both. Float32, as published.
 */
export const naiveSuite = async (context: Context): Promise<void> => {
  runTool(['make', '-s', '-C', join(ROOT, 'ta/soft'), 'test-ta']);
  context.note(
    'ratio: a step against smart-zone float32. Naive: float32, weights of each inference in invokes of 4 KiB to the software TEE',
  );
  const folder = mkdtempSync(join(tmpdir(), 'sz-naive-'));
  try {
    const build = join(ROOT, 'build');
    const environment = {
      SMART_ZONE_TEE_DIR: folder,
      SMART_ZONE_TEE_SPAWN: join(build, 'smart-zone-tee'),
      SMART_ZONE_TEE_TA: join(build, 'smart-zone-test-ta'),
    };
    for (const name of context.architectures)
      if (PUBLISHED[name] !== undefined) await measure(context, await context.net(name), environment);
  } finally {
    rmSync(folder, { recursive: true, force: true }); // which ends the software TEE
  }
};

const measure = async (
  context: Context,
  net: BenchNet,
  environment: Record<string, string>,
): Promise<void> => {
  const { fusedUnplanned, unfused, unfusedUnplanned } = naiveModels(net, context.target);
  const worker = join(SCRATCH, 'naive_worker');
  const commands: [engine: string, command: readonly string[]][] = [
    [INT8, engineModel(net, 'int8', context.target).command],
    [FLOAT, engineModel(net, 'float32', context.target).command],
    [KERNELS, unfused],
    [MEMORY, [worker, ...fusedUnplanned.slice(1), String(SMALL_PIECE)]],
    [MEMORY_LARGE, [worker, ...fusedUnplanned.slice(1), String(LARGE_PIECE)]],
    [BOTH, [worker, ...unfusedUnplanned.slice(1), String(SMALL_PIECE)]],
  ];
  const contenders: Contender<Worker>[] = [];
  try {
    for (const [engine, command] of commands)
      contenders.push({ engine, worker: await Worker.start(command, context.core, environment) });
    const times = await interleave(contenders, fullPlan(context.quick));
    const medians = new Map([...times].map(([engine, rounds]) => [engine, summarise(rounds.flat())]));
    const slower = (engine: string, than: string): number =>
      ratioOfRounds(times.get(engine) ?? [], times.get(than) ?? []);
    for (const [engine, summary] of medians)
      context.add({
        suite: 'naive',
        model: net.name,
        dtype: engine === INT8 ? 'int8' : 'float32',
        engine,
        unit: 'ms',
        ...summary,
        ...(engine !== FLOAT && { ratio: slower(engine, FLOAT) }),
      });
    report(context, net.name, medians.get(KERNELS)?.median ?? 0, {
      float: [slower(KERNELS, FLOAT), slower(BOTH, FLOAT)],
      int8: [slower(KERNELS, INT8), slower(BOTH, INT8)],
    });
  } finally {
    for (const contender of contenders) await contender.worker.stop();
  }
};

const report = (
  context: Context,
  name: Architecture,
  kernels: number,
  faster: Record<'float' | 'int8', readonly [kernels: number, both: number]>,
): void => {
  const published = PUBLISHED[name] ?? 0;
  const share = kernels / published;
  const [float, int8] = [faster.float, faster.int8].map((pair) =>
    pair.map((times) => times.toFixed(1)).join(' and '),
  );
  context.note(
    `${name}: naive kernels take ${share.toFixed(2)} × the published reference's ${published} ms; than kernels alone and ` +
      `both, float32 here is ${float} ×, int8 ${int8} × faster`,
  );
  if (share > MOST_ABOVE_PUBLISHED)
    context.note(
      `${name}: more than ${MOST_ABOVE_PUBLISHED} × the published reference, the comparison does not count`,
    );
};
