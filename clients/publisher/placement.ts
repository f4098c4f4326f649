/** A block of memory that is needed from operation `first` to operation `last`, both included. */
export interface Block {
  readonly bytes: number;
  readonly first: number;
  readonly last: number;
}

/** Planned offsets are multiples of this: a cache line, so that rows of different tensors never share one. */
export const BLOCK_ALIGNMENT = 64;

const aligned = (bytes: number): number => Math.ceil(bytes / BLOCK_ALIGNMENT) * BLOCK_ALIGNMENT;

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

/** Puts blocks down one after another, each into the tightest gap between those alive with it. */
const placeInOrder = (order: readonly Block[]): Map<Block, number> => {
  const offsets = new Map<Block, number>();
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

/**
 * Offsets for blocks such that none that are alive at the same time overlap, with a small total. Placing is NP-hard in
 * general (dynamic storage allocation); the largest first nearly always meets the lower bound for a network, and where it
 * does not, other orders are tried and then swaps of neighbours in the best one, always the same for the same input.
 */
export const placeBlocks = (
  blocks: readonly Block[],
  bound: number,
): { offsets: Map<Block, number>; size: number } => {
  const orders = [
    blocks.toSorted((a, b) => b.bytes - a.bytes || a.first - b.first),
    blocks.toSorted((a, b) => b.bytes * (b.last - b.first + 1) - a.bytes * (a.last - a.first + 1)),
    blocks.toSorted((a, b) => a.first - b.first || b.bytes - a.bytes),
    blocks.toSorted((a, b) => b.last - b.first - (a.last - a.first) || b.bytes - a.bytes),
  ];
  let bestOrder: Block[] = [];
  let best = new Map<Block, number>();
  let size = Infinity;
  const consider = (order: Block[]): void => {
    const offsets = placeInOrder(order);
    const height = heightOf(offsets);
    if (height < size) [bestOrder, best, size] = [order, offsets, height];
  };
  for (const order of orders) if (size > bound) consider(order);
  for (let i = 0; i + 1 < blocks.length && i < 400 && size > bound; i++) {
    const swapped = [...bestOrder];
    const [a, b] = [swapped[i], swapped[i + 1]];
    if (a === undefined || b === undefined) break;
    swapped[i] = b;
    swapped[i + 1] = a;
    consider(swapped);
  }
  return { offsets: best, size };
};
