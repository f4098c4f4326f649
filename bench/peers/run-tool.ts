import { spawnSync } from 'node:child_process';

/** A program that the bench needs has failed or is not there. */
export class ToolError extends Error {
  override readonly name = 'ToolError';
}

/**
 * Runs a program to its end.
 * @returns its standard output
 * @throws ToolError with what it said last and `advice`
 */
export const runTool = (
  command: readonly string[],
  options: { cwd?: string; env?: NodeJS.ProcessEnv; advice?: string } = {},
): string => {
  const [program = '', ...parameters] = command;
  const { cwd, env, advice } = options;
  const result = spawnSync(program, parameters, {
    cwd,
    env: env ?? process.env,
    encoding: 'utf8',
    maxBuffer: 1 << 28,
  });
  if (result.error || result.status !== 0) {
    const said = result.error?.message ?? `${result.stderr}`.trim().split('\n').slice(-5).join('\n');
    throw new ToolError([`${command.join(' ')} failed: ${said}`, advice].filter(Boolean).join('\n'));
  }
  return result.stdout;
};
