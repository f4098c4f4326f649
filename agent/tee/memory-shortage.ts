/** The smallest arena that a plan in bands is likely to reach: below it the model itself is too large for the TA. */
const LEAST_ARENA = 64 * 1024;

/**
 * MODEL_MEMORY in words. The TA streams weights by itself where they do not fit, so what is needed is without them.
 * @param needed bytes, with all weights streamed
 * @param available bytes that there are
 * @param arena bytes of what is needed that the plan of the activations takes; 0: not known
 */
export const memoryShortage = (needed: number, available: number, arena: number): string => {
  const missing = `${kib(needed)} needed even with all weights streamed, ${kib(available)} free: ${kib(needed - available)} missing`;
  const room = available - (needed - arena);
  if (arena > 0 && room >= LEAST_ARENA)
    return `${missing}; fits when packed in patches with an arena of at most ${room} bytes (--arena), now ${arena}`;
  return arena > 0
    ? `${missing}; packing in patches alone does not make it fit: smaller segments, or a larger TA_DATA_SIZE_KIB`
    : missing;
};

const kib = (bytes: number): string => `${Math.ceil(Math.max(bytes, 0) / 1024).toLocaleString('en')} KiB`;
