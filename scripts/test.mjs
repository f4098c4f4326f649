// `npm test`: generated files, types, C tests under AddressSanitizer and UndefinedBehaviorSanitizer, then jest (unit, vectors,
// integration, end to end with real processes and brokers). Arguments go to jest; with a path only jest runs: npm test -- test/e2e
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { availableParallelism } from 'node:os';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(import.meta.url);
const args = process.argv.slice(2);

const step = (name, command, argv, env = {}) => {
  console.error(`\n== ${name}`);
  const { status, error } = spawnSync(command, argv, {
    cwd: root,
    stdio: 'inherit',
    env: { ...process.env, ...env },
  });
  if (error) console.error(error.message);
  if (status !== 0) process.exit(status || 1);
};

const works = (command) => spawnSync(command, ['--version'], { stdio: 'ignore' }).status === 0;

step('build', process.execPath, ['scripts/build.mjs']);
// The other architecture's kernels run under emulation where that is installed (.ci/run does).
if (works('aarch64-linux-gnu-gcc') && works('qemu-aarch64'))
  step('engine for aarch64', 'make', ['--no-print-directory', '-s', '-C', 'ta/test', 'engines-aarch64']);
if (args.every((arg) => arg.startsWith('--'))) {
  step('types', process.execPath, [require.resolve('typescript/bin/tsc'), '--noEmit']);
  step('C tests (address and undefined-behaviour sanitizers)', 'make', [
    '--no-print-directory',
    '-s',
    `-j${availableParallelism()}`,
    '-C',
    'ta/test',
    'check',
  ]);
}
step('jest', process.execPath, [
  '--experimental-vm-modules',
  '--no-warnings',
  require.resolve('jest/bin/jest'),
  ...args,
]);
