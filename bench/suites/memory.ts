import type { Telemetry } from '../../protocol/index.js';
import type { SealedModel } from '../../clients/publisher/index.js';
import { SmartZoneError } from '../../protocol/index.js';
import type { Context } from '../context.js';
import { sealedModel, type Precision } from '../model-files.js';
import type { Architecture } from '../nets/architectures.js';
import type { Figure } from '../report.js';
import { TeeDevice, type Budget } from '../tee-device.js';

const KIB = 1024;
const DEFAULT_KIB = 8 * 1024;
/** Code, data and stack beside the heap, at most. */
const BESIDE_HEAP_KIB = 1024;
/** Smaller segments make a smaller window. */
const SMALL_SEGMENT = 32 * 1024;
/** Steps by which the smallest heap is looked for. */
const STEP_KIB = 32;

/** What a model takes: by its plan, in a Pi 3's 8 MiB, and in the smallest heap that it runs in. */
export const memorySuite = async (context: Context): Promise<void> => {
  context.note(
    'ratio: arena against the lower bound; peak against 8 MiB. Peak: code, data, stack and heap of the TA after three frames',
  );
  for (const name of context.architectures) {
    const net = await context.net(name);
    for (const precision of context.precisions) {
      const model = await sealedModel(net, precision, context.target);
      const rows = await sealedModel(net, precision, context.target, { arena: 0 });
      addPlan(context, name, precision, model, rows);
      await inDefault(context, name, precision, model, rows);
      const small = await sealedModel(net, precision, context.target, {
        arena: 0,
        segmentBytes: SMALL_SEGMENT,
      });
      await inLeast(context, name, precision, small);
    }
  }
};

const base = (name: Architecture, dtype: Precision): Omit<Figure, 'engine' | 'median'> => ({
  suite: 'memory',
  model: name,
  dtype,
  unit: 'KiB',
});

const addPlan = (
  context: Context,
  name: Architecture,
  precision: Precision,
  { graph }: SealedModel,
  rows: SealedModel,
): void => {
  const { plan, segments } = graph;
  const add = (figure: string, bytes: number, more: Partial<Figure> = {}): void =>
    context.add({
      ...base(name, precision),
      engine: 'plan',
      figure,
      median: Math.ceil(bytes / KIB),
      ...more,
    });
  add('one buffer per tensor', plan.unplanned);
  add('arena, input included', plan.arena, { ratio: plan.arena / plan.lowerBound });
  add('lower bound of the arena', plan.lowerBound);
  add('arena, front in rows', rows.graph.plan.arena);
  add(
    'weights',
    segments.reduce((sum, { length }) => sum + length, 0),
  );
  add('largest segment', Math.max(...segments.map(({ length }) => length)));
};

interface Peak {
  readonly streamed: number;
  readonly memory: Telemetry['memory'];
}

/** @throws SmartZoneError where the TA refuses the model */
const peakIn = async (model: SealedModel, budget?: Budget): Promise<Peak> => {
  const device = await TeeDevice.start(undefined, budget);
  try {
    const streamed = await device.install(model);
    await device.run(3);
    return { streamed, memory: (await device.telemetry()).memory };
  } finally {
    await device.stop();
  }
};

const addPeak = (
  context: Context,
  name: Architecture,
  precision: Precision,
  where: string,
  { streamed, memory }: Peak,
): void => {
  const bytes = (what: string): number => memory.get(what) ?? 0;
  const peak = bytes('image') + bytes('stack_peak') + bytes('heap_peak');
  const row = { ...base(name, precision), engine: where };
  context.add({
    ...row,
    figure: 'peak of secure memory',
    median: Math.ceil(peak / KIB),
    ratio: peak / KIB / DEFAULT_KIB,
  });
  for (const [figure, what] of [
    ['of it code and data', 'image'],
    ['of it stack', 'stack_peak'],
    ['of it heap', 'heap_peak'],
  ] as const)
    context.add({ ...row, figure, median: Math.ceil(bytes(what) / KIB) });
  context.add({ ...row, figure: 'streamed for each frame', median: Math.ceil(streamed / KIB) });
};

const inDefault = async (
  context: Context,
  name: Architecture,
  precision: Precision,
  whole: SealedModel,
  rows: SealedModel,
): Promise<void> => {
  const models = [
    ['TA, 8 MiB', whole],
    ['TA, 8 MiB, front in rows', rows],
  ] as const;
  for (const [where, model] of models)
    try {
      addPeak(context, name, precision, where, await peakIn(model));
      return;
    } catch (error) {
      if (!(error instanceof SmartZoneError)) throw error;
      context.note(`${name} ${precision}: ${where}: ${error.message}`);
    }
};

/** The smallest heap, in steps, from what the publisher says is needed. */
const inLeast = async (
  context: Context,
  name: Architecture,
  precision: Precision,
  model: SealedModel,
): Promise<void> => {
  const first = Math.ceil(model.memory / KIB / STEP_KIB) * STEP_KIB;
  for (let heapKib = first; heapKib < first + DEFAULT_KIB; heapKib += STEP_KIB) {
    try {
      const budget = { secureKib: heapKib + BESIDE_HEAP_KIB, heapKib };
      addPeak(context, name, precision, 'TA, least heap', await peakIn(model, budget));
      return;
    } catch (error) {
      if (!(error instanceof SmartZoneError)) throw error;
    }
  }
  context.note(`${name} ${precision}: runs in no heap up to ${first + DEFAULT_KIB} KiB`);
};
