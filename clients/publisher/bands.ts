import { elementBytes, sameDims, tensorBytes, type Network, type Operation, type Tensor } from './network.js';
import { planNetwork, type MemoryPlan } from './plan.js';
import type { OpCode } from './szg1.js';

/** A line buffer: `slots` rows of `pitch` bytes each, with the padding that a depthwise reader needs (ta/tinylib/bands.h). */
export interface Lines {
  readonly slots: number;
  readonly pitch: number;
  /** Holds a row only until the next operator has read it: such buffers share one piece of memory. */
  readonly passing: boolean;
}

/** The first operations of a network run together, row by row. */
export interface Bands {
  readonly operations: number;
  readonly lines: ReadonlyMap<Tensor, Lines>;
  /** The last operation's rows may be written over the network's input, from its beginning: those have been read by then. */
  readonly overInput: boolean;
}

/** As in ta/tinylib/bands.h. */
const MOST_OPERATIONS = 32;
const MOST_ROWS = 1024;

/** What the engine computes row by row beside packed convolutions. */
const POINTWISE: readonly OpCode[] = ['LOGISTIC', 'TANH', 'RELU', 'LEAKY_RELU', 'HARD_SWISH'];

const [STRIDE_H, DILATION_H, PAD_TOP, PAD_LEFT, PAD_RIGHT] = [0, 2, 4, 5, 7] as const;

/** Which rows of its input an operation reads for one of its own. */
interface Window {
  readonly stride: number;
  readonly before: number;
  readonly span: number;
}

const windowOf = ({ code, inputs, ints }: Operation): Window => {
  if (code !== 'DEPTHWISE_2D') return { stride: 1, before: 0, span: 1 };
  const height = inputs[1]?.dims[1] ?? 1;
  return {
    stride: ints[STRIDE_H] ?? 1,
    before: ints[PAD_TOP] ?? 0,
    span: (height - 1) * (ints[DILATION_H] ?? 1) + 1,
  };
};

const isPointwiseConvolution = ({ ints }: Operation, w: Tensor): boolean =>
  w.dims[1] === 1 &&
  w.dims[2] === 1 &&
  ints[0] === 1 &&
  ints[1] === 1 &&
  [4, 5, 6, 7].every((pad) => (ints[pad] ?? 0) === 0);

/** Can operation `i` be part of a stage, when those before it are? */
const canJoin = (network: Network, i: number, made: ReadonlySet<Tensor>): boolean => {
  const operation = network.operations[i];
  if (operation === undefined) return false;
  const { code, inputs, output } = operation;
  const [x, w] = inputs;
  if (!x || output.dims.length !== 4 || output.dims[0] !== 1 || (output.dims[1] ?? 0) > MOST_ROWS)
    return false;
  if (made.has(output) || (x.dims[1] ?? 0) > MOST_ROWS) return false;
  if (code === 'CONV_2D') {
    if (w?.layout !== 'panels' || w.dims[0] !== output.dims[3]) return false;
    return made.has(x) ? isPointwiseConvolution(operation, w) && operation.scratchBytes === undefined : true;
  }
  if (!made.has(x)) return false;
  if (code === 'DEPTHWISE_2D') return w?.layout === 'depthwise';
  if (code === 'ADD') return !!w && made.has(w) && sameDims(x, w);
  return POINTWISE.includes(code);
};

/** Is the output of the last operation all that the rest of the network needs of the stage? */
const isClosed = (network: Network, count: number): boolean => {
  const inside = new Set(network.operations.slice(0, count - 1).map(({ output }) => output));
  const later = network.operations.slice(count).flatMap(({ inputs }) => inputs);
  return (
    ![...later, ...network.outputs].some((tensor) => tensor !== null && inside.has(tensor)) &&
    network.operations[count - 1]?.output !== network.operations[count]?.output
  );
};

/** The engine's order with line buffers of any size: calls `step` before every row, says how many rows must be kept. */
const walk = (
  operations: readonly Operation[],
  step: (
    operation: number,
    live: (operation: number) => boolean,
    done: (operation: number) => number,
  ) => void,
): number[] => {
  const producers = new Map(operations.map(({ output }, i) => [output, i]));
  const nodes = operations.map((operation, i) => ({
    window: windowOf(operation),
    inputs: operation.inputs.flatMap((input) => producers.get(input as Tensor) ?? []),
    inputHeight: operation.inputs[0]?.dims[1] ?? 1,
    height: operation.output.dims[1] ?? 1,
    consumers: operations.flatMap(({ inputs }, c) =>
      inputs.includes(operations[i]?.output ?? null) ? [c] : [],
    ),
    done: 0,
    slots: 1,
  }));
  type Node = (typeof nodes)[number];
  const firstNeeded = ({ done, window }: Node): number => done * window.stride - window.before;
  const isReady = (node: Node): boolean => {
    const end = Math.min(firstNeeded(node) + node.window.span, node.inputHeight);
    return node.done < node.height && node.inputs.every((p) => (nodes[p]?.done ?? 0) >= end);
  };
  const waiting = (node: Node): Node[] =>
    node.consumers.flatMap((c) => nodes[c] ?? []).filter((consumer) => consumer.done < consumer.height);
  const isLive = (i: number): boolean => {
    const node = nodes[i];
    return node !== undefined && waiting(node).some((consumer) => firstNeeded(consumer) < node.done);
  };
  for (;;) {
    const i = nodes.findLastIndex(isReady);
    const node = nodes[i];
    if (node === undefined) return nodes.map(({ slots }) => slots);
    step(i, isLive, (at) => nodes[at]?.done ?? 0);
    node.done += 1;
    for (const consumer of waiting(node))
      node.slots = Math.max(node.slots, node.done - firstNeeded(consumer), consumer.window.span);
  }
};

/** The stage of the first `count` operations. */
const stageOf = (network: Network, count: number): Bands => {
  const operations = network.operations.slice(0, count);
  const conflicts = operations.map(() => new Set<number>());
  let overInput = true;
  const slots = walk(operations, (i, isLive, done) => {
    if (i === count - 1) overInput &&= isBehind(network.input, operations, done);
    for (const k of operations.keys())
      if (k !== i && isLive(k)) {
        conflicts[i]?.add(k);
        conflicts[k]?.add(i);
      }
  });
  const passing = new Set<number>();
  const pitches = operations.map(({ output }) => pitchOf(operations, output));
  for (const i of operations.keys()) {
    const isPlain = pitches[i]?.padded === false && i < count - 1;
    if (isPlain && slots[i] === 1 && ![...passing].some((other) => conflicts[i]?.has(other))) passing.add(i);
  }
  const lines = operations
    .slice(0, -1)
    .map(({ output }, i): [Tensor, Lines] => [
      output,
      { slots: slots[i] ?? 1, pitch: pitches[i]?.bytes ?? 0, passing: passing.has(i) },
    ]);
  return { operations: count, lines: new Map(lines), overInput };
};

/** Does the next row of the last operation end before the first row of the input that is still to be read? */
const isBehind = (
  input: Tensor,
  operations: readonly Operation[],
  done: (operation: number) => number,
): boolean => {
  const last = operations.length - 1;
  const rowBytes = (tensor: Tensor | undefined): number =>
    tensor === undefined ? 0 : tensorBytes(tensor) / (tensor.dims[1] ?? 1);
  const end = (done(last) + 1) * rowBytes(operations[last]?.output);
  return operations.every(({ inputs, output, ints }, c) => {
    if (inputs[0] !== input || done(c) === output.dims[1]) return true;
    const first = done(c) * (ints[STRIDE_H] ?? 1) - (ints[PAD_TOP] ?? 0);
    return end <= Math.min(Math.max(first, 0), input.dims[1] ?? 1) * rowBytes(input);
  });
};

const pitchOf = (operations: readonly Operation[], tensor: Tensor): { bytes: number; padded: boolean } => {
  const pixel = (tensor.dims[3] ?? 1) * elementBytes(tensor.dtype);
  const reader = operations.find(({ code, inputs }) => code === 'DEPTHWISE_2D' && inputs[0] === tensor);
  const padding = reader ? (reader.ints[PAD_LEFT] ?? 0) + (reader.ints[PAD_RIGHT] ?? 0) : 0;
  return { bytes: ((tensor.dims[2] ?? 1) + padding) * pixel, padded: padding > 0 };
};

/** Scratch of depthwise convolutions is the line buffer that they read. */
const withBands = (network: Network, bands: Bands): Network => ({
  ...network,
  bands,
  operations: network.operations.map((operation, i) => {
    if (i >= bands.operations || operation.code !== 'DEPTHWISE_2D') return operation;
    const { code, activation, inputs, output, ints, floats, origin } = operation;
    return { code, activation, inputs, output, ints, floats, origin };
  }),
});

/** What a depthwise convolution reads nobody else may: it puts its padding into the slots of rows below the picture. */
const hasOneReader = ({ operations, bands }: Network): boolean =>
  [...(bands?.lines.keys() ?? [])].every((tensor) => {
    const readers = operations.filter(({ inputs }) => inputs.includes(tensor));
    return readers.length <= 1 || readers.every(({ code }) => code !== 'DEPTHWISE_2D');
  });

/**
 * Lets the front of a packed network run in bands, such that its activations need as little memory as can be had. Returns the
 * network as it is where that does not help, or where it already fits.
 * @param budget bytes of arena that are enough; 0 for the least
 */
export const bandNetwork = (
  network: Network,
  budget = 0,
  keepInput = false,
): { network: Network; plan: MemoryPlan } => {
  let best = { network, plan: planNetwork(network, keepInput) };
  const made = new Set<Tensor>();
  for (let i = 0; i < Math.min(MOST_OPERATIONS, network.operations.length); i++) {
    if (best.plan.arena <= budget || !canJoin(network, i, made)) break;
    const output = network.operations[i]?.output;
    if (output) made.add(output);
    if (i === 0 || !isClosed(network, i + 1)) continue;
    const banded = withBands(network, stageOf(network, i + 1));
    if (!hasOneReader(banded)) continue;
    const plan = planNetwork(banded, keepInput);
    if (plan.arena < best.plan.arena) best = { network: banded, plan };
  }
  return best;
};

/** Bytes of a tensor in the arena. */
export const arenaBytes = (tensor: Tensor, bands: Bands | undefined): number => {
  const lines = bands?.lines.get(tensor);
  return lines === undefined ? tensorBytes(tensor) : lines.slots * lines.pitch;
};
