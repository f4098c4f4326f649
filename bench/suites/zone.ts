import { cpus } from 'node:os';
import { DEVICES, ZoneSystem, type ZoneRound } from '../e2e/zone-system.js';
import type { Context } from '../context.js';
import { sealedModel } from '../model-files.js';
import { median, summarise } from '../statistics.js';

const SENSORS = 4;

/**
 * Two devices in one zone against one, with the same sensors, which keep frames under way as fast as labels come: the second device
 * leaves and joins between rounds. All of it is on this machine, so that what it shows is bounded by its processors: a second Pi brings
 * two or four of its own.
 */
export const zoneSuite = async (context: Context): Promise<void> => {
  const { quick } = context;
  const net = await context.net('mobilenet-v1');
  const model = await sealedModel(net, 'int8', context.target);
  const system = await ZoneSystem.start(model, SENSORS);
  const rounds = quick ? 2 : 8;
  const frames = quick ? 48 : 160;
  const one: ZoneRound[] = [];
  const both: ZoneRound[] = [];
  try {
    await system.devices([DEVICES[0]]);
    for (let i = 0; i < rounds; i += 1) {
      await system.devices([DEVICES[0]]);
      one.push(await system.round(frames));
      await system.devices(DEVICES);
      both.push(await system.round(frames));
    }
  } finally {
    await system.stop();
  }
  const base = { suite: 'zone', model: 'mobilenet-v1', dtype: 'int8', engine: 'smart-zone' };
  const rate = (of: readonly ZoneRound[]): number[] => of.map(({ labelsPerSecond }) => labelsPerSecond);
  const busy = (of: readonly ZoneRound[]): number =>
    median(of.map(({ processors }) => [...processors.values()].reduce((a, b) => a + b, 0)));
  const ratio = median(
    both.map(({ labelsPerSecond }, i) => labelsPerSecond / (one[i]?.labelsPerSecond ?? NaN)),
  );
  context.add({ ...base, figure: 'one device', unit: 'labels/s', ...summarise(rate(one)) });
  context.add({ ...base, figure: 'two devices', unit: 'labels/s', ...summarise(rate(both)), ratio });
  context.add({ ...base, figure: 'one device: all processes', unit: 'processors', median: busy(one) });
  context.add({ ...base, figure: 'two devices: all processes', unit: 'processors', median: busy(both) });
  const shares = both.map((round) => (round.shares.get(DEVICES[1]) ?? 0) / frames);
  context.add({ ...base, figure: "two devices: the second's share", unit: '', ...summarise(shares) });
  for (const [name, of] of [
    ['one', one],
    ['two', both],
  ] as const) {
    const names = [...(of[0]?.processors.keys() ?? [])];
    const parts = names.map(
      (part) => `${part} ${median(of.map(({ processors }) => processors.get(part) ?? 0)).toFixed(2)}`,
    );
    context.note(`${name}: processors busy: ${parts.join(', ')}`);
  }
  context.note(
    `${SENSORS} sensors, ${frames} frames a round; everything shares ${cpus().length} processors: with fewer than two for the TAs alone a second device can add little`,
  );
};
