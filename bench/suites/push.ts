import { packageSizeOf, PushingSystem } from '../e2e/pushing-system.js';
import type { Context } from '../context.js';
import { sealedModel } from '../model-files.js';
import { median, ratioOfRounds, summarise } from '../statistics.js';

/** Frames of a round without a push; with one as many as it takes. */
const FRAMES = 20;

/**
 * Sensor → mosquitto → agent → TA → rules host while a publisher pushes a package to the same device, against the same without:
 * rounds of both in turn, one frame after the other. The package is the same network, signed anew for each push.
 */
export const pushSuite = async (context: Context): Promise<void> => {
  const { quick } = context;
  const net = await context.net('mobilenet-v1');
  const model = await sealedModel(net, 'int8', 'x86', { segmentBytes: 128 * 1024 });
  const system = await PushingSystem.start(model);
  const rounds = quick ? 2 : 10;
  const alone: number[][] = [];
  const meanwhile: number[][] = [];
  const seconds: number[] = [];
  try {
    for (let i = 0; i < FRAMES; i += 1) await system.label();
    for (let round = 0; round < rounds; round += 1) {
      alone.push(await system.latencies(FRAMES));
      const { latencies, took } = await system.latenciesWhilePushing();
      meanwhile.push(latencies);
      seconds.push(took);
    }
  } finally {
    await system.stop();
  }
  const base = { suite: 'push', model: 'mobilenet-v1', dtype: 'int8', engine: 'smart-zone', unit: 'ms' };
  const tail = (rows: readonly (readonly number[])[]): number => {
    const sorted = rows.flat().sort((a, b) => a - b);
    return sorted[Math.floor(0.95 * sorted.length)] ?? NaN;
  };
  context.add({ ...base, figure: 'frame → label, no push', ...summarise(alone.flat()) });
  context.add({
    ...base,
    figure: 'frame → label, during a push',
    ...summarise(meanwhile.flat()),
    ratio: ratioOfRounds(meanwhile, alone),
  });
  context.add({ ...base, figure: 'p95, no push', median: tail(alone) });
  context.add({
    ...base,
    figure: 'p95, during a push',
    median: tail(meanwhile),
    ratio: tail(meanwhile) / tail(alone),
  });
  context.add({ ...base, figure: 'a push', unit: 's', median: median(seconds), runs: rounds });
  context.note(
    `package of ${(packageSizeOf(model) / 2 ** 20).toFixed(2)} MiB, ${model.segments.length} segments`,
  );
};
