import type { Tensor } from '../network.js';

/** A piece of one dimension that stays together in memory; compared by identity. */
export interface Atom {
  readonly size: number;
}

/**
 * A tensor of the engine, seen as a tensor of the model. Its dimensions consist of atoms, and the atoms lie in memory in an order of
 * their own: NCHW in the model is NHWC in memory. Transposing and reshaping only change how it is seen; nothing is moved until an
 * operator needs another order in memory (`moves`). Dimensions of size 1 have no atoms.
 */
export interface View {
  readonly tensor: Tensor;
  /** All atoms, outermost first. */
  readonly memory: readonly Atom[];
  /** The model's dimensions, each outermost atom first. */
  readonly axes: readonly (readonly Atom[])[];
}

const product = (atoms: readonly Atom[]): number => atoms.reduce((size, atom) => size * atom.size, 1);

export const dimsOf = ({ axes }: View): number[] => axes.map(product);

const single = (size: number): Atom[] => (size === 1 ? [] : [{ size }]);

/** @param order in memory: dimension order[i] of the model is dimension i of the tensor */
export const viewOf = (tensor: Tensor, dims: readonly number[], order: readonly number[]): View => {
  const axes = dims.map(single);
  return { tensor, axes, memory: order.flatMap((axis) => axes[axis] ?? []) };
};

/** The same atoms in another tensor: of another type, or rescaled. */
export const withTensor = (view: View, tensor: Tensor): View => ({ ...view, tensor });

/** Dimension i of the result is dimension order[i]. */
export const transposeView = (view: View, order: readonly number[]): View => ({
  ...view,
  axes: order.map((axis) => view.axes[axis] ?? []),
});

const replaceAtom = (list: readonly Atom[], from: Atom, to: readonly Atom[]): Atom[] =>
  list.flatMap((atom) => (atom === from ? to : [atom]));

/** The same values with other dimensions, or undefined where a dimension of the result cuts an atom unevenly. */
export const reshapeView = (view: View, dims: readonly number[]): View | undefined => {
  let memory = view.memory;
  let rest: Atom[] = view.axes.flat();
  const axes: Atom[][] = [];
  for (const dim of dims) {
    const axis: Atom[] = [];
    let needed = dim;
    while (needed > 1) {
      const [atom] = rest;
      if (atom === undefined) return undefined;
      if (needed % atom.size === 0) {
        axis.push(atom);
        rest = rest.slice(1);
        needed /= atom.size;
      } else if (atom.size % needed === 0) {
        const parts = [{ size: needed }, { size: atom.size / needed }];
        memory = replaceAtom(memory, atom, parts);
        rest = replaceAtom(rest, atom, parts);
      } else {
        return undefined;
      }
    }
    axes.push(axis);
  }
  return rest.length > 0 ? undefined : { tensor: view.tensor, memory, axes };
};

const sameAtoms = (a: readonly Atom[], b: readonly Atom[]): boolean =>
  a.length === b.length && a.every((atom, i) => atom === b[i]);

/** The atoms in the order in which they would lie with these dimensions one inside the other. */
export const atomsIn = ({ axes }: View, order: readonly number[]): Atom[] =>
  order.flatMap((axis) => [...(axes[axis] ?? [])]);

/**
 * In which order the model's dimensions lie in memory, where each is in one piece. `preferred` is taken if it says the truth;
 * otherwise dimensions of size 1 come first.
 */
export const orderOf = (view: View, preferred: readonly number[]): number[] | undefined => {
  if (sameAtoms(view.memory, atomsIn(view, preferred))) return [...preferred];
  const order: number[] = view.axes.flatMap((atoms, axis) => (atoms.length === 0 ? [axis] : []));
  let at = 0;
  while (at < view.memory.length) {
    const axis = view.axes.findIndex(([first]) => first === view.memory[at]);
    const atoms = view.axes[axis];
    if (atoms === undefined || !sameAtoms(atoms, view.memory.slice(at, at + atoms.length))) return undefined;
    order.push(axis);
    at += atoms.length;
  }
  return order;
};

/** One transposition of at most four dimensions. */
export interface Move {
  readonly dims: readonly number[];
  /** Dimension i of the result is dimension order[i]. */
  readonly order: readonly number[];
}

/** Neighbours that stay neighbours are one. */
const runsOf = (memory: readonly Atom[], wanted: readonly Atom[]): Atom[][] => {
  const place = new Map(wanted.map((atom, i) => [atom, i]));
  const runs: Atom[][] = [];
  for (const atom of memory) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    if (run !== undefined && last !== undefined && place.get(atom) === (place.get(last) ?? 0) + 1)
      run.push(atom);
    else runs.push([atom]);
  }
  return runs;
};

const MOST_AT_ONCE = 4;

/** The transpositions that bring the atoms into another order: none, one, or some for more than four pieces. */
export const moves = (memory: readonly Atom[], wanted: readonly Atom[]): Move[] => {
  const runs = runsOf(memory, wanted);
  const place = new Map(wanted.map((atom, i) => [atom, i]));
  const rank = (run: readonly Atom[]): number => (run[0] === undefined ? 0 : (place.get(run[0]) ?? 0));
  if (runs.length <= 1) return [];
  const sorted = runs.toSorted((a, b) => rank(a) - rank(b));
  if (runs.length <= MOST_AT_ONCE)
    return [{ dims: runs.map(product), order: sorted.map((run) => runs.indexOf(run)) }];
  // The first piece that is not where it belongs changes places with what stands before it.
  const at = sorted.findIndex((run, i) => run !== runs[i]);
  const wantedRun = sorted[at] ?? [];
  const from = runs.indexOf(wantedRun);
  const blocks = [runs.slice(0, at), runs.slice(at, from), [wantedRun], runs.slice(from + 1)];
  const first: Move = { dims: blocks.map((block) => product(block.flat())), order: [0, 2, 1, 3] };
  const [before = [], passed = [], moved = [], behind = []] = blocks;
  return [first, ...moves([...before, ...moved, ...passed, ...behind].flat(), wanted)];
};
