import type { Summary } from './statistics.js';

/** One figure: a line of `--json`, a row of the table. */
export interface Figure extends Partial<Summary> {
  readonly suite: string;
  readonly model: string;
  readonly dtype: string;
  readonly engine: string;
  /** What was measured, where a suite has several things. */
  readonly figure?: string;
  readonly unit: string;
  readonly median: number;
  /** This library's figure divided by the best peer's of the same run. */
  readonly ratio_to_best_peer?: number;
  /** A figure divided by another of the same run; the suite says by which. */
  readonly ratio?: number;
}

const COLUMNS = ['model', 'dtype', 'engine', 'figure', 'median', 'min', 'runs', 'unit', 'ratio'] as const;
const NUMERIC = new Set<string>(['median', 'min', 'runs', 'ratio']);

const number = (value: number | undefined): string => {
  if (value === undefined) return '';
  if (Number.isInteger(value)) return String(value);
  return value.toFixed(Math.abs(value) < 1 ? 3 : Math.abs(value) < 100 ? 2 : 1);
};

const ratioOf = ({ ratio_to_best_peer, ratio = ratio_to_best_peer }: Figure): string =>
  ratio === undefined ? '' : `${ratio.toFixed(2)} ×`;

/** Rows of one suite, in columns. */
export const table = (figures: readonly Figure[]): string => {
  const rows = figures.map((figure) => [
    figure.model,
    figure.dtype,
    figure.engine,
    figure.figure ?? '',
    number(figure.median),
    number(figure.min),
    number(figure.runs),
    figure.unit,
    ratioOf(figure),
  ]);
  const used = COLUMNS.map((_, i) => rows.some((row) => row[i] !== ''));
  const lines = [[...COLUMNS] as string[], ...rows].map((row) => row.filter((_, i) => used[i]));
  const columns = COLUMNS.filter((_, i) => used[i]);
  const widths = columns.map((_, i) => Math.max(...lines.map((line) => (line[i] ?? '').length)));
  return lines
    .map((line) =>
      line
        .map((cell, i) =>
          NUMERIC.has(columns[i] ?? '') ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
};
