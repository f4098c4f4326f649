import { jest } from '@jest/globals';
import { runProgram } from '../../clients/cli/program.js';

export interface CliResult {
  readonly status: number;
  readonly out: string;
  readonly err: string;
}

/**
 * Runs a command line in this process; what it writes and its exit status.
 * @param wrote called with everything that it has written to standard output so far
 */
export async function runCli(
  home: string,
  argv: readonly string[],
  wrote: (out: string) => void = () => undefined,
): Promise<CliResult> {
  let out = '';
  let err = '';
  const spies = [
    jest.spyOn(process.stdout, 'write').mockImplementation((text) => {
      out += String(text);
      wrote(out);
      return true;
    }),
    jest.spyOn(process.stderr, 'write').mockImplementation((text) => ((err += String(text)), true)),
  ];
  try {
    const status = await runProgram(['--home', home, ...argv]);
    return { status, out, err };
  } finally {
    for (const spy of spies) spy.mockRestore();
    process.exitCode = undefined;
  }
}
