import { tensorBytes, type Network, type Operation, type Tensor } from './network.js';
import type { Bands } from './bands.js';
import { aligned, lowerBound, placeBlocks, type Block } from './placement.js';
import { outermost, shareStorage, type Sharing, type Storage } from './storage.js';

/** Where every computed tensor lies in the one arena. All figures in bytes. */
export interface MemoryPlan {
  readonly offsets: ReadonlyMap<Tensor, number>;
  /** Where the scratch of operators that have one lies. */
  readonly scratch: ReadonlyMap<Operation, number>;
  readonly arena: number;
  /** What is alive at the same time at its highest: the least that any placement of these tensors needs. */
  readonly lowerBound: number;
  /** All tensors one beside the other: what it would cost without a plan. */
  readonly unplanned: number;
  readonly weights: number;
}

/** The largest arena that the format can name with room to spare; a device has far less. */
const MOST_BYTES = 2 ** 31;

const SHARINGS: readonly Sharing[] = [true, false].flatMap((joinConcats) =>
  (['equal', 'always', 'never'] as const).map((depthwiseInPlace) => ({ joinConcats, depthwiseInPlace })),
);

/**
 * Plans the arena: tensors share memory by liveness, operators run in place where the engine allows it, reshapes and
 * fitting concatenations copy nothing.
 * @param keepInput the input is still needed after the last operation (output schema: reconstruction error)
 */
export const planNetwork = (network: Network, keepInput = false): MemoryPlan => {
  const plan = SHARINGS.flatMap((sharing) => {
    const storages = shareStorage(network, keepInput, sharing);
    return [false, ...(network.bands?.overInput ? [true] : [])].map((overInput) =>
      planOnce(network, storages, overInput),
    );
  }).reduce((best, other) => (other.arena < best.arena ? other : best));
  if (plan.arena > MOST_BYTES) throw new RangeError(`the network needs ${plan.arena} bytes for activations`);
  return plan;
};

/** Operations in bands are one. */
const spanOf = (i: number, bands: Bands | undefined): { first: number; last: number } =>
  bands && i < bands.operations ? { first: 0, last: bands.operations - 1 } : { first: i, last: i };

/**
 * Lets what runs in bands write its output over the beginning of the input, which is divided: its head lives on as the output.
 * Both lie at the arena's beginning. Returns the places of the two pieces; none where the input lives on.
 */
const joinInput = (
  { input, operations, bands }: Network,
  storages: ReadonlyMap<Tensor, Storage>,
  blocks: Map<Storage, Block>,
): Map<Block, number> => {
  const from = storages.get(input);
  const output = bands && operations[bands.operations - 1]?.output;
  const to = output && storages.get(output);
  const [whole, written] = [from && blocks.get(from), to && blocks.get(to)];
  if (!from || !to || !whole || !written || whole.last >= (bands?.operations ?? 0)) return new Map();
  const head: Block = { bytes: written.bytes, first: whole.first, last: written.last };
  const end = aligned(head.bytes);
  const pieces = new Map([[head, 0]]);
  if (whole.bytes > end) pieces.set({ ...whole, bytes: whole.bytes - end }, end);
  blocks.set(from, head);
  blocks.set(to, head);
  return pieces;
};

const planOnce = (
  network: Network,
  storages: ReadonlyMap<Tensor, Storage>,
  overInput: boolean,
): MemoryPlan => {
  const blocks = new Map<Storage, { bytes: number; first: number; last: number }>();
  for (const storage of new Set(storages.values())) {
    const { root } = outermost(storage);
    const block = blocks.get(root);
    if (block === undefined) {
      blocks.set(root, {
        bytes: root.bytes,
        first: Math.min(root.first, storage.first),
        last: Math.max(root.last, storage.last),
      });
    } else {
      block.first = Math.min(block.first, storage.first);
      block.last = Math.max(block.last, storage.last);
    }
  }
  const scratchBlocks = new Map<Operation, Block>();
  for (const [i, operation] of network.operations.entries())
    if (operation.scratchBytes !== undefined)
      scratchBlocks.set(operation, { bytes: operation.scratchBytes, ...spanOf(i, network.bands) });
  const pinned = overInput ? joinInput(network, storages, blocks) : new Map<Block, number>();
  const all = [...new Set<Block>([...blocks.values(), ...pinned.keys(), ...scratchBlocks.values()])];
  const bound = lowerBound(all, network.operations.length);
  const { offsets, size } = placeBlocks(all, bound, pinned);
  const tensorOffset = (storage: Storage): number => {
    const { root, offset } = outermost(storage);
    const block = blocks.get(root);
    return offset + ((block && offsets.get(block)) ?? 0);
  };
  const constants = new Set<Tensor>();
  for (const { inputs } of network.operations)
    for (const input of inputs) if (input?.data !== undefined) constants.add(input);
  const sum = (tensors: Iterable<Tensor>): number =>
    [...tensors].reduce((total, tensor) => total + tensorBytes(tensor), 0);
  return {
    offsets: new Map([...storages].map(([tensor, storage]) => [tensor, tensorOffset(storage)])),
    scratch: new Map([...scratchBlocks].map(([operation, block]) => [operation, offsets.get(block) ?? 0])),
    arena: size,
    lowerBound: bound,
    unplanned: sum(storages.keys()),
    weights: sum(constants),
  };
};
