#!/usr/bin/env node
import { Output } from './output.js';
import { runProgram } from './program.js';

// A reader that goes away (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

// Where a message arrives nobody awaits the outcome: a full disk, say, ends the program here, with its own exit status.
process.on('uncaughtException', (error) => {
  process.exit(new Output(process.argv.includes('--json')).problem(error).exit);
});

process.exitCode = await runProgram(process.argv.slice(2));
// Standard input may still be open (a camera that goes on, a terminal): nothing waits for it any more.
process.stdin.destroy();
