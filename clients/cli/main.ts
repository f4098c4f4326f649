#!/usr/bin/env node
import { runProgram } from './program.js';

// A reader that goes away (`| head`) is no error.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code === 'EPIPE') process.exit(0);
  throw error;
});

process.exitCode = await runProgram(process.argv.slice(2));
// Standard input may still be open (a camera that goes on, a terminal): nothing waits for it any more.
process.stdin.destroy();
