import type { Command } from 'commander';
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
import { describeTarget, progressLine } from './push-progress.js';
import { targetsOf, withTargets, type TargetFlags } from './push-targets.js';

interface PushFlags extends GlobalOptions, BrokerFlags, KeyFlags, OwnerFlags, TargetFlags {
  readonly contentKey?: readonly string[];
  readonly canary?: number;
  readonly soak?: string;
  readonly maxFailures?: number;
  readonly timeout: number;
}

/** `model push`: one package, or one for each packing target, to any number of devices over MQTT. */
export function addPushCommand(model: Command): void {
  const command = withTargets(
    withOwnerLine(withKey(withBroker(model.command('push <packages...>')), 'publisher')),
  )
    .description('bring a model to devices over the broker; run it again to go on where it stopped')
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
      '\nExamples:\n  $ smart-zone model push faces.szm --to porch-pi\n  $ smart-zone model push faces-neon.szm faces-x86.szm --roster all --canary 3 --soak 30m',
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
  const soakMs = millisecondsOf(flags.soak ?? '10m');
  const packages = await Promise.all(files.map((file, i) => readPackageFile(file, flags.contentKey?.[i])));
  const keys = await environment.keys(flags, 'publisher');
  const owner = environment.ownerLine(flags);
  const link = await environment.linkFor(flags, keys);
  const { prefixes, absent } = await targetsOf(flags, owner, link);
  const run = ModelPush.create({
    link,
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
  run.on('progress', (reports) =>
    output.progress(progressLine(reports, (Date.now() - began) / 1000, run.bytes)),
  );
  const stop = (): void => run.stop();
  process.once('SIGINT', stop);
  const result = await run.run();
  process.removeListener('SIGINT', stop);
  const failed = result.targets.filter(({ state }) => state !== 'committed').length;
  output.result({ ...result, absent }, [
    ...result.targets.map(describeTarget),
    ...absent.map((name) => `${printable(name)}: says nothing under smartzone/, name it with --to`),
    `${result.targets.length - failed} of ${result.targets.length} devices, ${(result.bytes / 1024).toFixed(0)} KiB sent, ${result.seconds.toFixed(1)} s${result.stopped ? '; stopped: too many failures' : ''}`,
  ]);
  if (failed > 0 || absent.length > 0) process.exitCode = 1;
}

/** 90s, 10m, 2h. */
function millisecondsOf(text: string): number {
  const [, number, unit] = /^(\d{1,6})(s|m|h)$/.exec(text) ?? [];
  if (number === undefined) throw new UsageError(`--soak: like 90s, 10m or 2h, not ${text}`);
  return Number(number) * (unit === 's' ? 1_000 : unit === 'm' ? 60_000 : 3_600_000);
}
