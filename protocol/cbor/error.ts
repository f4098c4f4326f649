import type { CodeName } from '../codes.js';
import { SmartZoneError } from '../errors.js';

export type CborErrorCode = Extract<
  CodeName,
  'MALFORMED' | 'TRAILING_BYTES' | 'DUPLICATE_KEY' | 'TRUNCATED' | 'TOO_LONG'
>;

/** Bytes that are not the CBOR which this protocol accepts. `reason` says which rule they break, for tests and logs. */
export class CborError extends SmartZoneError {
  constructor(
    code: CborErrorCode,
    readonly reason: string,
    /** Where in the input, in bytes. */
    readonly offset: number,
  ) {
    super(code, `${reason} at byte ${offset}`);
    this.name = 'CborError';
  }
}
