/** A block of memory that is needed from operation `first` to operation `last`, both included. */
export interface Block {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/** Planned offsets are multiples of this: a cache line, so that rows of different tensors never share one. */
const BLOCK_ALIGNMENT = 64;

/** Rounded up to BLOCK_ALIGNMENT. */
export const aligned = (bytes: number): number => Math.ceil(bytes / BLOCK_ALIGNMENT) * BLOCK_ALIGNMENT;

/** The sum of what is alive at the same time, at its highest: no placement can do with less. */
export const lowerBound = (blocks: readonly Block[], operations: number): number => {
  let most = 0;
  for (let i = -1; i <= operations; i++) {
    const alive = blocks.filter((block) => block.first <= i && i <= block.last);
    most = Math.max(
      most,
      alive.reduce((sum, block) => sum + aligned(block.bytes), 0),
    );
  }
  return most;
};

/** Puts blocks down one after another, beside those that have a place, each into the tightest gap between those alive with it. */
const placeInOrder = (order: readonly Block[], pinned: ReadonlyMap<Block, number>): Map<Block, number> => {
  const offsets = new Map(pinned);
  for (const block of order) {
    const size = aligned(block.bytes);
    const neighbours = [...offsets]
      .filter(([other]) => other.first <= block.last && block.first <= other.last)
      .sort(([, a], [, b]) => a - b);
    let end = 0;
    let best: { offset: number; slack: number } | undefined;
    for (const [other, offset] of neighbours) {
      const slack = offset - end - size;
      if (slack >= 0 && (best === undefined || slack < best.slack)) best = { offset: end, slack };
      end = Math.max(end, offset + aligned(other.bytes));
    }
    offsets.set(block, best?.offset ?? end);
  }
  return offsets;
};

const heightOf = (offsets: ReadonlyMap<Block, number>): number =>
  Math.max(0, ...[...offsets].map(([block, offset]) => offset + aligned(block.bytes)));

/** How many orders are tried where the simple ones miss the lower bound. */
const MOST_TRIES = 400;

/**
 * Offsets for blocks such that none that are alive at the same time overlap, with a small total. Placing is NP-hard in
 * general (dynamic storage allocation); the largest first nearly always meets the lower bound for a network. Where it does
 * not, the block at the top is put down earlier, by steps that are always the same for the same input.
 * @param pinned blocks whose place is given
 */
export const placeBlocks = (
  all: readonly Block[],
  bound: number,
  pinned: ReadonlyMap<Block, number> = new Map(),
): { offsets: Map<Block, number>; size: number } => {
  const blocks = all.filter((block) => !pinned.has(block));
  const length = (block: Block): number => block.last - block.first + 1;
  const orders = [
    blocks.toSorted((a, b) => b.bytes - a.bytes || a.first - b.first),
    blocks.toSorted((a, b) => b.bytes * length(b) - a.bytes * length(a)),
    blocks.toSorted((a, b) => a.first - b.first || b.bytes - a.bytes),
    blocks.toSorted((a, b) => length(b) - length(a) || b.bytes - a.bytes),
  ].map((order) => ({ order, offsets: placeInOrder(order, pinned) }));
  let best = orders.reduce((a, b) => (heightOf(b.offsets) < heightOf(a.offsets) ? b : a));
  let current = best;
  let state = 1;
  for (let tries = 0; tries < MOST_TRIES && heightOf(best.offsets) > bound; tries++) {
    const height = heightOf(current.offsets);
    const top = current.order.findIndex(
      (block) => (current.offsets.get(block) ?? 0) + aligned(block.bytes) === height,
    );
    const [block] = current.order.slice(top);
    if (block === undefined) break;
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    const to = Math.floor((state / 2 ** 32) * (top + 1));
    const order = current.order.toSpliced(top, 1).toSpliced(to, 0, block);
    current = { order, offsets: placeInOrder(order, pinned) };
    if (heightOf(current.offsets) < heightOf(best.offsets)) best = current;
    else if (heightOf(current.offsets) > heightOf(best.offsets) * 1.2) current = best;
  }
  return { offsets: best.offsets, size: heightOf(best.offsets) };
};
