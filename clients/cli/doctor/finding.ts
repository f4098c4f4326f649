/** ok; warn: works, but know this; fail: does not work. */
export type Verdict = 'ok' | 'warn' | 'fail';

/** What one check found. */
export interface Finding {
  /** Names what was looked at; several findings may share it. */
  readonly check: string;
  readonly verdict: Verdict;
  readonly detail: string;
  /** What to do about it; never missing where something fails. */
  readonly fix?: string;
}

export const ok = (check: string, detail: string): Finding => ({ check, verdict: 'ok', detail });
export const warn = (check: string, detail: string, fix?: string): Finding => ({
  check,
  verdict: 'warn',
  detail,
  ...(fix === undefined ? {} : { fix }),
});
export const fail = (check: string, detail: string, fix: string): Finding => ({
  check,
  verdict: 'fail',
  detail,
  fix,
});
