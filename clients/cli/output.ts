import { problemOf, type Problem } from './exit-codes.js';

/** Text from messages, without what would move a terminal's cursor or forge a line. */
export function printable(text: string): string {
  // eslint-disable-next-line no-control-regex -- that is what is removed
  return text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g, '\ufffd');
}

/** JSON for people's programs: bytes as hexadecimal, and safe on a terminal. */
export function toJson(value: unknown): string {
  return JSON.stringify(value, (_key, item: unknown) => {
    if (item instanceof Uint8Array) return Buffer.from(item).toString('hex');
    // Buffer's own toJSON runs before this replacer.
    if (isBufferJson(item)) return Buffer.from(item.data).toString('hex');
    return item;
  }).replace(
    /[\u007f-\u009f\u2028\u2029\u202a-\u202e\u2066-\u2069]/g,
    (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}

function isBufferJson(value: unknown): value is { type: 'Buffer'; data: number[] } {
  return (
    typeof value === 'object' &&
    value !== null &&
    (value as { type?: unknown }).type === 'Buffer' &&
    Array.isArray((value as { data?: unknown }).data)
  );
}

/** Where a command writes: results to standard output, everything else to standard error. */
export class Output {
  constructor(
    readonly json: boolean,
    private readonly out: NodeJS.WritableStream = process.stdout,
    private readonly err: NodeJS.WritableStream & { isTTY?: boolean } = process.stderr,
  ) {}

  /** One result: the object with --json, the text without. */
  result(value: object, text: string | readonly string[]): void {
    const lines = this.json ? [toJson(value)] : typeof text === 'string' ? [text] : text;
    this.clearProgress();
    for (const line of lines) this.out.write(`${line}\n`);
  }

  /** For people who watch; nothing with --json. */
  note(text: string): void {
    if (this.json) return;
    this.clearProgress();
    this.err.write(`${text}\n`);
  }

  /** Replaces the last progress line; only on a terminal. */
  progress(text: string): void {
    if (this.json || this.err.isTTY !== true) return;
    this.err.write(`\r\u001b[K${text}`);
    this.inProgress = true;
  }

  /** What happened: what to do. With --json an object on standard error. Returns what it wrote. */
  problem(error: unknown): Problem {
    const problem = problemOf(error);
    this.clearProgress();
    const { code, message, fix, exit } = problem;
    if (this.json) this.err.write(`${toJson({ error: { code, message, fix, exit } })}\n`);
    else
      this.err.write(`smart-zone: ${printable(message)}${fix === undefined ? '' : `: ${printable(fix)}`}\n`);
    if (process.env.SMART_ZONE_TRACE !== undefined && error instanceof Error)
      this.err.write(`${error.stack ?? ''}\n`);
    return problem;
  }

  private inProgress = false;

  private clearProgress(): void {
    if (this.inProgress) this.err.write('\r\u001b[K');
    this.inProgress = false;
  }
}
