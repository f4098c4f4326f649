import { exclusively, openSqliteReadOnly, whenFree, type SqlRow, type SqlValue } from './sqlite.js';

export interface HistoryQuery {
  /** Sensor times, milliseconds since 1970: from `since`, before `until`. */
  readonly since?: number;
  readonly until?: number;
  readonly class?: string;
  readonly sensor?: string;
  readonly device?: string;
  /** Least score. */
  readonly score?: number;
  /** Most rows. */
  readonly limit?: number;
}

/** One detection, or a label that had none: then there is no class. */
export interface HistoryRow {
  readonly time: number;
  readonly received: number;
  readonly device: string;
  readonly sensor: string;
  readonly number: number;
  /** Hexadecimal. */
  readonly frame: string;
  readonly model: string;
  readonly class: string | null;
  readonly score: number | null;
  readonly x: number | null;
  readonly y: number | null;
  readonly width: number | null;
  readonly height: number | null;
  readonly error: number | null;
}

const PAGE = 1000;

/**
 * What a history holds, in the order in which it came. Reads in pages, so that whoever writes is never kept waiting.
 * @throws CONFIG_INVALID without the optional package, or where there is no such file
 */
export async function* readHistory(path: string, query: HistoryQuery = {}): AsyncGenerator<HistoryRow> {
  const database = await openSqliteReadOnly(path);
  const alone = <T>(work: () => T): Promise<T> => whenFree(() => exclusively(path, work));
  try {
    const parts: string[] = [];
    const values: SqlValue[] = [];
    const where = (part: string, value: SqlValue | undefined): void => {
      if (value === undefined) return;
      parts.push(part);
      values.push(value);
    };
    where('time >= ?', query.since);
    where('time < ?', query.until);
    // With this the pages begin where the time does, instead of at the beginning of the file.
    const times = parts.length === 0 ? '' : `WHERE ${parts.join(' AND ')}`;
    const range = (await alone(() =>
      database.get(`SELECT min(id) AS first, max(id) AS last FROM seen ${times}`, [...values]),
    )) as SqlRow;
    if (range.first === null || range.last === undefined) return;
    where('class = ?', query.class);
    where('sensor = ?', query.sensor);
    where('device = ?', query.device);
    where('score >= ?', query.score);
    const filter = parts.map((part) => ` AND ${part}`).join('');
    let after = Number(range.first) - 1;
    let left = query.limit ?? Infinity;
    while (left > 0) {
      const from = after;
      const rows = (await alone(() =>
        database.all(`SELECT * FROM seen WHERE id > ? AND id <= ?${filter} ORDER BY id LIMIT ?`, [
          from,
          range.last as SqlValue,
          ...values,
          Math.min(PAGE, left),
        ]),
      )) as SqlRow[];
      for (const row of rows) yield asRow(row);
      if (rows.length < PAGE) return;
      after = Number(rows.at(-1)?.id);
      left -= rows.length;
    }
  } finally {
    database.close();
  }
}

function asRow({ id: _id, class_index: index, frame, model, ...row }: SqlRow): HistoryRow {
  const hex = (bytes: SqlValue | undefined): string => Buffer.from(bytes as Uint8Array).toString('hex');
  return {
    ...(row as unknown as HistoryRow),
    class: row.class === '' ? `class ${String(index)}` : (row.class as string | null),
    frame: hex(frame),
    model: hex(model),
  };
}

const COLUMNS = [
  'time',
  'device',
  'sensor',
  'class',
  'score',
  'x',
  'y',
  'width',
  'height',
  'error',
  'number',
  'received',
  'frame',
  'model',
] as const satisfies readonly (keyof HistoryRow)[];

export const CSV_HEADER = COLUMNS.join(',');

/** One line of CSV (RFC 4180), times in ISO 8601. */
export function toCsv(row: HistoryRow): string {
  return COLUMNS.map((column) => {
    const value = row[column];
    if (value === null) return '';
    if (column === 'time' || column === 'received') return new Date(value).toISOString();
    return typeof value === 'number' ? String(value) : cell(value);
  }).join(',');
}

/** A spreadsheet would run a text that begins like a formula: class names are strangers' text. */
function cell(text: string): string {
  const safe = (/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('\0', '\ufffd');
  return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}
