import {
  elementCount,
  sameDims,
  sameQuantisation,
  tensorBytes,
  type Network,
  type Operation,
  type Tensor,
} from './network.js';
import { arenaBytes, type Bands } from './bands.js';
import { ALIGNMENT, type OpCode } from './szg1.js';

/**
 * A piece of the arena that one tensor, or several one after another, live in. A piece inside another (an input of a
 * concatenation that is computed where the concatenation wants it) has a parent.
 */
export interface Storage {
  readonly bytes: number;
  /** Index of the operation that first writes it (-1: the caller, before the first). */
  first: number;
  /** Index of the last operation that uses it (the number of operations: the caller, after the last). */
  last: number;
  readonly tensors: Tensor[];
  parent: Storage | undefined;
  offsetInParent: number;
}

/** What may write its output over its first input (graph.h: "in place"). ADD and MUL: over either of full shape. */
const IN_PLACE: readonly OpCode[] = [
  'ADD',
  'MUL',
  'SOFTMAX',
  'LOGISTIC',
  'TANH',
  'RELU',
  'LEAKY_RELU',
  'PRELU',
  'HARD_SWISH',
  'QUANTIZE',
];

/** Last use of every tensor: an operation's index, or the number of operations for what the caller reads afterwards. */
const lastUses = (network: Network, keepInput: boolean): Map<Tensor, number> => {
  const uses = new Map<Tensor, number>([[network.input, -1]]);
  for (const [i, operation] of network.operations.entries()) {
    uses.set(operation.output, i);
    for (const input of operation.inputs) if (input !== null && input.data === undefined) uses.set(input, i);
  }
  for (const output of network.outputs) uses.set(output, network.operations.length);
  if (keepInput) uses.set(network.input, network.operations.length);
  return uses;
};

const canHold = (x: Tensor, y: Tensor): boolean => x.dtype === y.dtype && tensorBytes(x) === tensorBytes(y);

/** What sharing is a matter of choice: it saves memory here and keeps it occupied there. */
export interface Sharing {
  /** Inputs of concatenations are computed in place: saves the copy, but the result lives longer. */
  readonly joinConcats: boolean;
  /** Depthwise convolutions write over their input: always, where that is not longer than their output, or never. */
  readonly depthwiseInPlace: 'always' | 'equal' | 'never';
}

/** May a packed depthwise convolution write over its input (graph.h)? */
const isDepthwiseInPlace = (operation: Operation, which: Sharing['depthwiseInPlace']): boolean => {
  const { code, inputs, output, ints } = operation;
  const [x, w] = inputs;
  if (which === 'never' || code !== 'DEPTHWISE_2D' || w?.layout !== 'depthwise' || !x) return false;
  const [n = 1, , width = 1] = x.dims;
  const [, , outputWidth = 1] = output.dims;
  const span = ((w.dims[1] ?? 1) - 1) * (ints[2] ?? 1) + 1;
  const fits = tensorBytes(output) <= tensorBytes(x) && outputWidth <= width && (ints[4] ?? 0) < span;
  return n === 1 && fits && (which === 'always' || tensorBytes(output) === tensorBytes(x));
};

/**
 * Decides which tensors share memory, without saying where it is.
 * @param keepInput the input is read after the last operation (reconstruction error)
 */
export const shareStorage = (
  network: Network,
  keepInput: boolean,
  sharing: Sharing,
): Map<Tensor, Storage> => {
  const uses = lastUses(network, keepInput);
  const storages = new Map<Tensor, Storage>();
  const lastUse = (tensor: Tensor): number => uses.get(tensor) ?? -1;
  const create = (
    tensor: Tensor,
    first: number,
    bytes = tensorBytes(tensor),
    last = lastUse(tensor),
  ): void => {
    const storage = { bytes, first, last, tensors: [tensor] };
    storages.set(tensor, { ...storage, parent: undefined, offsetInParent: 0 });
  };
  const join = (tensor: Tensor, storage: Storage): void => {
    storage.tensors.push(tensor);
    storage.last = Math.max(storage.last, lastUse(tensor));
    storages.set(tensor, storage);
  };
  let passing: Storage | undefined;
  /** What operations in bands write lives as long as all of them run. */
  const createInBands = (tensor: Tensor, bands: Bands): void => {
    const bytes = arenaBytes(tensor, bands);
    const last = Math.max(lastUse(tensor), bands.operations - 1);
    if (bands.lines.get(tensor)?.passing !== true) {
      create(tensor, 0, bytes, last);
    } else if (passing === undefined) {
      const longest = Math.max(
        ...[...bands.lines].map(([t, lines]) => (lines.passing ? arenaBytes(t, bands) : 0)),
      );
      create(tensor, 0, longest, last);
      passing = storages.get(tensor);
    } else join(tensor, passing);
  };
  /** Nobody but `x` needs the storage's contents after operation i; and `x` neither, unless it may stay. */
  const isFree = (storage: Storage, i: number, x: Tensor, mayStay: boolean): boolean =>
    storage.tensors.every((tensor) => lastUse(tensor) <= i || (mayStay && tensor === x));

  create(
    network.input,
    -1,
    tensorBytes(network.input),
    Math.max(lastUse(network.input), (network.bands?.operations ?? 0) - 1),
  );
  for (const [i, operation] of network.operations.entries()) {
    const { code, inputs, output } = operation;
    if (storages.has(output)) continue; // a further part of the same convolution
    if (network.bands && i < network.bands.operations) {
      createInBands(output, network.bands);
      continue;
    }
    const candidates =
      code === 'RESHAPE' || IN_PLACE.includes(code)
        ? inputs.slice(0, code === 'ADD' || code === 'MUL' ? 2 : 1)
        : [];
    const [under = null] = inputs;
    const replaced =
      under !== null && isDepthwiseInPlace(operation, sharing.depthwiseInPlace) ? under : undefined;
    const host = [...(replaced ? [replaced] : []), ...candidates].find((x) => {
      const storage = x === null ? undefined : storages.get(x);
      if (x === null || storage === undefined) return false;
      if (x === replaced) return isFree(storage, i, x, false);
      if (!canHold(x, output)) return false;
      if (code !== 'RESHAPE' && !sameDims(x, output)) return false;
      return isFree(storage, i, x, code === 'RESHAPE');
    });
    const storage = host ? storages.get(host) : undefined;
    if (storage === undefined) create(output, i);
    else join(output, storage);
  }
  if (sharing.joinConcats)
    for (const [i, operation] of network.operations.entries()) joinConcat(storages, operation, i);
  return storages;
};

/** Moves the inputs of a concatenation into its output's storage, where all dimensions before the axis are 1. */
const joinConcat = (storages: Map<Tensor, Storage>, operation: Operation, index: number): void => {
  const { code, inputs, output, ints } = operation;
  if (code !== 'CONCAT' || elementCount({ dims: output.dims.slice(0, ints[0] ?? 0) }) !== 1) return;
  const whole = storages.get(output);
  if (whole === undefined) return;
  let offset = 0;
  for (const input of inputs) {
    const piece = input === null ? undefined : storages.get(input);
    if (input === null || piece === undefined) return;
    const others = inputs.filter((other) => other !== null && storages.get(other) === piece);
    const joins =
      piece !== whole &&
      piece.parent === undefined &&
      piece.first >= 0 &&
      piece.last === index &&
      others.length === 1 &&
      offset % ALIGNMENT === 0 &&
      sameQuantisation(input, output);
    if (joins) {
      piece.parent = whole;
      piece.offsetInParent = offset;
    }
    offset += tensorBytes(input);
  }
};

/** Where a storage lies inside the outermost one. */
export const outermost = (storage: Storage): { root: Storage; offset: number } => {
  let root = storage;
  let offset = 0;
  while (root.parent !== undefined) {
    offset += root.offsetInParent;
    root = root.parent;
  }
  return { root, offset };
};
