import { EngineTool } from '../golden.js';
import { ModelImportError } from '../import-error.js';
import { elementCount, type Network, type Quantisation, type Tensor } from '../network.js';
import { simplify } from '../simplify.js';
import { convert, type Corrections } from './convert.js';
import { equalise } from './equalise.js';
import { floatKernel, meanError, quantiseKernel } from './kernels.js';
import { NoiseMeter } from './noise.js';
import { quantisationOfLevels, type RangeMethod } from './ranges.js';
import { compareNetworks, type Comparison } from './compare.js';
import { Statistics, type InputMeans } from './statistics.js';
import { watch } from './watcher.js';

/** Real values of the network's input, NHWC, one frame each. */
export type Frames = Iterable<Float32Array> | AsyncIterable<Float32Array>;

export interface QuantiseOptions {
  /** Frames that calibration does not see: what the report is about. Default: none, and no report of agreement. */
  readonly test?: Frames;
  /** The real values that an element of the input can have, where they are few: the 256 of a picture. */
  readonly levels?: readonly number[];
  /** Runs the networks. Default: EngineTool.find(). */
  readonly engine?: EngineTool;
  readonly progress?: (step: string, done: number, of: number) => void;
}

export interface QuantiseReport {
  readonly calibrationFrames: number;
  /** How many tensors have their range by which method. */
  readonly ranges: Readonly<Record<RangeMethod | 'fixed', number>>;
  /** What was chosen because it gives the least noise at the outputs on the calibration frames. */
  readonly equalised: boolean;
  readonly biasCorrection: 'none' | 'weights';
  /** Every combination that was tried, with the signal-to-noise ratio of the outputs in dB. */
  readonly tried: readonly { readonly what: string; readonly decibels: number }[];
  /** On the test frames. */
  readonly test?: Comparison;
}

export interface Quantised {
  /** int8 at all tensors, simplified; its input takes the same real values. */
  readonly network: Network;
  readonly report: QuantiseReport;
}

/** So many calibration frames decide between the ways to quantise. */
const DECIDING_FRAMES = 24;

interface Candidate {
  readonly what: string;
  readonly float: Network;
  readonly int8: Network;
  readonly methods: Map<Tensor, RangeMethod | 'fixed'>;
  readonly equalised: boolean;
  readonly biasCorrection: QuantiseReport['biasCorrection'];
  readonly decibels: number;
}

/**
 * Makes an int8 network of a float32 one. Weights are symmetric, per output channel; activations asymmetric, their ranges those of
 * the least squared error on the calibration frames; biases make up for the mean error (Nagel et al., 2019, section 4.2), and
 * channels in front of depthwise convolutions are equalised (section 4.1) where that lessens the noise.
 *
 * @param source float32 throughout; not changed
 * @param calibration frames like those that the network will see; some tens are enough
 * @throws ModelImportError where the network is not float32, or there is no frame, or one of another length
 */
export const quantise = async (
  source: Network,
  calibration: Frames,
  options: QuantiseOptions = {},
): Promise<Quantised> => {
  const network = simplify(source);
  requireFloat(network);
  const engine = options.engine ?? EngineTool.find();
  const frames = await collect(network, calibration);
  if (frames.length === 0) throw new ModelImportError('calibration', ['there is no frame to calibrate with']);
  const work = { engine, options, frames };

  const candidates = await candidatesFor(network, false, work);
  const maxima = candidates.maxima;
  const equalised = equalise(network, maxima);
  const all = [...candidates.list];
  if (equalised !== undefined) all.push(...(await candidatesFor(equalised, true, work)).list);
  const best = all.reduce((a, b) => (b.decibels > a.decibels ? b : a));

  const ranges = { extremes: 0, percentile: 0, error: 0, fixed: 0 };
  for (const method of best.methods.values()) ranges[method] += 1;
  const test = options.test === undefined ? [] : await collect(network, options.test);
  return {
    network: best.int8,
    report: {
      calibrationFrames: frames.length,
      ranges,
      equalised: best.equalised,
      biasCorrection: best.biasCorrection,
      tried: all.map(({ what, decibels }) => ({ what, decibels })),
      ...(test.length > 0 && {
        test: await compareNetworks(engine, best.float, best.int8, test, (done) =>
          options.progress?.('comparing with float', done, test.length),
        ),
      }),
    },
  };
};

interface Work {
  readonly engine: EngineTool;
  readonly options: QuantiseOptions;
  readonly frames: readonly Float32Array[];
}

/** Watches the float network, then quantises it without and with corrected biases. */
const candidatesFor = async (
  float: Network,
  equalised: boolean,
  { engine, options, frames }: Work,
): Promise<{ list: Candidate[]; maxima: Map<Tensor, Float32Array> }> => {
  const statistics = new Statistics(float);
  const step = equalised ? 'calibrating the equalised network' : 'calibrating';
  await watch(engine, [float], frames, ([values = []], frame, i) => {
    statistics.add(frame, values);
    options.progress?.(step, i + 1, frames.length);
  });
  const { quantisations, methods } = statistics.quantisations();
  if (options.levels !== undefined)
    for (const [tensor, quantisation] of quantisations)
      if (quantisation === quantisations.get(float.input))
        quantisations.set(tensor, quantisationOfLevels(options.levels));

  const deciding = spread(frames, DECIDING_FRAMES);
  const list: Candidate[] = [];
  let corrections: Corrections = new Map();
  for (const biasCorrection of ['none', 'weights'] as const) {
    const int8 = convert(float, quantisations, corrections);
    const meter = new NoiseMeter(int8);
    await watch(engine, [float, int8], deciding, ([a = [], b = []], _frame, i) => {
      meter.add(a, b);
      options.progress?.(
        `measuring ${equalised ? 'equalised, ' : ''}bias correction: ${biasCorrection}`,
        i + 1,
        deciding.length,
      );
    });
    const decibels = meter.ofOutputs();
    const what = `${equalised ? 'equalised' : 'as it is'}, bias correction: ${biasCorrection}`;
    list.push({ what, float, int8, methods, equalised, biasCorrection, decibels });
    corrections = correctionsFor(float, quantisations, statistics.means);
  }
  return { list, maxima: statistics.maxima() };
};

const correctionsFor = (
  float: Network,
  quantisations: ReadonlyMap<Tensor, Quantisation>,
  means: InputMeans,
): Corrections => {
  const corrections = new Map<Network['operations'][number], Float64Array>();
  for (const [i, operation] of float.operations.entries()) {
    const kernel = floatKernel(operation);
    const [x] = operation.inputs;
    if (kernel === undefined || !x) continue;
    const int8 = quantiseKernel(kernel, quantisations.get(x)?.scale ?? 1);
    corrections.set(operation, meanError(kernel, int8, means.of(i)));
  }
  return corrections;
};

const requireFloat = ({ input, operations }: Network): void => {
  const quantised = [input, ...operations.map(({ output }) => output)].find(({ dtype }) => dtype !== 'f32');
  if (quantised !== undefined)
    throw new ModelImportError('quantise', [
      `${quantised.name} is ${quantised.dtype}: the network has to be float32`,
    ]);
};

const collect = async ({ input }: Network, frames: Frames): Promise<Float32Array[]> => {
  const collected: Float32Array[] = [];
  for await (const frame of frames) {
    if (frame.length !== elementCount(input))
      throw new ModelImportError('calibration', [
        `a frame has ${frame.length} values, the input ${input.dims.join('x')} takes ${elementCount(input)}`,
      ]);
    collected.push(frame);
  }
  return collected;
};

/** At most so many of a list, from all over it. */
const spread = <T>(list: readonly T[], most: number): T[] =>
  list.filter((_, i) => Math.floor((i * most) / list.length) !== Math.floor(((i - 1) * most) / list.length));
