// The native parts for the package: addon, software TEE, TA in it, engine program.
import { spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { unpackDebian } from '../scripts/unpack-debian.mjs';

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

/** @returns the folder of the products */
export const buildNative = ({ root, arch, run, fail }) => {
  const out = join(root, 'build', `native-${arch}`);
  const settings = [`BUILD=${out}`, '-s', '--no-print-directory', `-j${availableParallelism()}`];
  if (arch !== machineArchitecture()) {
    const triplet = TRIPLETS[arch];
    const openssl = unpackDebian({
      folder: join(root, 'build', `openssl-${arch}`),
      release: 'own',
      architecture: arch,
      packages: ['libssl-dev', 'libssl3t64|libssl3'],
    });
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
