import { exclusively, openSqlite, whenFree, type Sqlite, type SqlValue } from './sqlite.js';

/** Rows that go in one step of forgetting. */
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

const INSERT = `
INSERT INTO seen (time, received, device, sensor, number, frame, model, class, class_index, score, x, y, width, height, error)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`;

/** What is to be forgotten. */
export interface Retention {
  /** What was seen before this, milliseconds since 1970. */
  readonly before?: number | undefined;
  /** The oldest, where the file has more bytes than these. */
  readonly bytes?: number | undefined;
}

/**
 * The SQLite file of a history. Everything here waits for the disk, and nothing else runs on its thread meanwhile: `History` keeps it
 * on one of its own. All but `open` throw "database is locked" where another process has the file.
 */
export class HistoryFile {
  private constructor(
    private readonly database: Sqlite,
    private readonly path: string,
  ) {}

  /** @throws CONFIG_INVALID without the optional package; an error where the file is of a later version; SQLite's own */
  static async open(path: string, specifier?: string): Promise<HistoryFile> {
    const database = await openSqlite(path, specifier);
    try {
      await whenFree(() => exclusively(path, () => prepare(database, path)));
      return new HistoryFile(database, path);
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** All of them or none; on the disk when this returns. @param rows values in the order of the table's columns, without the id */
  insert(rows: readonly SqlValue[][]): void {
    exclusively(this.path, () => this.#transaction(() => this.#insert(rows)));
  }

  /** One small step. Returns whether there is more to forget. */
  prune(what: Retention): boolean {
    return exclusively(this.path, () => this.#prune(what));
  }

  close(): void {
    this.database.close();
  }

  #prune({ before, bytes }: Retention): boolean {
    let more = false;
    if (before !== undefined)
      this.#transaction(() => {
        const { changes } = this.database.run(
          'DELETE FROM seen WHERE id IN (SELECT id FROM seen WHERE time < ? ORDER BY time LIMIT ?)',
          [before, PRUNE_ROWS],
        ) as { changes: number };
        more = changes === PRUNE_ROWS;
      });
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

  #insert(rows: readonly SqlValue[][]): void {
    // One statement for each batch: one that has failed cannot be run again.
    const row = this.database.prepare(INSERT);
    try {
      for (const values of rows) row.run(values);
    } finally {
      row.finalize();
    }
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
