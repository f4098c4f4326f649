import type { Command } from 'commander';
import { SmartZoneError } from '../../protocol/errors.js';
import type { Network, Quantised, QuantiseReport } from '../publisher/index.js';
import { Environment, numberOption, type GlobalOptions } from './environment.js';
import { readFrames } from './frames.js';
import { withWeightsFlag } from './model-inspect.js';
import { printable, type Output } from './output.js';

export interface QuantiseFlags {
  readonly quantise?: string;
  readonly leastAgreement?: number;
  readonly engine?: string;
}

interface CommandFlags extends GlobalOptions, QuantiseFlags {
  readonly calibration: string;
  readonly weights?: string;
}

const publisher = () => import('../publisher/index.js');

/** The flags of `model pack` with which it quantises first. */
export const withQuantiseFlags = (command: Command): Command =>
  withAgreementFlag(
    command.option(
      '--quantise <folder>',
      'make the float32 model int8 first, calibrated on the pictures (or raw frames) in this folder',
    ),
  );

const withAgreementFlag = (command: Command): Command =>
  command.option(
    '--least-agreement <percent>',
    'how many of the frames kept from calibration must have the same best class, or nothing is packed',
    numberOption('--least-agreement', 0, 100),
  );

export function addQuantiseCommand(model: Command): void {
  withAgreementFlag(withWeightsFlag(model.command('quantise <file>')))
    .description('say what int8 would make of a float32 model, without packing it')
    .requiredOption(
      '--calibration <folder>',
      'pictures like those that it will see, or raw frames (.bin): some tens to a hundred; every fifth is kept for the comparison',
    )
    .option(
      '--engine <program>',
      "the engine that runs both (default: SMART_ZONE_ENGINE, or the repository's build)",
    )
    .addHelpText(
      'after',
      '\nTo pack the int8 model give model pack the same folder with --quantise.\n\nExample:\n  $ smart-zone model quantise mobilenet.tflite --calibration photos',
    )
    .action(async (file: string, _flags: unknown, command: Command) => {
      const flags = command.optsWithGlobals<CommandFlags>();
      const { output } = new Environment(flags);
      const { filesBeside, importModel, readModelFile } = await publisher();
      const network = importModel(readModelFile(file), file, filesBeside(file, flags.weights));
      const { report } = await quantiseFolder(output, network, flags.calibration, flags);
      output.result(report, quantiseLines(report));
    });
}

/**
 * Quantises with the frames in a folder, and shows how far that is.
 * @throws SmartZoneError MODEL_IMPORT where fewer frames agree than was asked for
 */
export async function quantiseFolder(
  output: Output,
  network: Network,
  folder: string,
  { engine, leastAgreement }: QuantiseFlags,
): Promise<Quantised> {
  const { EngineTool, frameShapeOf, quantiseWithFrames, simplify } = await publisher();
  output.progress(`reading ${folder}`);
  const frames = await readFrames(frameShapeOf(simplify(network)), folder);
  const quantised = await quantiseWithFrames(
    network,
    frames.map(({ data }) => data),
    {
      ...(engine !== undefined && { engine: EngineTool.find(engine) }),
      progress: (step, done, of) => {
        if (done === of || done % 10 === 0) output.progress(`${step}: ${done} of ${of}`);
      },
    },
  );
  const { test } = quantised.report;
  const share = test === undefined ? 100 : (100 * test.agreeing) / test.frames;
  if (leastAgreement !== undefined && share < leastAgreement)
    throw new SmartZoneError(
      'MODEL_IMPORT',
      `quantised, ${share.toFixed(1)} % of the frames have the float model's best class, ${leastAgreement} % were asked for: ` +
        'calibrate on more pictures, and such as it will see, or pack it as float32',
    );
  return quantised;
}

/** Layers with the most noise that are listed. */
const NOISIEST = 5;

export function quantiseLines(report: QuantiseReport): string[] {
  const label = (text: string): string => text.padEnd(12);
  const { test } = report;
  const noisiest = [...(test?.layers ?? [])]
    .filter(({ decibels }) => decibels !== null)
    .sort((a, b) => (a.decibels ?? 0) - (b.decibels ?? 0))
    .slice(0, NOISIEST);
  return [
    `${label('calibration')}${report.calibrationFrames} frames`,
    `${label('chosen')}${report.equalised ? 'equalised' : 'as it is'}, bias correction: ${report.biasCorrection}`,
    ...report.tried.map(({ what, decibels }) => `${label('')}${what}: ${decibels.toFixed(1)} dB`),
    ...(test === undefined
      ? []
      : [
          `${label('top-1')}${test.agreeing} of ${test.frames} frames as float, which calibration did not see`,
          `${label('outputs')}${test.decibels.toFixed(1)} dB signal to noise`,
        ]),
    ...noisiest.map(
      ({ layer, code, decibels }, i) =>
        `${label(i === 0 ? 'noisiest' : '')}${(decibels ?? 0).toFixed(1)} dB  ${code} ${printable(layer)}`,
    ),
  ];
}
