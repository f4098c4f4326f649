import type { EngineTool } from '../golden.js';
import type { Network } from '../network.js';
import { bestOf, NoiseMeter } from './noise.js';
import { watch } from './watcher.js';

export interface LayerNoise {
  /** The operation's origin in the model. */
  readonly layer: string;
  readonly code: string;
  /** Signal-to-noise ratio of its output in dB; `null` where nothing is lost. */
  readonly decibels: number | null;
}

/** An int8 network against the float one that it was made from. */
export interface Comparison {
  readonly frames: number;
  /** How many frames have the same greatest value in the first output. */
  readonly agreeing: number;
  /** Of the outputs, in dB. */
  readonly decibels: number;
  readonly layers: readonly LayerNoise[];
}

/** @param int8 of the same operations as `float`, one for one */
export const compareNetworks = async (
  engine: EngineTool,
  float: Network,
  int8: Network,
  frames: readonly Float32Array[],
  progress?: (done: number) => void,
): Promise<Comparison> => {
  const meter = new NoiseMeter(int8);
  const first = int8.operations.findIndex(({ output }) => output === int8.outputs[0]);
  let agreeing = 0;
  await watch(engine, [float, int8], frames, ([a = [], b = []], _frame, i) => {
    meter.add(a, b);
    if (bestOf(a[first] ?? []) === bestOf(b[first] ?? [])) agreeing += 1;
    progress?.(i + 1);
  });
  const layers = int8.operations.map(({ origin, code }, i): LayerNoise => {
    const decibels = meter.decibels(i);
    return { layer: origin, code, decibels: Number.isFinite(decibels) ? decibels : null };
  });
  return { frames: frames.length, agreeing, decibels: meter.ofOutputs(), layers };
};
