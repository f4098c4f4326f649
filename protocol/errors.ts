/**
 * The one error class. Codes and their texts come from protocol/codes.json, which the TA shares: an error that
 * the TA returned and one that a client raised read the same and are told apart by `code` alone.
 */
import { Code, CODE_TEXT, type CodeName } from './codes.js';

const NAME_BY_NUMBER: ReadonlyMap<number, CodeName> = new Map(
  (Object.keys(CODE_TEXT) as CodeName[]).map((name) => [Code[name], name]),
);

export class SmartZoneError extends Error {
  readonly code: CodeName;
  /** The number that the TA and the wire use for `code`. */
  readonly number: number;
  /** What to do about it, in a few words. */
  readonly fix: string;
  readonly detail: string | undefined;

  /** @param detail on what it happened: a file, a topic, a field; never key material or plaintext. */
  constructor(code: CodeName, detail?: string, options?: { cause?: unknown }) {
    super(`${CODE_TEXT[code].text}${detail === undefined ? '' : ` (${detail})`}`, options);
    this.name = 'SmartZoneError';
    this.code = code;
    this.number = Code[code];
    this.fix = CODE_TEXT[code].fix;
    this.detail = detail;
  }

  /** From a number that the TA returned. A number this release does not know becomes BAD_REQUEST. */
  static fromNumber(number: number, detail?: string): SmartZoneError {
    const name = NAME_BY_NUMBER.get(number);
    if (name !== undefined) return new SmartZoneError(name, detail);
    return new SmartZoneError(
      'BAD_REQUEST',
      `unknown code ${number}${detail === undefined ? '' : `, ${detail}`}`,
    );
  }
}

/** True for an error of this project, and, where codes are given, for one of those codes. */
export function isSmartZoneError(error: unknown, ...codes: readonly CodeName[]): error is SmartZoneError {
  return error instanceof SmartZoneError && (codes.length === 0 || codes.includes(error.code));
}

/** Whether a text, from a message of somebody else's, is the name of a code. */
export const isCodeName = (text: string): text is CodeName => Object.hasOwn(CODE_TEXT, text);

/** The name of a code that the TA returned, if this release knows it. */
export function codeName(number: number): CodeName | undefined {
  return NAME_BY_NUMBER.get(number);
}
