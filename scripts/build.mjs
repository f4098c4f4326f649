// Builds what the repository runs: dist/ from TypeScript, build/ from C and C++.
//   node scripts/build.mjs                everything (native parts need Linux, a C and C++ compiler, make and OpenSSL headers)
//   node scripts/build.mjs --typescript   dist/ only, from scratch: what `npm pack` ships
// Incremental: running it again when nothing changed takes about a second.
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, existsSync, readFileSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import { availableParallelism } from 'node:os';

const root = fileURLToPath(new URL('..', import.meta.url));
const only = process.argv.includes('--typescript');

const fail = (line) => {
  console.error(line);
  process.exit(69);
};

const run = (command, args) => {
  const { status, error } = spawnSync(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'] });
  if (error) fail(`cannot run ${command}: ${error.message}`);
  if (status !== 0) process.exit(status ?? 1);
};

/** One line that says what is missing for the native parts and how to get it. */
const checkToolchain = () => {
  if (process.platform !== 'linux') {
    fail(
      'The agent, the demo and the software TEE need Linux. The clients (smart-zone/sensor, rules, owner, publisher) run here too.',
    );
  }
  const works = (command, args, input) =>
    spawnSync(command, args, { input, stdio: ['pipe', 'ignore', 'ignore'] }).status === 0;
  const missing = [];
  if (!works('cc', ['--version'])) missing.push('a C compiler');
  if (!works('c++', ['--version'])) missing.push('a C++ compiler');
  if (!works('make', ['--version'])) missing.push('make');
  if (missing.length === 0 && !works('cc', ['-E', '-x', 'c', '-'], '#include <openssl/evp.h>\n'))
    missing.push('OpenSSL 3 headers');
  if (missing.length > 0)
    fail(
      `Missing: ${missing.join(', ')}. On Debian and Ubuntu: sudo apt-get install build-essential libssl-dev`,
    );
};

const buildTypeScript = () => {
  let tsc;
  try {
    tsc = createRequire(import.meta.url).resolve('typescript/bin/tsc');
  } catch {
    fail('Dependencies are not installed. Run: npm install');
  }
  if (only) rmSync(`${root}dist`, { recursive: true, force: true });
  run(process.execPath, [tsc, '-p', 'tsconfig.build.json']);
  for (const file of Object.values(JSON.parse(readFileSync(`${root}package.json`, 'utf8')).bin)) {
    if (existsSync(`${root}${file}`)) chmodSync(`${root}${file}`, 0o755);
  }
};

const buildNative = () => {
  checkToolchain();
  const jobs = `-j${availableParallelism()}`;
  for (const folder of ['ta/soft', 'agent/native', 'agent/service/native'])
    run('make', ['--no-print-directory', '-s', jobs, '-C', folder]);
  // The engine as a program: packing a model computes the golden test's expected output with it.
  run('make', ['--no-print-directory', '-s', jobs, '-C', 'ta/test', '../../build/ctest/engine_run']);
};

if (!existsSync(`${root}dist/.tsbuildinfo`) || (!only && !existsSync(`${root}build/smart-zone-ta`)))
  console.error(`building ${only ? 'dist/' : 'dist/ and build/'}, some seconds the first time`);
execFileSync(process.execPath, [`${root}scripts/generate-codes.mjs`, '--check'], { stdio: 'inherit' });
buildTypeScript();
if (!only) buildNative();
