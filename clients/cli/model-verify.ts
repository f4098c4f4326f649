import { readFileSync } from 'node:fs';
import { basename, dirname, extname, join } from 'node:path';
import type { Command } from 'commander';
import { SmartZoneError } from '../../protocol/errors.js';
import type { Agreement, NamedFrame, OpenedPackage } from '../publisher/index.js';
import { Environment, numberOption, type GlobalOptions } from './environment.js';
import { Exit } from './exit-codes.js';
import { readFrames } from './frames.js';
import { readContentKey } from './model-inspect.js';
import { printable } from './output.js';

interface VerifyFlags extends GlobalOptions {
  readonly against: string;
  readonly contentKey?: string;
  readonly pictures?: string;
  readonly noise: number;
  readonly atLeast: number;
  readonly engine?: string;
}

export function addVerifyCommand(model: Command): void {
  model
    .command('verify <package>')
    .description(
      'run a package in a software TEE against the model it was made from, in that format’s own runtime',
    )
    .requiredOption(
      '--against <model>',
      'the original model: .tflite, .onnx, or a .data package with one inside',
    )
    .option('--content-key <file>', 'content key file (default: beside the package, .key)')
    .option(
      '--pictures <folder>',
      'run it on the pictures (or raw frames) in this folder (default: on noise)',
    )
    .option('--noise <count>', 'on how many frames of noise', numberOption('--noise', 1, 10_000), 4)
    .option(
      '--at-least <percent>',
      'how many of the results have to agree for exit status 0',
      numberOption('--at-least', 0, 100),
      100,
    )
    .option(
      '--engine <program>',
      "the engine whose raw outputs are compared (default: SMART_ZONE_ENGINE, or the repository's build)",
    )
    .addHelpText(
      'after',
      '\nThe reference runtimes are not installed with smart-zone: npm install @tensorflow/tfjs-tflite or onnxruntime-web.' +
        '\nSMART_ZONE_TEE_HEAP_KIB gives the software TEE another heap than 7168 KiB, which fits OP-TEE’s port for the Raspberry Pi 3.' +
        '\n\nExample:\n  $ smart-zone model verify faces.szm --against face_detection_short_range.tflite --pictures photos',
    )
    .action(async (file: string, _flags: unknown, command: Command) => {
      const flags = command.optsWithGlobals<VerifyFlags>();
      await verifyPackage(new Environment(flags), file, flags);
    });
}

async function verifyPackage({ output }: Environment, file: string, flags: VerifyFlags): Promise<void> {
  const { EngineTool, openPackage, openReference, readModelFile, readPackage, verify } =
    await import('../publisher/index.js');
  const signed = readPackage(readFileSync(file));
  const keyFile = flags.contentKey ?? join(dirname(file), `${basename(file, extname(file))}.key`);
  const contentKey = readContentKey(keyFile);
  const content = openPackage(signed, contentKey);
  const { input } = content.header;
  const reference = await openReference(readModelFile(flags.against), flags.against);
  const frames =
    flags.pictures === undefined
      ? await noise(content, flags.noise)
      : await readFrames(input, flags.pictures);
  const engine = EngineTool.find(flags.engine);
  const { target } = signed.manifest;
  if (target !== 'ref' && target !== engine.target())
    throw new SmartZoneError(
      'MODEL_GRAPH',
      `${file} is packed for ${target}, this machine runs ${engine.target()} or ref: pack it for one of these to verify it`,
    );
  const { SoftwareDevice } = await import('./software-device.js');
  output.progress('starting a software TEE');
  const device = await SoftwareDevice.start();
  try {
    await device.load(signed, contentKey, input);
    output.progress(`running ${frames.length} frames in it and in ${reference.runtime}`);
    const agreement = await verify({
      content,
      reference,
      file: flags.against,
      frames,
      device: (frame) => device.label(frame),
      engine,
    });
    const share = agreement.of === 0 ? 100 : (100 * agreement.agreeing) / agreement.of;
    const good = share >= flags.atLeast;
    output.result(
      { ...agreement, target, streamed: device.streamed, good },
      agreementLines(agreement, target),
    );
    if (!good) process.exitCode = Exit.DATA;
  } finally {
    await device.stop();
  }
}

const SAME: Record<Agreement['kind'], string> = {
  classes: 'top-1',
  detections: 'found',
  reconstruction: 'errors',
  tensor: 'tensors',
};

/** Most disagreements that are listed. */
const MOST_LISTED = 20;

function agreementLines(agreement: Agreement, target: string): string[] {
  const { runtime, frames, kind, agreeing, of, leastOverlap, scoreDifference, outputs, disagreements } =
    agreement;
  const label = (text: string): string => text.padEnd(9);
  const figure = (value: number): string => (value === 0 ? '0' : value.toPrecision(2));
  return [
    `${label('against')}${runtime}, ${frames} frames`,
    `${label('device')}software TEE, target ${target}`,
    `${label(SAME[kind])}${agreeing} of ${of} the same`,
    ...(leastOverlap === undefined
      ? []
      : [`${label('boxes')}overlap (IoU) at least ${leastOverlap.toFixed(3)}`]),
    `${label(kind === 'classes' || kind === 'detections' ? 'scores' : 'values')}differ by ${figure(scoreDifference)} at most`,
    ...outputs.map(
      ({ greatest, mean, magnitude }, i) =>
        `${label(`output ${i}`)}differs by ${figure(greatest)} at most, ${figure(mean)} in the mean (values up to ${figure(magnitude)})`,
    ),
    ...disagreements.slice(0, MOST_LISTED).map((line) => `${label('differs')}${printable(line)}`),
    ...(disagreements.length > MOST_LISTED
      ? [`${label('')}and ${disagreements.length - MOST_LISTED} more`]
      : []),
  ];
}

async function noise({ header, weights }: OpenedPackage, count: number): Promise<NamedFrame[]> {
  const { inputRange, noiseFrame, readEdges } = await import('../publisher/index.js');
  const { input } = readEdges(header.graph, weights);
  const range = inputRange(input.dtype === 'i8' ? input : undefined);
  return Array.from({ length: count }, (_, i) => ({
    name: `noise ${i + 1}`,
    data: noiseFrame(header.input, i + 1, range),
  }));
}
