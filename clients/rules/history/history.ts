import type { LabelEvent } from '../label-event.js';
import { detectionsOf } from '../rules-event.js';
import { isBusy, openSqlite, whenFree, type Sqlite, type SqlValue } from './sqlite.js';

export interface HistoryOptions {
  /** Days that labels are kept. Default: for ever. */
  readonly days?: number;
  /** Bytes that the file may have; the oldest labels go. Default: no bound. */
  readonly bytes?: number;
  /** Milliseconds that labels wait to be written together. Default 250. */
  readonly interval?: number;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
}

/** Rows that may wait while another process has the file; then the oldest go. */
const MOST_WAITING = 20_000;
/** Rows that go in one transaction: a few milliseconds. */
const BATCH = 500;
const PRUNE_INTERVAL = 10_000;
const PRUNE_ROWS = 1000;

const SCHEMA = `
PRAGMA auto_vacuum = INCREMENTAL;
CREATE TABLE seen (
  id INTEGER PRIMARY KEY,
  time INTEGER NOT NULL,
  received INTEGER NOT NULL,
  device TEXT NOT NULL,
  sensor TEXT NOT NULL,
  number INTEGER NOT NULL,
  frame BLOB NOT NULL,
  model BLOB NOT NULL,
  class TEXT,
  class_index INTEGER,
  score REAL,
  x REAL, y REAL, width REAL, height REAL,
  error REAL
) STRICT;
CREATE INDEX seen_time ON seen (time);
PRAGMA user_version = 1;
`;

/**
 * Labels in an SQLite file: one row for each detection, one without a class for a label that has none. **Not encrypted**: the
 * file has mode 0600, and whoever reads the disk reads it. What is deleted is overwritten.
 */
export class History {
  #waiting: SqlValue[][] = [];
  #lost = 0;
  #closed = false;
  #written = 0;
  readonly #flushing: NodeJS.Timeout;
  readonly #pruning: NodeJS.Timeout;
  #failure: Error | undefined;

  private constructor(
    readonly path: string,
    private readonly database: Sqlite,
    private readonly insert: ReturnType<Sqlite['prepare']>,
    private readonly options: HistoryOptions,
  ) {
    this.#flushing = setInterval(() => this.#repeat(() => this.#flush()), options.interval ?? 250);
    this.#pruning = setInterval(() => this.#repeat(() => this.#prune()), PRUNE_INTERVAL);
    this.#flushing.unref();
    this.#pruning.unref();
  }

  /** @throws CONFIG_INVALID without the optional package, or where the file is of a later version; SQLite's own errors */
  static async open(path: string, options: HistoryOptions = {}): Promise<History> {
    const database = await openSqlite(path);
    try {
      await whenFree(path, () => prepare(database, path));
      const insert = database.prepare(
        `INSERT INTO seen (time, received, device, sensor, number, frame, model, class, class_index, score, x, y, width, height, error)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      );
      return new History(path, database, insert, options);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Rows written, rows that wait, and rows that were lost because the file was not free for too long. */
  get stats(): { readonly written: number; readonly waiting: number; readonly lost: number } {
    return { written: this.#written, waiting: this.#waiting.length, lost: this.#lost };
  }

  /** Kept with the next batch. @throws what the last batch failed with, once */
  write(label: LabelEvent): void {
    const failure = this.#failure;
    this.#failure = undefined;
    if (failure !== undefined) throw failure;
    this.#waiting.push(...rowsOf(label));
    if (this.#waiting.length > MOST_WAITING) this.#lost += this.#waiting.splice(0, BATCH).length;
  }

  /** Writes what waits, forgets what is too old, and closes the file. */
  async close(): Promise<void> {
    clearInterval(this.#flushing);
    clearInterval(this.#pruning);
    this.#closed = true;
    try {
      while (this.#waiting.length > 0) await whenFree(this.path, () => this.#flush());
      while (await whenFree(this.path, () => this.#prune()));
    } finally {
      this.insert.finalize();
      this.database.close();
    }
  }

  /** Goes on as long as there is more to do, and lets others run in between. @param work whether there is more */
  #repeat(work: () => boolean): void {
    if (this.#closed) return;
    try {
      if (work()) setTimeout(() => this.#repeat(work), 5).unref();
    } catch (error) {
      // Another process has the file: the next turn does it.
      if (!isBusy(error)) this.#failure = error as Error;
    }
  }

  #flush(): boolean {
    const rows = this.#waiting.slice(0, BATCH);
    if (rows.length === 0) return false;
    this.#transaction(() => {
      for (const row of rows) this.insert.run(row);
    });
    this.#waiting.splice(0, rows.length);
    this.#written += rows.length;
    return this.#waiting.length >= BATCH;
  }

  /** In small steps: nothing else runs in this process while one does. */
  #prune(): boolean {
    const { days, bytes, clock = Date.now } = this.options;
    let more = false;
    if (days !== undefined) {
      const before = clock() - days * 24 * 3600 * 1000;
      this.#transaction(() => {
        const { changes } = this.database.run(
          'DELETE FROM seen WHERE id IN (SELECT id FROM seen WHERE time < ? ORDER BY time LIMIT ?)',
          [before, PRUNE_ROWS],
        ) as { changes: number };
        more = changes === PRUNE_ROWS;
      });
    }
    if (bytes !== undefined && this.#size() > bytes)
      this.#transaction(() => {
        // In proportion to what is too much, and at least a little.
        const { rows } = this.database.get('SELECT max(id) - min(id) + 1 AS rows FROM seen') as {
          rows: number;
        };
        const share = Math.ceil(rows * (1 - bytes / this.#size())) + 100;
        more = share > PRUNE_ROWS;
        this.database.run('DELETE FROM seen WHERE id IN (SELECT id FROM seen ORDER BY id LIMIT ?)', [
          Math.min(share, PRUNE_ROWS),
        ]);
      });
    this.database.exec('PRAGMA incremental_vacuum(2000)');
    return more;
  }

  /** Bytes that hold labels: free pages are given back step by step. */
  #size(): number {
    const of = (pragma: string): number =>
      Object.values(this.database.get(`PRAGMA ${pragma}`) as Record<string, number>)[0] ?? 0;
    return (of('page_count') - of('freelist_count')) * of('page_size');
  }

  #transaction(work: () => void): void {
    this.database.exec('BEGIN IMMEDIATE');
    try {
      work();
      this.database.exec('COMMIT');
    } catch (error) {
      if (this.database.inTransaction) this.database.exec('ROLLBACK');
      throw error;
    }
  }
}

function prepare(database: Sqlite, path: string): void {
  const { user_version: version } = database.get('PRAGMA user_version') as { user_version: number };
  if (version === 0) database.exec(SCHEMA);
  else if (version !== 1)
    throw new Error(`${path}: a history of version ${version}, made by a later release`);
  // What was deleted is not to be found in the file.
  database.exec('PRAGMA secure_delete = ON; PRAGMA synchronous = NORMAL; PRAGMA cache_size = -4000');
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
