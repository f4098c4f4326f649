import { isSmartZoneError } from '../../protocol/index.js';
import type { SealedModel } from '../../clients/publisher/index.js';
import { MOST_SEGMENT_BYTES } from '../../clients/publisher/pack.js';
import type { Context } from '../context.js';
import { fullPlan, interleave } from '../interleave.js';
import { engineModel, sealedModel, type BenchNet, type Precision } from '../model-files.js';
import { ratioOfRounds, summarise } from '../statistics.js';
import { TeeDevice, type Budget } from '../tee-device.js';
import { Worker } from '../worker.js';
import { OURS } from './engine.js';

/** Enough for any of the nets, where the default of a Pi 3 is not. */
const LARGE: Budget = { secureKib: 96 * 1024, heapKib: 94 * 1024 };

/**
 * Through the TEE client API and the software TEE, in the default budget of a Pi 3, and resident in a larger one where it does
 * not fit there: sealed frame in, signed and sealed label out, against the same network in
 * process. Both on one core; the client that waits for the TA is on another.
 */
export const teeSuite = async (context: Context): Promise<void> => {
  context.note(
    'ratio: against the engine in process, in the same rounds. The invoke opens a sealed frame, infers, signs and seals the label',
  );
  for (const name of context.architectures) {
    const net = await context.net(name);
    for (const precision of context.precisions) await measure(context, net, precision);
  }
};

const measure = async (context: Context, net: BenchNet, precision: Precision): Promise<void> => {
  const model = await sealedModel(net, precision, context.target);
  const inBands = (): Promise<SealedModel> => sealedModel(net, precision, context.target, { arena: 0 });
  const inLargeParts = (): Promise<SealedModel> =>
    sealedModel(net, precision, context.target, { segmentBytes: MOST_SEGMENT_BYTES });
  const engine = await Worker.start(engineModel(net, precision, context.target).command, context.core);
  const devices: { engine: string; worker: TeeDevice }[] = [];
  const place = async (name: string, model: SealedModel, budget?: Budget): Promise<void> => {
    const device = await TeeDevice.start(context.core, budget);
    const entry = { engine: '', worker: device };
    devices.push(entry);
    const streamed = await device.install(model);
    entry.engine =
      streamed === 0
        ? `TA, resident, ${name}`
        : `TA, ${(streamed / 2 ** 20).toFixed(1)} MiB streamed, ${name}`;
  };
  try {
    if (!(await fits(() => place('8 MiB', model)))) {
      await devices.pop()?.worker.stop();
      const banded = await inBands();
      if (!(await fits(() => place('8 MiB, front in rows', banded)))) {
        context.note(`${net.name} ${precision}: does not run in 8 MiB`);
        await devices.pop()?.worker.stop();
      }
    }
    if (devices[0]?.engine.includes('resident') !== true)
      await place(`${LARGE.secureKib / 1024} MiB`, await inLargeParts(), LARGE);
    const times = await interleave([{ engine: OURS, worker: engine }, ...devices], fullPlan(context.quick));
    const summaries = new Map([...times].map(([name, rounds]) => [name, summarise(rounds.flat())]));
    const ours = times.get(OURS) ?? [];
    for (const [name, summary] of summaries)
      context.add({
        suite: 'tee',
        model: net.name,
        dtype: precision,
        engine: name,
        unit: 'ms',
        ...summary,
        ...(name !== OURS && { ratio: ratioOfRounds(times.get(name) ?? [], ours) }),
      });
    for (const { engine: name, worker } of devices)
      await note(context, `${net.name} ${precision}, ${name}`, worker);
  } finally {
    await engine.stop();
    for (const { worker } of devices) await worker.stop();
  }
};

/** False where the TA has too little memory for a model. */
const fits = async (install: () => Promise<void>): Promise<boolean> => {
  try {
    await install();
    return true;
  } catch (error) {
    if (isSmartZoneError(error, 'MODEL_MEMORY')) return false;
    throw error;
  }
};

/** Checks that the last label has a meaning, and says where the TA's time went. */
const note = async (context: Context, name: string, device: TeeDevice): Promise<void> => {
  const { results } = await device.label();
  if (results.kind !== 'classes' || results.classes.length === 0) throw new Error('the label has no classes');
  const { stages } = await device.telemetry();
  const mean = (stage: string): string => {
    const { totalMillis = 0, count = 1 } = stages.get(stage) ?? {};
    return `${stage} ${(totalMillis / Math.max(1, count)).toFixed(2)}`;
  };
  context.note(`${name}: in the TA, mean ms: ${['open', 'infer', 'seal'].map(mean).join(', ')}`);
};
