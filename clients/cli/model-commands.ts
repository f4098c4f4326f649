import { existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import type { Command } from 'commander';
import { SmartZoneError } from '../../protocol/errors.js';
import { writeFileAtomic, Witness, type PartyKeys } from '../keys/index.js';
import type { BrokerLink } from '../link/index.js';
import { Topics } from '../../protocol/topics.js';
import { DeviceTrust, type TrustedDevice } from '../trust/index.js';
import {
  Environment,
  numberOption,
  withBroker,
  withDevice,
  withKey,
  withOwnerLine,
  type BrokerFlags,
  type DeviceFlags,
  type GlobalOptions,
  type KeyFlags,
  type OwnerFlags,
} from './environment.js';
import { UsageError } from './exit-codes.js';
import {
  arenaOf,
  inspectModel,
  kib,
  readContentKey,
  reportLines,
  withInspectFlags,
  withPlanFlags,
  withWeightsFlag,
  type PlanFlags,
} from './model-inspect.js';
import {
  addQuantiseCommand,
  quantiseFolder,
  quantiseLines,
  withQuantiseFlags,
  type QuantiseFlags,
} from './model-quantise.js';
import { addRollbackCommand } from './owner-device-commands.js';
import { addPushCommand } from './model-push.js';
import { addModelStatusCommand } from './model-state.js';
import { addVerifyCommand } from './model-verify.js';
import { printable } from './output.js';
import { seenPath } from './places.js';

interface ModelFlags
  extends GlobalOptions, KeyFlags, BrokerFlags, DeviceFlags, OwnerFlags, PlanFlags, QuantiseFlags {
  readonly name?: string;
  readonly preset?: string;
  readonly labels?: string;
  readonly sequence?: number;
  readonly out?: string;
  readonly offer?: string;
  readonly directory?: string;
  readonly engine?: string;
  readonly timeout: number;
}

/** Loaded when a model command runs: the importer is large, and other commands do without. */
const publisher = () => import('../publisher/index.js');

export function addModelCommands(program: Command): void {
  const model = program.command('model').description('turn models into packages, and give them to devices');

  withWeightsFlag(model.command('import <file>'))
    .description('read a TensorFlow Lite, ONNX or Darknet model and say whether and how it would run')
    .action(async (file: string, _flags: unknown, command: Command) => {
      const flags = command.optsWithGlobals<ModelFlags>();
      const { output } = new Environment(flags);
      const { filesBeside, importModel, inspect, readModelFile } = await publisher();
      const report = inspect(importModel(readModelFile(file), file, filesBeside(file, flags.weights)));
      output.result(report, reportLines(report));
    });

  withInspectFlags(model.command('inspect <file>'))
    .description('what a package or a model (TensorFlow Lite, ONNX, Darknet) is and needs')
    .option('--content-key <file>', 'content key file: shows what is inside a package, too')
    .option('--plan <file.svg>', 'draw where each tensor lies while the model runs')
    .addHelpText(
      'after',
      '\nExamples:\n  $ smart-zone model inspect mobilenet.tflite --target neon --patches --plan plan.svg\n  $ smart-zone model inspect faces.szm --content-key faces.key --plan plan.svg',
    )
    .action(async (file: string, _flags: unknown, command: Command) => {
      const flags = command.optsWithGlobals<ModelFlags>();
      await inspectModel(new Environment(flags).output, file, flags);
    });

  withQuantiseFlags(withWeightsFlag(withPlanFlags(withKey(model.command('pack <file>'), 'publisher'))))
    .description('import, plan, encrypt and sign: writes the package and its content key')
    .option('--name <name>', "the model's name (default: the file's)")
    .option(
      '--preset <name>',
      'face-detection-full-range, face-detection-short-range, imagenet, keyword-spotting, machine-sound, object-detection-oidv4 or person-detection (default: what its shapes suggest)',
    )
    .option('--labels <file>', 'names of the classes, one a line')
    .option(
      '--sequence <number>',
      'above that of any model the devices have had (default: one more than the last)',
      numberOption('--sequence', 1, 2 ** 48),
    )
    .option('--out <file>', 'package file (default: <name>.szm)')
    .option('--content-key <file>', 'content key file (default: beside the package, .key)')
    .option(
      '--engine <program>',
      "the engine that computes the self-test (default: SMART_ZONE_ENGINE, or the repository's build)",
    )
    .addHelpText(
      'after',
      '\nThe content key opens the model: keep it as secret as the model itself.\n\nExample:\n  $ smart-zone model pack face_detection_short_range.tflite --name faces',
    )
    .action(async (file: string, _flags: unknown, command: Command) => {
      const flags = command.optsWithGlobals<ModelFlags>();
      const environment = new Environment(flags);
      await packModel(environment, file, flags);
    });

  addQuantiseCommand(model);
  addVerifyCommand(model);
  addPushCommand(model);
  addModelStatusCommand(model);
  addRollbackCommand(model);

  const wrap = deviceCommand(
    model,
    'wrap <package>',
    'seal the content key of a package to one device: writes its offer',
  )
    .option('--content-key <file>', 'content key file (default: beside the package, .key)')
    .option('--out <file>', 'offer file (default: beside the package, .offer)');
  wrap.action(async () => {
    const flags = wrap.optsWithGlobals<ModelFlags>();
    const environment = new Environment(flags);
    try {
      const file = wrap.args[0] ?? '';
      const offer = await makeOffer(environment, file, flags);
      const out = flags.out ?? beside(file, '.offer');
      writeFileAtomic(out, offer.bytes, true, 0o644);
      environment.output.result(
        { offer: out, device: offer.device },
        `${out}: for ${printable(offer.device)}`,
      );
    } finally {
      await environment.close();
    }
  });

  const install = deviceCommand(
    model,
    'install <package>',
    "put a package and its offer into the agent's model directory",
  )
    .option('--directory <folder>', "the agent's model directory (its setting models.directory)")
    .option(
      '--offer <file>',
      'offer file (default: with --device a new one, otherwise the one beside the package, .offer)',
    )
    .option('--content-key <file>', 'content key file (default: beside the package, .key)');
  install
    .addHelpText(
      'after',
      '\nExample:\n  $ smart-zone model install faces.szm --device porch-pi --directory /var/lib/smart-zone/models',
    )
    .action(async () => {
      const flags = install.optsWithGlobals<ModelFlags>();
      const environment = new Environment(flags);
      try {
        await installModel(environment, install.args[0] ?? '', flags);
      } finally {
        await environment.close();
      }
    });
}

function deviceCommand(parent: Command, usage: string, description: string): Command {
  return withOwnerLine(withKey(withDevice(withBroker(parent.command(usage))), 'publisher'))
    .description(description)
    .option(
      '--timeout <seconds>',
      "how long to wait for the device's hello",
      numberOption('--timeout', 0.1, 3600),
      15,
    );
}

async function packModel(environment: Environment, file: string, flags: ModelFlags): Promise<void> {
  const { output } = environment;
  const { EngineTool, filesBeside, importModel, pack, PRESETS, readModelFile, signPackage } =
    await publisher();
  const preset = PRESETS.find((name) => name === flags.preset);
  if (flags.preset !== undefined && preset === undefined)
    throw new UsageError(`--preset: one of ${PRESETS.join(', ')}`);
  const keys = await environment.keys(flags, 'publisher');
  const name = flags.name ?? basename(file, extname(file)).slice(0, 64);
  const out = flags.out ?? `${name}.szm`;
  const keyOut = flags.contentKey ?? beside(out, '.key');
  if (existsSync(keyOut))
    throw new SmartZoneError('KEY_FILE', `${keyOut} exists already: content keys are never overwritten`);
  output.progress(`importing ${file}`);
  const source = importModel(readModelFile(file), file, filesBeside(file, flags.weights));
  const quantised =
    flags.quantise === undefined ? undefined : await quantiseFolder(output, source, flags.quantise, flags);
  for (const line of quantised === undefined ? [] : quantiseLines(quantised.report)) output.note(line);
  const network = quantised?.network ?? source;
  output.progress('planning, encrypting and running the self-test');
  const sealed = await pack(network, {
    name,
    ...(preset === undefined ? {} : { preset }),
    ...(flags.labels === undefined ? {} : { labels: readLines(flags.labels) }),
    ...(flags.target === undefined ? {} : { target: flags.target }),
    ...arenaOf(flags),
    ...(flags.engine === undefined ? {} : { golden: EngineTool.find(flags.engine) }),
  });
  const sequence = flags.sequence ?? lastSequence(keys.path) + 1;
  const signed = signPackage(sealed, keys.signing, sequence);
  // The key first: a package without its key is of no use to anyone.
  writeFileAtomic(keyOut, `${Buffer.from(sealed.contentKey).toString('base64url')}\n`);
  writeFileAtomic(out, signed.bytes, true, 0o644);
  if (sequence > lastSequence(keys.path)) writeFileAtomic(sequencePath(keys.path), `${sequence}\n`);
  output.result(
    {
      package: out,
      contentKey: keyOut,
      digest: signed.digest,
      sequence,
      memory: sealed.memory,
      bytes: signed.bytes.length,
      ...(quantised && { quantised: quantised.report }),
    },
    [
      `${out}: ${kib(signed.bytes.length)}, sequence ${sequence}, needs ${kib(sealed.memory)} of secure heap`,
      `${keyOut}: its content key, as secret as the model`,
    ],
  );
}

async function makeOffer(
  environment: Environment,
  file: string,
  flags: ModelFlags,
): Promise<{ readonly bytes: Uint8Array; readonly device: string }> {
  const { readPackage, wrapFor } = await publisher();
  const keys = await environment.keys(flags, 'publisher');
  const content = readPackage(readFileSync(file));
  const contentKey = readContentKey(flags.contentKey ?? beside(file, '.key'));
  const link = await environment.linkFor(flags, keys);
  const witness = Witness.open(seenPath(keys.path), environment.ownerLine(flags).kid);
  const trust = new DeviceTrust(environment.ownerLine(flags).signing, witness);
  const device = await trustedDevice(link, trust, environment.prefix(flags), flags.timeout * 1000);
  warnIfStranger(environment, trust, keys);
  const bytes = wrapFor(
    { kid: device.kid, agreementKey: device.hello.agreementKey },
    content,
    contentKey,
    keys.signing,
    {
      ...trust.seenRoster,
      modelSequence: witness.device(device.kid).model,
    },
  );
  return { bytes, device: device.name };
}

function warnIfStranger({ output }: Environment, trust: DeviceTrust, keys: PartyKeys): void {
  if (trust.member(keys.signing.kid, 'publisher') === undefined)
    output.note(
      `${printable(keys.name)} is not a publisher in the roster: the device will refuse its packages until the owner enrols it`,
    );
}

/** The device of the roster at a prefix. @throws TIMED_OUT, or why its hello was not believed */
async function trustedDevice(
  link: BrokerLink,
  trust: DeviceTrust,
  prefix: string,
  timeout: number,
): Promise<TrustedDevice> {
  const topics = new Topics(prefix);
  let refused: SmartZoneError | undefined;
  trust.on('refused', ({ error }) => (refused = error));
  await link.subscribe(topics.roster, ({ payload }) => trust.receiveRoster(payload));
  await link.subscribe(topics.hello, ({ payload }) => trust.receiveHello(payload));
  const end = Date.now() + timeout;
  while (trust.device === undefined || trust.device.behind) {
    if (Date.now() >= end)
      throw refused ?? new SmartZoneError('TIMED_OUT', `no device of the roster at ${prefix}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return trust.device;
}

async function installModel(environment: Environment, file: string, flags: ModelFlags): Promise<void> {
  const { readPackage } = await publisher();
  const { directory } = flags;
  if (directory === undefined)
    throw new UsageError("where to? give --directory with the agent's model directory");
  const bytes = readFileSync(file);
  const { manifest } = readPackage(bytes);
  const wrapped = flags.offer ?? beside(file, '.offer');
  const offer =
    flags.offer !== undefined ||
    (flags.device === undefined && flags.prefix === undefined && existsSync(wrapped))
      ? readFileSync(wrapped)
      : (await makeOffer(environment, file, flags)).bytes;
  mkdirSync(directory, { recursive: true });
  if (!statSync(directory).isDirectory()) throw new UsageError(`${directory} is not a folder`);
  // The agent looks at the package when that appears: the offer must be there already.
  writeFileAtomic(join(directory, 'offer'), offer, true, 0o644);
  writeFileAtomic(join(directory, 'package.new'), bytes, true, 0o644);
  environment.output.result(
    { directory, sequence: manifest.sequence },
    `${directory}: model ${manifest.sequence}; follow it with: smart-zone status`,
  );
}

function readLines(file: string): string[] {
  return readFileSync(file, 'utf8')
    .split(/\r?\n/)
    .filter((line) => line !== '');
}

function beside(file: string, extension: string): string {
  return join(dirname(file), basename(file, extname(file)) + extension);
}

/** The last sequence number that was signed with a key lies beside it. */
function sequencePath(keyFile: string): string {
  return seenPath(keyFile).replace(/\.seen\.json$/, '.sequence');
}

function lastSequence(keyFile: string): number {
  const path = sequencePath(keyFile);
  if (!existsSync(path)) return 0;
  const number = Number(readFileSync(path, 'utf8').trim());
  if (!Number.isSafeInteger(number) || number < 0)
    throw new SmartZoneError('KEY_FILE', `${path}: damaged; give --sequence`);
  return number;
}
