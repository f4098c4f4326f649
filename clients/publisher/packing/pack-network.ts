import type { Network, Operation, Tensor } from '../network.js';
import type { Target } from '../szg1.js';
import { withFirstChannel } from './first-channel.js';
import { NEON_DOT_PACKING, NEON_PACKING } from './neon.js';
import { plainWeightsOf } from './plain-weights.js';
import { splitPlain } from './split-plain.js';
import {
  blockBytes,
  depthOf,
  packBlocks,
  roundUp,
  type Packing,
  type PlainWeights,
  type TargetPacking,
} from './target.js';
import { X86_PACKING } from './x86.js';

const PACKINGS: Record<Exclude<Target, 'ref'>, TargetPacking> = {
  neon: NEON_PACKING,
  'neon-dot': NEON_DOT_PACKING,
  x86: X86_PACKING,
};

export interface PackingOptions {
  readonly target: Target;
  /** Longest weight tensor: longer ones become several operators. */
  readonly mostBytes: number;
  /** Aimed-at size of the buffer in which a convolution lays its inputs side by side. Default 48 KiB. */
  readonly gatherBytes?: number;
}

const GATHER_BYTES = 48 * 1024;
/** Most rows that are gathered at once (ta/tinylib/panels.c). */
const MOST_ROWS = 256;

/** The network with its weights in the order in which a target's kernels read them. The given one is left as it is. */
export const packNetwork = (network: Network, options: PackingOptions): Network => {
  const packing = options.target === 'ref' ? undefined : PACKINGS[options.target];
  const operations = network.operations.flatMap((operation) => {
    const packed = packing && packOperation(operation, packing, options);
    return packed ?? splitPlain(operation, options.mostBytes);
  });
  return { ...network, operations };
};

const packOperation = (
  operation: Operation,
  target: TargetPacking,
  options: PackingOptions,
): Operation[] | undefined => {
  const [x, w] = operation.inputs;
  const dtype = w?.dtype;
  if (!x || !w || (dtype !== 'f32' && dtype !== 'i8')) return undefined;
  const packing = target[dtype];
  const weights = plainWeightsOf(operation, packing.inputOffset);
  if (weights === undefined) return undefined;
  const outputs = weights.kind === 'panels' ? weights.dims[0] : weights.dims[3];
  const step = channelsPerPart(packing, weights, outputs, options.mostBytes);
  if (step === undefined) return undefined;
  const scratchBytes =
    weights.kind === 'panels'
      ? Math.max(
          gatherBytes(operation, x, weights, packing, options.gatherBytes ?? GATHER_BYTES),
          options.gatherBytes === undefined ? fasterWithBytes(operation, x, weights, packing, step) : 0,
        )
      : ringBytes(operation, x, weights);
  const parts: Operation[] = [];
  for (let first = 0; first < outputs; first += step) {
    const end = Math.min(outputs, first + step);
    const dims = w.dims.length === 2 ? [end - first, weights.dims[3]] : [...weights.dims];
    if (weights.kind === 'panels') dims[0] = end - first;
    const packed: Tensor = {
      name: first === 0 && end === outputs ? w.name : `${w.name} [${first}..${end - 1}]`,
      dtype,
      dims,
      ...(w.quantisation && { quantisation: w.quantisation }),
      layout: weights.kind,
      data: packBlocks(packing, weights, first, end),
    };
    parts.push({
      ...operation,
      inputs: [x, packed],
      ints: withFirstChannel(operation.ints, first),
      ...(scratchBytes > 0 && { scratchBytes }),
    });
  }
  return parts;
};

/** Whole panels such that a part is no longer than a segment; undefined where not even one panel fits. */
const channelsPerPart = (
  packing: Packing,
  weights: PlainWeights,
  outputs: number,
  mostBytes: number,
): number | undefined => {
  const each = blockBytes(packing, weights);
  if (weights.kind === 'depthwise')
    return Math.ceil(outputs / packing.channels) * each <= mostBytes ? outputs : undefined;
  const panels = Math.floor(mostBytes / each);
  if (panels < 1) return undefined;
  const count = Math.ceil(outputs / packing.columns);
  const parts = Math.ceil(count / panels);
  return Math.ceil(count / parts) * packing.columns;
};

const [STRIDE_H, STRIDE_W, DILATION_H, DILATION_W, PAD_TOP, PAD_LEFT, PAD_BOTTOM, PAD_RIGHT] = [
  0, 1, 2, 3, 4, 5, 6, 7,
] as const;

/** As sz_is_panels_direct() in ta/tinylib/panels.c. */
const isDirect = ({ code, ints }: Operation, x: Tensor, weights: PlainWeights, packing: Packing): boolean => {
  if (depthOf(weights) % packing.depthStep !== 0) return false;
  if (code === 'FULLY_CONNECTED') return true;
  const at = (i: number): number => ints[i] ?? 0;
  const [, h, w] = weights.dims;
  const padded = [PAD_TOP, PAD_LEFT, PAD_BOTTOM, PAD_RIGHT].some((i) => at(i) !== 0);
  const oneTap = h === 1 && w === 1 && at(STRIDE_H) === 1 && at(STRIDE_W) === 1;
  const whole = h === x.dims[1] && w === x.dims[2] && at(DILATION_H) === 1 && at(DILATION_W) === 1;
  return !padded && (oneTap || whole);
};

/** Room for the inputs of some rows, side by side; 0 where they already lie so. */
const gatherBytes = (
  operation: Operation,
  x: Tensor,
  weights: PlainWeights,
  packing: Packing,
  aim: number,
): number => {
  if (isDirect(operation, x, weights, packing)) return 0;
  const row = roundUp(depthOf(weights), packing.depthStep) * (weights.dtype === 'i8' ? 1 : 4);
  const { output } = operation;
  const channels = output.dims.at(-1) ?? 1;
  const rows = output.dims.reduce((a, b) => a * b, 1) / channels;
  const most = Math.min(MOST_ROWS, roundUp(rows, packing.rows));
  const wanted = Math.floor(Math.min(aim / row, most) / packing.rows) * packing.rows;
  return Math.max(wanted, packing.rows) * row;
};

/** Room for the target's faster way, if it has one for this convolution, or the part of it with the first `outputs` channels. */
const fasterWithBytes = (
  operation: Operation,
  x: Tensor,
  weights: PlainWeights,
  packing: Packing,
  outputs: number,
): number => {
  const [count, ...window] = weights.dims;
  const dims = [Math.min(count, outputs), ...window];
  return packing.fasterWithBytes?.(operation, x, { name: 'w', dtype: weights.dtype, dims }) ?? 0;
};

/** The rows that a depthwise window is over, with their padding, and a row of padding (ta/tinylib/depthwise_rows.c). */
const ringBytes = ({ ints }: Operation, x: Tensor, weights: PlainWeights): number => {
  const [, h] = weights.dims;
  const span = (h - 1) * (ints[DILATION_H] ?? 1) + 1;
  const pixels = (x.dims[2] ?? 1) + (ints[PAD_LEFT] ?? 0) + (ints[PAD_RIGHT] ?? 0);
  return (span + 1) * pixels * weights.dims[3] * (weights.dtype === 'i8' ? 1 : 4);
};
