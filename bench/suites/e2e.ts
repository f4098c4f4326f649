import { SealedSystem } from '../e2e/sealed-system.js';
import { measureSystems, type EndToEndPlan, type Measured } from '../e2e/measure.js';
import { mosquittoVersion } from '../e2e/mosquitto.js';
import { PlainSystem } from '../e2e/plain-system.js';
import type { System } from '../e2e/system.js';
import type { Context } from '../context.js';
import { pictureOnnxFile, sealedModel } from '../model-files.js';
import type { Architecture } from '../nets/architectures.js';
import type { Figure } from '../report.js';
import { installOnnxRuntime } from '../peers/onnxruntime-install.js';
import { median, ratioOfRounds, summarise } from '../statistics.js';

const MODELS: readonly Architecture[] = ['mobilenet-v1', 'mobilenet-v2'];

/** Sensor → mosquitto → agent → TA → rules host, against the same without a TEE. int8, all processes on the same processors. */
export const endToEndSuite = async (context: Context): Promise<void> => {
  const plan = context.quick
    ? { rounds: 2, oneByOne: 20, together: 40, pacingMs: 0 }
    : { rounds: 12, oneByOne: 40, together: 120, pacingMs: 0 };
  await withBoth(context, plan, (name, measured) => {
    const entries = [...measured];
    const plain = entries.find(([system]) => system instanceof PlainSystem)?.[1];
    for (const [system, result] of entries) addFigures(context, name, system, result, plain);
  });
};

/** A camera of ten frames a second: what each label costs in processor time, of every process. */
export const energySuite = async (context: Context): Promise<void> => {
  const plan = context.quick
    ? { rounds: 2, oneByOne: 20, together: 0, pacingMs: 50 }
    : { rounds: 6, oneByOne: 50, together: 0, pacingMs: 100 };
  await withBoth(context, plan, (name, measured) => {
    const entries = [...measured];
    const plain = entries.find(([system]) => system instanceof PlainSystem)?.[1];
    for (const [system, { processorSeconds, latencies }] of entries) {
      const base = {
        suite: 'energy',
        model: name,
        dtype: 'int8',
        engine: system.name,
        unit: 'ms of processor',
      };
      const sum = total(processorSeconds);
      for (const [process, seconds] of processorSeconds)
        context.add({ ...base, figure: process, median: 1000 * seconds, runs: latencies.flat().length });
      context.add({
        ...base,
        figure: 'all processes, for each label',
        median: 1000 * sum,
        runs: latencies.flat().length,
        ...(plain &&
          system instanceof SealedSystem && { ratio_to_best_peer: sum / total(plain.processorSeconds) }),
      });
    }
  });
};

const withBoth = async (
  context: Context,
  plan: EndToEndPlan,
  report: (name: Architecture, measured: ReadonlyMap<System, Measured>) => void,
): Promise<void> => {
  context.note(
    `both: mosquitto ${mosquittoVersion()}, raw 224 × 224 × 3 frames; plain: onnxruntime-node ${installOnnxRuntime()}, one thread, nothing sealed`,
  );
  for (const name of context.architectures.filter((model) => MODELS.includes(model))) {
    const net = await context.net(name);
    const { h, w, c } = net.net.tensors[0] ?? { h: 0, w: 0, c: 0 };
    const sealed = await SealedSystem.start(await sealedModel(net, 'int8', context.target));
    try {
      const plain = await PlainSystem.start(pictureOnnxFile(net), h * w * c);
      try {
        report(name, await measureSystems([sealed, plain], plan));
        const stages = Object.entries(await sealed.stages()).map(
          ([stage, ms]) => `${stage} ${ms.toFixed(2)}`,
        );
        context.note(`${name}: stages of a sealed frame, mean ms: ${stages.join(', ')}`);
      } finally {
        await plain.stop();
      }
    } finally {
      await sealed.stop();
    }
  }
};

const total = (values: ReadonlyMap<string, number>): number =>
  [...values.values()].reduce((a, b) => a + b, 0);

const addFigures = (
  context: Context,
  name: Architecture,
  system: System,
  result: Measured,
  plain: Measured | undefined,
): void => {
  const base = { suite: 'e2e', model: name, dtype: 'int8', engine: system.name };
  const isOurs = system instanceof SealedSystem;
  const ratio = (rounds: (of: Measured) => number[][]): Pick<Figure, 'ratio_to_best_peer'> =>
    isOurs && plain ? { ratio_to_best_peer: ratioOfRounds(rounds(result), rounds(plain)) } : {};
  const latency = summarise(result.latencies.flat());
  const seconds = total(result.processorSeconds);
  context.add({
    ...base,
    figure: 'latency',
    unit: 'ms',
    ...latency,
    ...ratio(({ latencies }) => latencies),
  });
  const rate = median(result.labelsPerSecond);
  context.add({
    ...base,
    figure: 'throughput, 8 frames under way',
    unit: 'labels/s',
    median: rate,
    runs: result.labelsPerSecond.length,
    ...ratio(({ labelsPerSecond }) => labelsPerSecond.map((value) => [value])),
  });
  context.add({
    ...base,
    figure: 'processor time for each label',
    unit: 'ms',
    median: 1000 * seconds,
    ...ratio(({ processorSeconds }) => [[total(processorSeconds)]]),
  });
  for (const [process, bytes] of result.resident)
    if (process !== 'broker')
      context.add({ ...base, figure: `resident memory: ${process}`, unit: 'MiB', median: bytes / 2 ** 20 });
};
