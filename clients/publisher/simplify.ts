import {
  consumersOf,
  sameDims,
  sameQuantisation,
  type Network,
  type Operation,
  type Tensor,
} from './network.js';
import type { OpCode } from './szg1.js';

/** Operators that clamp their own output. */
const CLAMPING: readonly OpCode[] = [
  'CONV_2D',
  'DEPTHWISE_2D',
  'FULLY_CONNECTED',
  'AVERAGE_POOL_2D',
  'MAX_POOL_2D',
  'ADD',
  'MUL',
];

/** Makes every reader of `from` read `to`, which stands in its place from now on. */
const replace = (network: Network, from: Tensor, to: Tensor): void => {
  for (const operation of network.operations)
    operation.inputs = operation.inputs.map((input) => (input === from ? to : input));
  network.outputs = network.outputs.map((output) => (output === from ? to : output));
};

const producersOf = (network: Network): Map<Tensor, Operation> =>
  new Map(network.operations.map((operation) => [operation.output, operation]));

const remove = (network: Network, gone: ReadonlySet<Operation>): void => {
  network.operations = network.operations.filter((operation) => !gone.has(operation));
};

/** Reshapes to the same shape and requantisations to the same quantisation do nothing. */
const dropIdentities = (network: Network): void => {
  const gone = new Set<Operation>();
  for (const operation of network.operations) {
    const { code, inputs, output } = operation;
    const [x] = inputs;
    if (x === null || x === undefined) continue;
    const identity =
      (code === 'RESHAPE' || code === 'QUANTIZE') && sameDims(x, output) && sameQuantisation(x, output);
    // An output may be the input itself only if something is left to run.
    if (!identity || (network.outputs.includes(output) && x === network.input)) continue;
    replace(network, output, x);
    gone.add(operation);
  }
  remove(network, gone);
};

/** A reshape of a reshape is one reshape. */
const mergeReshapes = (network: Network): void => {
  const producers = producersOf(network);
  for (const operation of network.operations) {
    let [x] = operation.inputs;
    if (operation.code !== 'RESHAPE') continue;
    for (let before = x && producers.get(x); before?.code === 'RESHAPE'; before = x && producers.get(x))
      x = before.inputs[0];
    operation.inputs = [x ?? null];
  }
};

/** A ReLU behind an operator that can clamp becomes part of it. int8: only where both have one quantisation. */
const fuseActivations = (network: Network): void => {
  const producers = producersOf(network);
  const consumers = consumersOf(network);
  const gone = new Set<Operation>();
  for (const operation of network.operations) {
    const [x] = operation.inputs;
    if (operation.code !== 'RELU' || x === null || x === undefined) continue;
    const producer = producers.get(x);
    if (producer === undefined || !CLAMPING.includes(producer.code) || producer.activation !== 'NONE')
      continue;
    if (
      consumers.get(x)?.length !== 1 ||
      network.outputs.includes(x) ||
      !sameQuantisation(x, operation.output)
    )
      continue;
    producer.activation = operation.activation;
    producer.output = operation.output;
    producers.set(producer.output, producer);
    gone.add(operation);
  }
  remove(network, gone);
};

/** Zeros put around height and width before a convolution become its own padding, for each convolution that reads them. */
const fusePadding = (network: Network): void => {
  const producers = producersOf(network);
  for (const operation of network.operations) {
    if (operation.code !== 'CONV_2D' && operation.code !== 'DEPTHWISE_2D') continue;
    const [padded] = operation.inputs;
    const pad = padded ? producers.get(padded) : undefined;
    const [x] = pad?.inputs ?? [];
    if (pad?.code !== 'PAD' || !x || x.dims.length !== 4 || (pad.floats[0] ?? 0) !== 0) continue;
    const [n0, top, left, c0, n1, bottom, right, c1] = pad.ints;
    if ([n0, c0, n1, c1].some((amount) => amount !== 0)) continue;
    const [sh = 1, sw = 1, dh = 1, dw = 1, t = 0, l = 0, b = 0, r = 0, last = 1] = operation.ints;
    operation.ints = [
      sh,
      sw,
      dh,
      dw,
      t + (top ?? 0),
      l + (left ?? 0),
      b + (bottom ?? 0),
      r + (right ?? 0),
      last,
    ];
    operation.inputs = [x, ...operation.inputs.slice(1)];
  }
};

/** A float input that is only quantised: the engine writes int8 input itself, from any frame format. */
const quantiseAtInput = (network: Network): void => {
  const readers = consumersOf(network).get(network.input) ?? [];
  const [first] = readers;
  if (readers.length !== 1 || first?.code !== 'QUANTIZE' || network.input.dtype !== 'f32') return;
  if (network.outputs.includes(network.input) || network.outputs.includes(first.output)) return;
  network.input = first.output;
  remove(network, new Set([first]));
};

/** Float outputs that are only dequantised: the head reads int8 as it is. */
const dequantiseAtOutput = (network: Network): void => {
  const producers = producersOf(network);
  const consumers = consumersOf(network);
  for (const output of network.outputs) {
    const last = producers.get(output);
    const [x] = last?.inputs ?? [];
    if (last?.code !== 'DEQUANTIZE' || !x || x === network.input || consumers.has(output)) continue;
    network.outputs = network.outputs.map((tensor) => (tensor === output ? x : tensor));
  }
};

/** Operations that nothing needs, from the end backwards. */
const dropUnused = (network: Network): void => {
  const needed = new Set<Tensor>(network.outputs);
  const kept: Operation[] = [];
  for (const operation of network.operations.toReversed()) {
    if (!needed.has(operation.output)) continue;
    kept.push(operation);
    for (const input of operation.inputs) if (input !== null) needed.add(input);
  }
  network.operations = kept.reverse();
};

/** Takes out what costs time or memory and changes no result. Returns a new network; the given one stays as it is. */
export const simplify = (source: Network): Network => {
  const operations = source.operations.map((operation) => ({ ...operation, inputs: [...operation.inputs] }));
  const network = { ...source, outputs: [...source.outputs], operations };
  quantiseAtInput(network);
  dequantiseAtOutput(network);
  dropIdentities(network);
  mergeReshapes(network);
  fuseActivations(network);
  fusePadding(network);
  dropUnused(network);
  return network;
};
