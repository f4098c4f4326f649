const FIRST_CHANNEL = 9;

/** A convolution's parameters with the first output channel that it computes (graph.h: ints 9). */
export const withFirstChannel = (ints: readonly number[], first: number): number[] => {
  if (first === 0) return [...ints];
  const all = Array.from({ length: FIRST_CHANNEL }, (_, i) => ints[i] ?? 0);
  return [...all, first];
};
