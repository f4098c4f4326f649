import { SmartZoneError } from '../../protocol/index.js';
import type { Context } from '../context.js';
import { fullPlan, interleave } from '../interleave.js';
import { engineModel, sealedModel, type BenchNet, type Precision } from '../model-files.js';
import { summarise } from '../statistics.js';
import { TeeDevice, type Budget } from '../tee-device.js';
import { Worker } from '../worker.js';
import { OURS } from './engine.js';

const TEE = 'TA, frame → label';

/** Enough for any of the nets, where the default of a Pi 3 is not. */
const LARGE: Budget = { secureKib: 96 * 1024, heapKib: 94 * 1024 };

/**
 * Through the TEE client API and the software TEE: sealed frame in, signed and sealed label out, against the same network in
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
  const engine = await Worker.start(engineModel(net, precision, context.target).command, context.core);
  let device: TeeDevice | undefined;
  try {
    const opened = await deviceWith(context, model);
    device = opened.device;
    const tee = `${TEE}, ${opened.budget}`;
    const contenders = [
      { engine: OURS, worker: engine },
      { engine: tee, worker: device },
    ];
    const times = await interleave(contenders, fullPlan(context.quick));
    const { results } = await device.label();
    if (results.kind !== 'classes' || results.classes.length === 0)
      throw new Error('the label has no classes');
    const summaries = new Map([...times].map(([name, values]) => [name, summarise(values)]));
    const ours = summaries.get(OURS)?.median ?? Number.NaN;
    for (const [name, summary] of summaries)
      context.add({
        suite: 'tee',
        model: net.name,
        dtype: precision,
        engine: name,
        unit: 'ms',
        ...summary,
        ...(name !== OURS && { ratio: summary.median / ours }),
      });
    const { stages } = await device.telemetry();
    const mean = (stage: string): string => {
      const { totalMillis = 0, count = 1 } = stages.get(stage) ?? {};
      return `${stage} ${(totalMillis / Math.max(1, count)).toFixed(2)}`;
    };
    context.note(
      `${net.name} ${precision}: in the TA, mean ms: ${['open', 'infer', 'seal'].map(mean).join(', ')}`,
    );
  } finally {
    await engine.stop();
    await device?.stop();
  }
};

/** A Pi 3's budget if the model fits, else a larger one, which the figure's name then says. */
const deviceWith = async (
  context: Context,
  model: Parameters<TeeDevice['install']>[0],
): Promise<{ device: TeeDevice; budget: string }> => {
  const attempt = async (budget?: Budget): Promise<TeeDevice> => {
    const device = await TeeDevice.start(context.core, budget);
    try {
      await device.install(model);
      return device;
    } catch (error) {
      await device.stop();
      throw error;
    }
  };
  try {
    return { device: await attempt(), budget: '8 MiB' };
  } catch (error) {
    if (!(error instanceof SmartZoneError)) throw error;
    context.note(`${model.header.name}: not in 8 MiB: ${error.message}`);
    return { device: await attempt(LARGE), budget: `${LARGE.secureKib / 1024} MiB` };
  }
};
