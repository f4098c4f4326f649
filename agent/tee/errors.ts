import type { CodeName } from '../../protocol/codes.js';
import { SmartZoneError } from '../../protocol/errors.js';

/** Results of the GlobalPlatform TEE Client API (TEE Client API 1.0, section 4.4.2; TARGET_DEAD: Internal Core API). */
export const TEEC = {
  BAD_PARAMETERS: 0xffff0006,
  OUT_OF_MEMORY: 0xffff000c,
  BUSY: 0xffff000d,
  SHORT_BUFFER: 0xffff0010,
  TARGET_DEAD: 0xffff3024,
} as const;

const CODES: ReadonlyMap<number, CodeName> = new Map([
  [TEEC.BAD_PARAMETERS, 'BAD_REQUEST'],
  [TEEC.OUT_OF_MEMORY, 'OUT_OF_MEMORY'],
  [TEEC.BUSY, 'BUSY'],
  [TEEC.SHORT_BUFFER, 'BUFFER_TOO_SMALL'],
]);

/** The error that a failed call to the TEE client library becomes. */
export const teecError = (teec: number | undefined, message: string): SmartZoneError => {
  // Not listed: TARGET_DEAD, and everything after which nobody knows what state the session is in.
  const code = teec === undefined ? undefined : CODES.get(teec);
  return new SmartZoneError(code ?? 'TEE_DIED', message);
};
