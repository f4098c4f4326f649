import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT, SCRATCH } from '../paths.js';
import { unpackDebian } from './debian.js';
import { runTool } from './run-tool.js';

const RELEASE = 'trixie';
const PACKAGES = [
  'libxnnpack-dev',
  'libxnnpack0.20241108',
  'libpthreadpool-dev',
  'libpthreadpool0',
  'libcpuinfo0',
  'libc6',
  'libgcc-s1',
] as const;
const ADVICE =
  "XNNPACK is one of the bench's peers; it comes from Debian 13's libxnnpack-dev, unpacked beside the build. It needs " +
  'apt-get and dpkg-deb, an x86-64 machine, and a Debian mirror in the sources of this machine.';

const folder = join(SCRATCH, 'xnnpack');
const libraries = join(folder, 'files/usr/lib/x86_64-linux-gnu');
const program = join(SCRATCH, 'xnnpack_worker');
const versionFile = join(folder, 'version');

/**
 * Unpacks XNNPACK with the loader and C library that it was built for, and builds the worker against it.
 * @returns Debian's version of it, which starts with the day of its source
 */
export const installXnnpack = (): string => {
  if (!existsSync(versionFile)) {
    const versions = unpackDebian(folder, RELEASE, PACKAGES, ADVICE);
    writeFileSync(versionFile, versions.get('libxnnpack-dev') ?? '');
  }
  const sources = ['xnnpack_worker.c', 'worker.c'].map((file) => join(ROOT, 'bench/native', file));
  runTool(
    [
      ...['cc', '-std=c11', '-O2', '-Wall', '-Wextra', '-Wconversion', '-Wshadow', '-Werror'],
      '-Wno-deprecated-declarations', // the pooling that TFLite uses
      ...['-isystem', join(folder, 'files/usr/include'), ...sources, '-o', program],
      ...[join(libraries, 'libXNNPACK.so'), join(libraries, 'libm.so.6'), '-Wl,--allow-shlib-undefined'],
    ],
    { advice: ADVICE },
  );
  return readFileSync(versionFile, 'utf8');
};

/** The command of a worker for these files. Debian 13's libraries need its own loader on an older system. */
export const xnnpackCommand = (files: readonly string[]): string[] => [
  join(libraries, 'ld-linux-x86-64.so.2'),
  '--library-path',
  libraries,
  program,
  ...files,
];
