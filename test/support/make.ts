import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Runs make, one at a time: test files run side by side, and none shall start a program that another is just linking. @returns its output */
export function make(args: readonly string[], env: Readonly<Record<string, string>> = {}): string {
  mkdirSync(`${root}build`, { recursive: true });
  const { status, stdout, stderr } = spawnSync(
    'flock',
    ['--close', 'build/make.lock', 'make', '-s', '--no-print-directory', ...args],
    { cwd: root, encoding: 'utf8', env: { ...process.env, ...env } },
  );
  if (status !== 0) throw new Error(`make ${args.join(' ')}: ${status}\n${stdout}\n${stderr}`);
  return stdout;
}
