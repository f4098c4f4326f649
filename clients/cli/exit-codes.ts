import type { CodeName } from '../../protocol/codes.js';
import { isSmartZoneError, type SmartZoneError } from '../../protocol/errors.js';
import { MissingRuntimeError } from '../publisher/reference/missing-runtime.js';

/** Exit statuses, the same in every release (sysexits.h). */
export const Exit = {
  OK: 0,
  /** The command line is wrong. */
  USAGE: 64,
  /** The input (a message, a picture, a model) is wrong. */
  DATA: 65,
  /** An input file is missing or cannot be read. */
  NO_INPUT: 66,
  /** The broker, the TEE or a runtime that is needed cannot be reached. */
  UNAVAILABLE: 69,
  /** An error in this program. */
  SOFTWARE: 70,
  /** An output file cannot be written. */
  CANNOT_CREATE: 73,
  /** No answer in time, or busy: the same command may succeed later. */
  TEMPORARY: 75,
  /** Refused: not trusted, not enrolled, not the owner, security level too low. */
  NO_PERMISSION: 77,
  /** Configuration or a key file is wrong. */
  CONFIG: 78,
} as const;

/** What the user sees of an error. `fix` says what to do. */
export interface Problem {
  readonly exit: number;
  readonly code: string;
  readonly message: string;
  readonly fix?: string;
}

export class UsageError extends Error {}

export function problemOf(error: unknown): Problem {
  if (isSmartZoneError(error)) {
    const { code, message, fix } = error;
    return { exit: exitOf(error), code, message, fix };
  }
  if (error instanceof MissingRuntimeError)
    return { exit: Exit.UNAVAILABLE, code: 'RUNTIME_MISSING', message: error.message, fix: error.fix };
  if (error instanceof UsageError)
    return { exit: Exit.USAGE, code: 'USAGE', message: error.message, fix: 'see --help' };
  const { code, syscall, path } = error as NodeJS.ErrnoException;
  const message = error instanceof Error ? error.message : String(error);
  if (typeof code === 'string' && typeof syscall === 'string') {
    const writing = syscall === 'mkdir' || syscall === 'rename' || code === 'EROFS' || code === 'ENOSPC';
    const exit = writing
      ? Exit.CANNOT_CREATE
      : code === 'EACCES' || code === 'EPERM'
        ? Exit.NO_PERMISSION
        : Exit.NO_INPUT;
    return { exit, code, message, fix: path === undefined ? 'check the path' : `check ${path}` };
  }
  return {
    exit: Exit.SOFTWARE,
    code: 'SOFTWARE',
    message,
    fix: 'please report this, with SMART_ZONE_TRACE=1 set',
  };
}

const EXIT_OF: Partial<Record<CodeName, number>> = {
  CONFIG_INVALID: Exit.CONFIG,
  KEY_FILE: Exit.CONFIG,
  BROKER_UNREACHABLE: Exit.UNAVAILABLE,
  TEE_UNREACHABLE: Exit.UNAVAILABLE,
  TIMED_OUT: Exit.TEMPORARY,
  BUSY: Exit.TEMPORARY,
  TEE_DIED: Exit.TEMPORARY,
  TEE_TIMEOUT: Exit.TEMPORARY,
  STORAGE_FAILED: Exit.TEMPORARY,
  UNTRUSTED_DEVICE: Exit.NO_PERMISSION,
  LEVEL_TOO_LOW: Exit.NO_PERMISSION,
  EVIDENCE_REJECTED: Exit.NO_PERMISSION,
  INVITATION_INVALID: Exit.NO_PERMISSION,
  NAME_TAKEN: Exit.NO_PERMISSION,
  NOT_CLAIMED: Exit.NO_PERMISSION,
};

/** The ranges of codes.json: 300 to 399 is who may do what; the rest is about what was sent. */
function exitOf({ code, number }: SmartZoneError): number {
  return EXIT_OF[code] ?? (number >= 300 && number < 400 ? Exit.NO_PERMISSION : Exit.DATA);
}
