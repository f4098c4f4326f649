// Builds smart-zone-agent_VERSION_ARCH.deb into build/: npm run package -- [--arch amd64|arm64] [--ta FILE.ta]
//   --arch   the machine that it is for; default this one's. arm64 on amd64 is cross-compiled (gcc, g++ for aarch64-linux-gnu).
//   --ta     the TA for OP-TEE, built with your board's dev kit and signed with its key (docs/op-tee.md); goes to /usr/lib/optee_armtz
// Debian 13 and later: Node 20 comes from there. Everything in it is this package's; nothing is downloaded when it is installed.
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { buildNative, machineArchitecture } from './native.mjs';
import { layOut } from './tree.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));

/** One line that says what to do, and exit status 69 (sysexits.h: unavailable). */
const fail = (line) => {
  console.error(line);
  process.exit(69);
};

const run = (command, args, options = {}) => {
  const { status, error } = spawnSync(command, args, {
    cwd: root,
    stdio: ['ignore', 'inherit', 'inherit'],
    ...options,
  });
  if (error)
    fail(
      `cannot run ${command} (${error.code}). On Debian: sudo apt-get install build-essential dpkg-dev gzip`,
    );
  if (status !== 0) process.exit(status ?? 1);
};

const { values } = parseArgs({ options: { arch: { type: 'string' }, ta: { type: 'string' } } });
const arch = values.arch ?? machineArchitecture();
if (!['amd64', 'arm64'].includes(arch)) fail(`--arch ${arch}: amd64 and arm64 can be built`);
if (values.ta !== undefined && !existsSync(values.ta)) fail(`--ta ${values.ta}: there is no such file`);

/** The first package of this release. */
const version = `${JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).version}-1`;
const stage = join(root, 'build', `package-${arch}`);
rmSync(stage, { recursive: true, force: true });
mkdirSync(stage, { recursive: true });

run(process.execPath, [join(root, 'scripts/build.mjs'), '--typescript']);
const native = buildNative({ root, arch, run, fail });
const modules = join(stage, 'modules');
mkdirSync(modules);
for (const file of ['package.json', 'package-lock.json', '.npmrc'])
  cpSync(join(root, file), join(modules, file));
// sharp and its libvips come ready-made for each architecture.
const cpu = { amd64: 'x64', arm64: 'arm64' }[arch];
run(
  'npm',
  ['install', '--silent', '--omit=dev', '--ignore-scripts', '--os=linux', `--cpu=${cpu}`, '--libc=glibc'],
  {
    cwd: modules,
  },
);

const tree = join(stage, 'tree');
const { buildProgram } = await import(pathToFileURL(join(root, 'dist/clients/cli/program.js')).href);
layOut({
  ...{ root, tree, native, modules: join(modules, 'node_modules') },
  ...{ program: buildProgram(), arch, version, ta: values.ta },
});
const file = join(root, 'build', `smart-zone-agent_${version}_${arch}.deb`);
run('dpkg-deb', ['--root-owner-group', '-Zxz', '--build', tree, file], {
  stdio: ['ignore', 'ignore', 'inherit'],
});
rmSync(stage, { recursive: true });
console.log(file);
