import { randomBytes } from 'node:crypto';

/** Where random bytes come from. Tests give fixed ones; everything else uses `systemRandomness`. */
export interface Randomness {
  /** `length` fresh, unpredictable bytes, owned by the caller. */
  bytes(length: number): Uint8Array;
}

export const systemRandomness: Randomness = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
};
