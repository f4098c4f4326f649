import type { LabelEvent } from '../label-event.js';
import { detectionsOf } from '../rules-event.js';
import { HistoryThread } from './history-thread.js';
import { isBusy, whenFree, type SqlValue } from './sqlite.js';

export interface HistoryOptions {
  /** Days that labels are kept. Default: for ever. */
  readonly days?: number;
  /** Bytes that the file may have; the oldest labels go. Default: no bound. */
  readonly bytes?: number;
  /** Milliseconds that labels wait to be written together. Default 250. */
  readonly interval?: number;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
  /** @internal the optional package; tests give one that there is not */
  readonly sqlite?: string;
}

/** Rows that may wait while another process has the file; then the oldest go. */
const MOST_WAITING = 20_000;
/** Rows that go in one transaction. */
const BATCH = 500;
const PRUNE_INTERVAL = 10_000;

/**
 * Labels in an SQLite file: one row for each detection, one without a class for a label that has none. **Not encrypted**: the
 * file has mode 0600, and whoever reads the disk reads it. What is deleted is overwritten. Another thread writes it.
 */
export class History {
  #waiting: SqlValue[][] = [];
  /** With the other thread, not known to be on the disk. */
  #sent: SqlValue[][] = [];
  #lost = 0;
  #written = 0;
  #flushing: Promise<void> | undefined;
  #pruning: Promise<void> | undefined;
  readonly #timers: NodeJS.Timeout[];
  #failure: Error | undefined;

  private constructor(
    readonly path: string,
    private readonly thread: HistoryThread,
    private readonly options: HistoryOptions,
  ) {
    const flush = (): void => {
      this.#flushing ??= this.#flush().finally(() => (this.#flushing = undefined));
    };
    const prune = (): void => {
      this.#pruning ??= this.#prune().finally(() => (this.#pruning = undefined));
    };
    this.#timers = [
      setInterval(flush, options.interval ?? 250).unref(),
      setInterval(prune, PRUNE_INTERVAL).unref(),
    ];
  }

  /** @throws CONFIG_INVALID without the optional package; an error where the file is of a later version; SQLite's own */
  static async open(path: string, options: HistoryOptions = {}): Promise<History> {
    return new History(path, await HistoryThread.open(path, options.sqlite), options);
  }

  /** Rows written, rows that wait, and rows that were lost because the file was not free for too long. */
  get stats(): { readonly written: number; readonly waiting: number; readonly lost: number } {
    return { written: this.#written, waiting: this.#waiting.length + this.#sent.length, lost: this.#lost };
  }

  /** Kept with the next batch; does not wait for the disk. @throws what the last batch failed with, once */
  write(label: LabelEvent): void {
    this.#waiting.push(...rowsOf(label));
    if (this.#waiting.length > MOST_WAITING) this.#lost += this.#waiting.splice(0, BATCH).length;
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
  }

  /** Writes what waits, forgets what is too old, and closes the file. */
  async close(): Promise<void> {
    for (const timer of this.#timers) clearInterval(timer);
    try {
      await Promise.all([this.#flushing, this.#pruning]);
      while (this.#waiting.length > 0) await whenFree(() => this.#writeBatch());
      while (await whenFree(() => this.#pruneStep()));
    } finally {
      await this.thread.close();
    }
  }

  async #flush(): Promise<void> {
    try {
      while (this.#waiting.length > 0) await this.#writeBatch();
    } catch (error) {
      this.#failed(error);
    }
  }

  async #prune(): Promise<void> {
    try {
      while (await this.#pruneStep());
    } catch (error) {
      this.#failed(error);
    }
  }

  #failed(error: unknown): void {
    // Another process has the file: the next turn does it.
    if (!isBusy(error)) this.#failure = error as Error;
  }

  async #writeBatch(): Promise<void> {
    const rows = (this.#sent = this.#waiting.splice(0, BATCH));
    try {
      await this.thread.insert(rows);
      this.#written += rows.length;
    } catch (error) {
      this.#waiting.unshift(...rows);
      throw error;
    } finally {
      this.#sent = [];
    }
  }

  #pruneStep(): Promise<boolean> {
    const { days, bytes, clock = Date.now } = this.options;
    const before = days === undefined ? undefined : clock() - days * 24 * 3600 * 1000;
    return this.thread.prune({ before, bytes });
  }
}

function rowsOf(label: LabelEvent): SqlValue[][] {
  const { sensorTime, received, device, sensor, number, frameId, model, results } = label;
  const common = [
    Math.round(sensorTime),
    Math.round(received),
    device.name,
    sensor.name,
    number,
    Uint8Array.from(frameId),
    Uint8Array.from(model),
  ];
  const found = detectionsOf(label);
  if (found.length === 0) {
    const error = results.kind === 'reconstruction' ? results.error : null;
    return [[...common, null, null, null, null, null, null, null, error]];
  }
  return found.map(({ class: name, index, score, box }) => [
    ...common,
    name,
    index,
    score,
    box?.x ?? null,
    box?.y ?? null,
    box?.width ?? null,
    box?.height ?? null,
    null,
  ]);
}
