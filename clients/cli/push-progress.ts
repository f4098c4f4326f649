import type { TargetReport } from '../publisher/push/index.js';
import { printable } from './output.js';

const BAR = 24;

/** [######......] 12/24 segments, 3 of 5 devices, 240 KiB/s, about 8 s; and why a device waits. */
export function progressLine(reports: readonly TargetReport[], seconds: number, bytes: number): string {
  const sum = (of: (report: TargetReport) => number): number =>
    reports.reduce((total, report) => total + of(report), 0);
  const committed = reports.filter(({ state }) => state === 'committed').length;
  const total = sum(({ total = 0 }) => total);
  const have = sum(({ have = 0 }) => have);
  const filled = total === 0 ? 0 : Math.floor((BAR * have) / total);
  const bar = '#'.repeat(filled) + '.'.repeat(BAR - filled);
  const rest = have > 0 && have < total ? [`about ${Math.ceil((seconds * (total - have)) / have)} s`] : [];
  const rate = bytes > 0 && seconds > 0 ? [`${Math.round(bytes / 1024 / seconds)} KiB/s`] : [];
  const waiting = reports.find(({ state }) => state === 'waiting');
  const why = waiting
    ? [`${printable(waiting.name ?? waiting.prefix)} waits: ${printable(waiting.code ?? '')}`]
    : [];
  return [
    `[${bar}] ${have}/${total} segments`,
    `${committed} of ${reports.length} devices`,
    ...rate,
    ...rest,
    ...why,
  ].join(', ');
}

/** What became of one device. */
export function describeTarget({ prefix, name, state, code, reason }: TargetReport): string {
  const why = [code, reason].filter((text) => text !== undefined).join(': ');
  return `${printable(name ?? prefix)}: ${state}${why === '' ? '' : ` (${printable(why)})`}`;
}
