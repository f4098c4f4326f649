import type { Precision } from '../model-files.js';

/** How far two engines' outputs of the same net and input are apart. */
export interface Agreement {
  /** int8: units of the last place; float32: relative to the largest value. */
  readonly difference: number;
  readonly sameTop1: boolean;
}

/** One unit of difference in an early layer can grow: networks of random weights have no margins. */
const MOST = { int8: 2, float32: 1e-3 } as const;

export const valuesOf = (bytes: Uint8Array, precision: Precision, unsigned: boolean): number[] => {
  if (precision === 'int8')
    return [...(unsigned ? bytes : new Int8Array(bytes))].map((v) => v - (unsigned ? 128 : 0));
  return [...new Float32Array(bytes.slice().buffer)];
};

export const compare = (
  ours: readonly number[],
  theirs: readonly number[],
  precision: Precision,
): Agreement => {
  if (ours.length !== theirs.length || ours.length === 0)
    throw new Error(`outputs of ${ours.length} and ${theirs.length} values`);
  const most = Math.max(...ours.map((value, i) => Math.abs(value - (theirs[i] ?? 0))));
  const largest = Math.max(...ours.map(Math.abs));
  const best = ours.indexOf(Math.max(...ours));
  const difference = precision === 'int8' ? most : most / largest;
  // Equal values have no order: the class that we think best must be among the other's best.
  const sameTop1 = (theirs[best] ?? 0) >= Math.max(...theirs) - (precision === 'int8' ? 0 : largest * 1e-6);
  return { difference, sameTop1 };
};

export const agrees = ({ difference, sameTop1 }: Agreement, precision: Precision): boolean =>
  difference <= MOST[precision] && sameTop1;
