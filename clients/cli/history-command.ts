import { join } from 'node:path';
import type { Command } from 'commander';
import { CSV_HEADER, History, readHistory, toCsv } from '../rules/index.js';
import { Environment, numberOption, type GlobalOptions } from './environment.js';
import { UsageError } from './exit-codes.js';
import { printable, type Output } from './output.js';

/** Options of commands that keep a history. */
export interface HistoryFlags {
  readonly history?: string | true;
  readonly keepDays?: number;
  readonly keepSize?: number;
}

const defaultFile = (home: string): string => join(home, 'rules.history.db');

export function withHistory(command: Command): Command {
  return command
    .option(
      '--history [file]',
      'keep the labels, readable and not encrypted, for `rules history` (default: rules.history.db in the home folder)',
    )
    .option(
      '--keep-days <days>',
      'how long the history goes back',
      numberOption('--keep-days', 0.001, 36_500),
    )
    .option('--keep-size <MiB>', 'how large it gets', numberOption('--keep-size', 1, 1e6));
}

export async function openHistory(
  { history, keepDays, keepSize }: HistoryFlags,
  { home, output }: { readonly home: string; readonly output: Output },
): Promise<History | undefined> {
  if (history === undefined) return undefined;
  const file = history === true ? defaultFile(home) : history;
  output.note(`${file} is not encrypted: whoever can read the disk can read what was seen`);
  return History.open(file, {
    ...(keepDays === undefined ? {} : { days: keepDays }),
    ...(keepSize === undefined ? {} : { bytes: keepSize * 1024 * 1024 }),
  });
}

interface QueryFlags extends GlobalOptions {
  readonly file?: string;
  readonly since?: string;
  readonly until?: string;
  readonly class?: string;
  readonly sensor?: string;
  readonly device?: string;
  readonly score?: number;
  readonly limit?: number;
  readonly csv?: boolean;
}

export function addHistoryCommand(rules: Command): void {
  const command = rules.command('history');
  command
    .description('what was seen, from the file that --history keeps')
    .option('--file <file>', 'the history (default: rules.history.db in the home folder)')
    .option('--since <time>', 'from then on: a date and time (ISO 8601), or how long ago, as 90m, 12h, 7d')
    .option('--until <time>', 'before then')
    .option('--class <name>', 'only this class')
    .option('--sensor <name>', 'only this sensor')
    .option('--device <name>', 'only this device')
    .option('--score <least>', 'only with this score or a better one', numberOption('--score', 0, 1))
    .option('--limit <rows>', 'at most so many', numberOption('--limit', 1, 1e9))
    .option('--csv', 'comma-separated, with a line of headings')
    .addHelpText('after', '\nExample:\n  $ smart-zone rules history --since 2h --class person --csv')
    .action(() => show(command.optsWithGlobals<QueryFlags>()));
}

async function show(flags: QueryFlags): Promise<void> {
  const { home, output } = new Environment(flags);
  const { file, since, until, csv, class: name, sensor, device, score, limit } = flags;
  const query = {
    since: since === undefined ? undefined : parseTime(since, '--since'),
    until: until === undefined ? undefined : parseTime(until, '--until'),
    class: name,
    sensor,
    device,
    score,
    limit,
  };
  const given = Object.fromEntries(Object.entries(query).filter(([, value]) => value !== undefined));
  if (csv === true && !output.json) output.result({}, CSV_HEADER);
  for await (const row of readHistory(file ?? defaultFile(home), given)) {
    const { time, device: of, sensor: at, class: what, score: sure, error } = row;
    const seen =
      what === null
        ? error === null
          ? 'nothing'
          : `reconstruction error ${error.toPrecision(4)}`
        : `${printable(what)} ${(sure ?? 0).toFixed(2)}`;
    output.result(
      row,
      csv === true
        ? toCsv(row)
        : `${new Date(time).toISOString()}  ${printable(of)}  ${printable(at)}  ${seen}`,
    );
  }
}

const UNITS = { s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;

function parseTime(text: string, option: string): number {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text) ?? [];
  const time =
    amount === undefined ? Date.parse(text) : Date.now() - Number(amount) * UNITS[unit as keyof typeof UNITS];
  if (!Number.isFinite(time))
    throw new UsageError(`${option}: a time as 2026-11-23T18:00 or how long ago as 2h, not ${text}`);
  return time;
}
