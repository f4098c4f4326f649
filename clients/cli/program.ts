import { Command, CommanderError } from 'commander';
import { VERSION } from '../../protocol/codes.js';
import { Exit, UsageError } from './exit-codes.js';
import { addDoctorCommand } from './doctor-command.js';
import { addKeyCommands } from './key-commands.js';
import { addModelCommands } from './model-commands.js';
import { addOwnerCommands } from './owner-commands.js';
import { Output } from './output.js';
import { addRulesCommands } from './rules-commands.js';
import { addSensorCommands } from './sensor-commands.js';
import { addStatusCommand } from './status-command.js';

export function buildProgram(): Command {
  const program = new Command('smart-zone')
    .description('Private inference at home: sealed frames in, sealed labels out.')
    .version(VERSION)
    .option('--json', 'results as JSON lines on standard output, errors as JSON on standard error')
    .option(
      '--home <folder>',
      'where keys and the book lie (default: SMART_ZONE_HOME, or smart-zone in your configuration folder)',
    )
    .showHelpAfterError(false)
    .exitOverride()
    // Errors are written in one place, `runProgram`.
    .configureOutput({ outputError: () => undefined })
    .addHelpText(
      'after',
      `
First steps:
  $ smart-zone owner init
  $ smart-zone owner claim --device porch-pi --accept software
  $ smart-zone key new sensor --name porch   # and enrol the line it prints
  $ smart-zone sensor send --device porch-pi picture.jpg

Exit status: 0 done, 64 usage, 65 bad data, 66 no input, 69 broker or TEE away, 70 an error in this program,
73 cannot write, 75 try again, 77 not permitted, 78 configuration or key file.`,
    );
  addOwnerCommands(program);
  addKeyCommands(program);
  addSensorCommands(program);
  addRulesCommands(program);
  addModelCommands(program);
  addStatusCommand(program);
  addDoctorCommand(program);
  return program;
}

/** Runs one command line (without node and script). @returns the exit status */
export async function runProgram(argv: readonly string[]): Promise<number> {
  const json = argv.includes('--json');
  try {
    await buildProgram().parseAsync([...argv], { from: 'user' });
    return typeof process.exitCode === 'number' ? process.exitCode : Exit.OK;
  } catch (error) {
    if (error instanceof CommanderError) {
      // --help and --version have been written to standard output; a bare group prints its help as an error.
      if (error.exitCode === 0) return Exit.OK;
      if (error.code === 'commander.help') {
        return Exit.USAGE;
      }
      return new Output(json).problem(
        new UsageError(error.message.replace(/^error: /, '').replaceAll('\n', ' ')),
      ).exit;
    }
    return new Output(json).problem(error).exit;
  }
}
