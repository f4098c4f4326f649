import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Context } from '../context.js';
import { fullPlan, interleave, type Contender } from '../interleave.js';
import { engineModel, onnxFiles, xnnpackFiles, type BenchNet, type Precision } from '../model-files.js';
import { SCRATCH } from '../paths.js';
import { agrees, compare, valuesOf } from '../peers/agreement.js';
import { installOnnxRuntime, onnxRuntimeCommand } from '../peers/onnxruntime-install.js';
import { installXnnpack, xnnpackCommand } from '../peers/xnnpack-install.js';
import { ratioOfRounds, summarise } from '../statistics.js';
import { Worker } from '../worker.js';

export const OURS = 'smart-zone';
const ORT = 'onnxruntime-node';
const XNNPACK = 'xnnpack';

/** This library in process against what people run outside a TEE: same nets, weights and input, one thread, one core. */
export const engineSuite = async (context: Context): Promise<void> => {
  const versions = { [ORT]: installOnnxRuntime(), [XNNPACK]: installXnnpack() };
  context.note(
    `peers: onnxruntime-node ${versions[ORT]}, XNNPACK ${versions[XNNPACK]} (Debian 13); one thread each, pinned to processor ${context.core}`,
  );
  for (const name of context.architectures) {
    const net = await context.net(name);
    for (const precision of context.precisions) await measure(context, net, precision);
  }
};

const measure = async (context: Context, net: BenchNet, precision: Precision): Promise<void> => {
  const commands: [engine: string, command: readonly string[]][] = [
    [OURS, engineModel(net, precision, context.target).command],
    [ORT, onnxRuntimeCommand(onnxFiles(net, precision))],
    [XNNPACK, xnnpackCommand(xnnpackFiles(net, precision))],
  ];
  const contenders: Contender<Worker>[] = [];
  try {
    for (const [engine, command] of commands)
      contenders.push({ engine, worker: await Worker.start(command, context.core) });
    const times = await interleave(contenders, fullPlan(context.quick));
    await checkAgreement(context, net.name, precision, contenders);
    const summaries = new Map([...times].map(([engine, rounds]) => [engine, summarise(rounds.flat())]));
    const medianOf = (engine: string): number => summaries.get(engine)?.median ?? Number.NaN;
    const bestPeer = medianOf(ORT) < medianOf(XNNPACK) ? ORT : XNNPACK;
    const ratio = ratioOfRounds(times.get(OURS) ?? [], times.get(bestPeer) ?? []);
    for (const [engine, summary] of summaries)
      context.add({
        suite: 'engine',
        model: net.name,
        dtype: precision,
        engine,
        unit: 'ms',
        ...summary,
        ...(engine === OURS && { ratio_to_best_peer: ratio }),
      });
  } finally {
    for (const { worker } of contenders) await worker.stop();
  }
};

/**
 * The engines must compute the same, or their times cannot be compared. Without VNNI onnxruntime adds products of u8 and s8 in pairs
 * into 16 bits (VPMADDUBSW), which saturates, as its documentation on quantisation says: there XNNPACK alone must agree.
 */
const checkAgreement = async (
  context: Context,
  name: string,
  precision: Precision,
  contenders: readonly Contender<Worker>[],
): Promise<void> => {
  const outputs = new Map<string, number[]>();
  for (const { engine, worker } of contenders) {
    const path = join(SCRATCH, `output-${engine}`);
    await worker.output(path);
    outputs.set(engine, valuesOf(new Uint8Array(readFileSync(path)), precision, engine === ORT));
  }
  const ours = outputs.get(OURS) ?? [];
  const saturates = (engine: string): boolean => engine === ORT && precision === 'int8' && !hasVnni();
  for (const [engine, theirs] of outputs) {
    if (engine === OURS) continue;
    const agreement = compare(ours, theirs, precision);
    const text = `${name} ${precision}: ${engine} differs by at most ${agreement.difference.toPrecision(2)}`;
    if (!agrees(agreement, precision) && !saturates(engine))
      throw new Error(`${text}${agreement.sameTop1 ? '' : ', and in its best class'}: not the same network`);
    context.note(saturates(engine) ? `${text} (its sums saturate without VNNI)` : text);
  }
};

/** Whether this processor adds four products of int8 at once. */
const hasVnni = (): boolean => /\b(avx512_vnni|avx_vnni)\b/.test(readFileSync('/proc/cpuinfo', 'utf8'));
