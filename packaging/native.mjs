// The native parts for the package: addon, software TEE, TA in it, engine program.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';

export const machineArchitecture = () => ({ x64: 'amd64', arm64: 'arm64' })[process.arch] ?? process.arch;

const TRIPLETS = { amd64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' };

/** What the package needs of build/. */
export const PRODUCTS = [
  'libteec-soft.so',
  'smart-zone-tee',
  'smart-zone-ta',
  'smart_zone_tee.node',
  'smart_zone_notify.node',
  'ctest/engine_run',
];

/** libcrypto of another architecture, unpacked beside the build: nothing is installed, no architecture is added to this machine. */
const foreignOpenssl = ({ root, arch, run, fail }) => {
  const folder = join(root, 'build', `openssl-${arch}`);
  const unpacked = join(folder, 'root');
  if (existsSync(unpacked)) return unpacked;
  const state = join(folder, 'apt');
  for (const part of ['lists/partial', 'archives/partial']) mkdirSync(join(state, part), { recursive: true });
  const apt = [
    ...[
      '-q',
      '-o',
      `Dir::State::lists=${state}/lists`,
      '-o',
      `Dir::Cache=${state}`,
      '-o',
      'Dir::State::status=/dev/null',
    ],
    ...[
      '-o',
      `APT::Architecture=${arch}`,
      '-o',
      `APT::Architectures=${arch}`,
      '-o',
      'APT::Sandbox::User=root',
    ],
  ];
  const quiet = { stdio: ['ignore', 'ignore', 'inherit'], cwd: folder };
  run('apt-get', [...apt, 'update'], quiet);
  const names = spawnSync('apt-cache', [...apt, 'pkgnames', 'libssl3'], { encoding: 'utf8' }).stdout.split(
    '\n',
  );
  const library = ['libssl3t64', 'libssl3'].find((name) => names.includes(name));
  if (library === undefined) fail(`the Debian sources of this machine have no OpenSSL 3 for ${arch}`);
  run('apt-get', [...apt, 'download', 'libssl-dev', library], quiet);
  mkdirSync(unpacked);
  for (const deb of readdirSync(folder).filter((name) => name.endsWith('.deb')))
    run('dpkg-deb', ['-x', join(folder, deb), unpacked], quiet);
  return unpacked;
};

/** @returns the folder of the products */
export const buildNative = ({ root, arch, run, fail }) => {
  const out = join(root, 'build', `native-${arch}`);
  const settings = [`BUILD=${out}`, '-s', '--no-print-directory', `-j${availableParallelism()}`];
  if (arch !== machineArchitecture()) {
    const triplet = TRIPLETS[arch];
    const openssl = foreignOpenssl({ root, arch, run, fail });
    const paths = `-O2 -I${openssl}/usr/include -I${openssl}/usr/include/${triplet} -L${openssl}/usr/lib/${triplet}`;
    settings.push(
      `CC=${triplet}-gcc`,
      `CXX=${triplet}-g++`,
      `AR=${triplet}-ar`,
      `CFLAGS=${paths}`,
      `CXXFLAGS=-O2`,
    );
    if (spawnSync(`${triplet}-g++`, ['--version']).error)
      fail(`Missing: ${triplet}-g++. On Debian: sudo apt-get install g++-aarch64-linux-gnu`);
  }
  mkdirSync(join(out, 'ctest'), { recursive: true });
  for (const folder of ['ta/soft', 'agent/native', 'agent/service/native'])
    run('make', [...settings, `OUT=${out}`, '-C', join(root, folder)]);
  const tests = join(out, 'ctest');
  run('make', [...settings, `OUT=${tests}`, '-C', join(root, 'ta/test'), join(tests, 'engine_run')]);
  return out;
};
