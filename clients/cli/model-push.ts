import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import { devicePrefix, Topics } from '../../protocol/topics.js';
import { Witness } from '../keys/index.js';
import {
  Environment,
  numberOption,
  withBroker,
  withKey,
  withOwnerLine,
  type BrokerFlags,
  type GlobalOptions,
  type KeyFlags,
  type OwnerFlags,
} from './environment.js';
import { UsageError } from './exit-codes.js';
import { printable } from './output.js';
import { seenPath } from './places.js';
import type { TargetReport } from '../publisher/push/index.js';

interface PushFlags extends GlobalOptions, BrokerFlags, KeyFlags, OwnerFlags {
  readonly to?: readonly string[];
  readonly file?: string;
  readonly contentKey?: readonly string[];
  readonly canary?: number;
  readonly soak?: string;
  readonly maxFailures?: number;
  readonly timeout: number;
}

/** `model push`: one package, or one for each packing target, to any number of devices over MQTT. */
export function addPushCommand(model: Command): void {
  const command = withOwnerLine(withKey(withBroker(model.command('push <packages...>')), 'publisher'))
    .description('bring a model to devices over the broker; run it again to go on where it stopped')
    .option('--to <device...>', 'names of devices, or what their topics start with')
    .option('--file <list>', 'a file with one of them in each line')
    .option('--content-key <file...>', 'content key of each package (default: beside it, .key)')
    .option('--canary <count>', 'so many devices first', numberOption('--canary', 1, 1e6))
    .option('--soak <time>', 'how long those run it before the others follow: 90s, 10m, 2h', '10m')
    .option(
      '--max-failures <count>',
      'with more the roll-out stops (default: 0 with --canary, otherwise no limit)',
      numberOption('--max-failures', 0, 1e6),
    )
    .option(
      '--timeout <seconds>',
      'a device of which nothing is heard for so long is given up',
      numberOption('--timeout', 1, 86_400),
      60,
    )
    .addHelpText(
      'after',
      '\nExamples:\n  $ smart-zone model push faces.szm --to porch-pi\n  $ smart-zone model push faces-neon.szm faces-x86.szm --file fleet.txt --canary 3 --soak 30m',
    );
  command.action(async () => {
    const flags = command.optsWithGlobals<PushFlags>();
    const environment = new Environment(flags);
    try {
      await push(environment, command.args, flags);
    } finally {
      await environment.close();
    }
  });
}

async function push(environment: Environment, files: readonly string[], flags: PushFlags): Promise<void> {
  const { ModelPush, readPackageFile } = await import('../publisher/push/index.js');
  const { output } = environment;
  const prefixes = prefixesOf(flags);
  const soakMs = millisecondsOf(flags.soak ?? '10m');
  const packages = await Promise.all(files.map((file, i) => readPackageFile(file, flags.contentKey?.[i])));
  const keys = await environment.keys(flags, 'publisher');
  const owner = environment.ownerLine(flags);
  const run = ModelPush.create({
    link: await environment.linkFor(flags, keys),
    key: keys.signing,
    owner: owner.signing,
    witness: Witness.open(seenPath(keys.path), owner.kid),
    packages,
    prefixes,
    soakMs,
    timeoutMs: flags.timeout * 1000,
    ...(flags.canary === undefined ? {} : { canary: flags.canary }),
    ...(flags.maxFailures === undefined ? {} : { maxFailures: flags.maxFailures }),
  });
  const began = Date.now();
  run.on('progress', (reports) => output.progress(progressLine(reports, (Date.now() - began) / 1000)));
  const stop = (): void => run.stop();
  process.once('SIGINT', stop);
  const result = await run.run();
  process.removeListener('SIGINT', stop);
  const failed = result.targets.filter(({ state }) => state !== 'committed').length;
  output.result(result, [
    ...result.targets.map(describe),
    `${result.targets.length - failed} of ${result.targets.length} devices, ${(result.bytes / 1024).toFixed(0)} KiB sent, ${result.seconds.toFixed(1)} s${result.stopped ? '; stopped: too many failures' : ''}`,
  ]);
  if (failed > 0) process.exitCode = 1;
}

function prefixesOf({ to = [], file }: PushFlags): string[] {
  const listed =
    file === undefined
      ? []
      : readFileSync(file, 'utf8')
          .split(/\r?\n/)
          .map((line) => line.trim())
          .filter((line) => line !== '' && !line.startsWith('#'));
  const names = [...new Set([...to, ...listed])];
  if (names.length === 0) throw new UsageError('to which devices? give --to <device...> or --file <list>');
  return names.map((name) => {
    try {
      return name.includes('/') ? new Topics(name).prefix : devicePrefix(name);
    } catch (error) {
      throw new UsageError((error as Error).message);
    }
  });
}

/** 90s, 10m, 2h. */
function millisecondsOf(text: string): number {
  const [, number, unit] = /^(\d{1,6})(s|m|h)$/.exec(text) ?? [];
  if (number === undefined) throw new UsageError(`--soak: like 90s, 10m or 2h, not ${text}`);
  return Number(number) * (unit === 's' ? 1_000 : unit === 'm' ? 60_000 : 3_600_000);
}

const BAR = 24;

/** [######......] 12/24 segments, 3 of 5 devices, about 8 s */
function progressLine(reports: readonly TargetReport[], seconds: number): string {
  const sum = (of: (report: TargetReport) => number): number =>
    reports.reduce((total, report) => total + of(report), 0);
  const committed = reports.filter(({ state }) => state === 'committed').length;
  const total = sum(({ total = 0 }) => total);
  const have = sum(({ have = 0 }) => have);
  const filled = total === 0 ? 0 : Math.floor((BAR * have) / total);
  const rest = have > 0 && have < total ? `, about ${Math.ceil((seconds * (total - have)) / have)} s` : '';
  const bar = '#'.repeat(filled) + '.'.repeat(BAR - filled);
  return `[${bar}] ${have}/${total} segments, ${committed} of ${reports.length} devices${rest}`;
}

function describe({ prefix, name, state, code, reason }: TargetReport): string {
  const why = [code, reason].filter((text) => text !== undefined).join(': ');
  return `${printable(name ?? prefix)}: ${state}${why === '' ? '' : ` (${printable(why)})`}`;
}
