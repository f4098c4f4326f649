/** Syslog severities (RFC 5424, section 6.2.1); journald reads them from a leading <N>, see sd-daemon(3). */
const SEVERITY = { error: 3, warn: 4, info: 6, debug: 7 } as const;
export type LogLevel = keyof typeof SEVERITY;

/** What may be logged beside the message. No payloads, no labels, no scores: counts, sizes, topics, codes, durations. */
export type LogFields = Readonly<Record<string, string | number | boolean | undefined>>;

export interface LogOptions {
  readonly level?: LogLevel;
  /** Prefix lines with the severity, as journald understands it. */
  readonly journal?: boolean;
  readonly write?: (line: string) => void;
  readonly now?: () => number;
}

/** JSON lines on stderr. */
export class Log {
  #level: LogLevel;
  readonly #journal: boolean;
  readonly #write: (line: string) => void;
  readonly #now: () => number;

  constructor({ level = 'info', journal = false, write, now = Date.now }: LogOptions = {}) {
    this.#level = level;
    this.#journal = journal;
    this.#write = write ?? ((line) => process.stderr.write(line));
    this.#now = now;
  }

  /** A log for this process: with severities when stderr goes to the journal. */
  static forProcess(level: LogLevel): Log {
    return new Log({ level, journal: process.env['JOURNAL_STREAM'] !== undefined });
  }

  set level(level: LogLevel) {
    this.#level = level;
  }

  get level(): LogLevel {
    return this.#level;
  }

  error(message: string, fields?: LogFields): void {
    this.#line('error', message, fields);
  }

  warn(message: string, fields?: LogFields): void {
    this.#line('warn', message, fields);
  }

  info(message: string, fields?: LogFields): void {
    this.#line('info', message, fields);
  }

  debug(message: string, fields?: LogFields): void {
    this.#line('debug', message, fields);
  }

  #line(level: LogLevel, message: string, fields: LogFields = {}): void {
    if (SEVERITY[level] > SEVERITY[this.#level]) return;
    const prefix = this.#journal ? `<${SEVERITY[level]}>` : '';
    const time = new Date(this.#now()).toISOString();
    this.#write(`${prefix}${JSON.stringify({ time, level, message, ...fields })}\n`);
  }
}
