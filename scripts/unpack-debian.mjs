// Unpacks Debian packages of another release or architecture into a folder, with package lists of its own: nothing is installed, and
// this machine's apt does not change.
//   node scripts/unpack-debian.mjs FOLDER RELEASE ARCHITECTURE PACKAGE…
// RELEASE may be "own": the release of this machine. A package may be a choice: libssl3t64|libssl3. FOLDER/files has what is in them,
// FOLDER/versions a line "name version" for each.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const SOURCES = '/etc/apt/sources.list.d';

const run = (command, args, options) => {
  const { status, error, stdout, stderr } = spawnSync(command, args, { encoding: 'utf8', ...options });
  if (error) throw new Error(`cannot run ${command} (${error.code}): it comes with Debian and Ubuntu`);
  if (status !== 0) throw new Error(`${command} ${args.at(-1)}: ${(stderr || stdout).trim()}`);
  return stdout;
};

const sourceTexts = () =>
  [
    '/etc/apt/sources.list',
    ...(existsSync(SOURCES) ? readdirSync(SOURCES).map((file) => join(SOURCES, file)) : []),
  ]
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, 'utf8'));

const ownRelease = () =>
  /^VERSION_CODENAME=(\w+)/m.exec(readFileSync('/etc/os-release', 'utf8'))?.[1] ?? 'stable';

/** Where this machine's apt gets Debian from. */
export const mirrors = () => {
  const found = sourceTexts().flatMap((text) => text.match(/\bhttps?:\/\/[^\s]+\/debian\/?(?=\s|$)/gm) ?? []);
  if (found.length === 0) throw new Error('the apt sources of this machine name no Debian mirror');
  return [...new Set(found)];
};

/** @returns FOLDER/files; what is there already is kept */
export const unpackDebian = ({ folder, release, architecture, packages }) => {
  const files = resolve(folder, 'files');
  if (existsSync(files)) return files;
  const apt = resolve(folder, 'apt');
  rmSync(folder, { recursive: true, force: true });
  for (const part of ['lists/partial', 'archives/partial']) mkdirSync(join(apt, part), { recursive: true });
  const suite = release === 'own' ? ownRelease() : release;
  const list = join(apt, 'sources.list');
  writeFileSync(
    list,
    mirrors()
      .map((mirror) => `deb [signed-by=${KEYRING}] ${mirror} ${suite} main\n`)
      .join(''),
  );
  const settings = {
    'Dir::Etc::sourcelist': list,
    'Dir::Etc::sourceparts': '-',
    'Dir::State::lists': join(apt, 'lists'),
    'Dir::State::status': '/dev/null',
    'Dir::Cache': apt,
    'APT::Architecture': architecture,
    'APT::Architectures': architecture,
    'APT::Sandbox::User': 'root',
  };
  const options = ['-q', ...Object.entries(settings).flatMap(([key, value]) => ['-o', `${key}=${value}`])];
  run('apt-get', [...options, '--error-on=any', 'update']);
  const known = new Set(run('apt-cache', [...options, 'pkgnames'], { maxBuffer: 2 ** 26 }).split('\n'));
  for (const choice of packages) {
    const name = choice.split('|').find((candidate) => known.has(candidate));
    if (name === undefined) throw new Error(`${suite} has no package ${choice} for ${architecture}`);
    run('apt-get', [...options, 'download', name], { cwd: apt });
  }
  const unpacked = join(apt, 'files');
  const versions = [];
  mkdirSync(unpacked);
  for (const deb of readdirSync(apt).filter((name) => name.endsWith('.deb'))) {
    run('dpkg-deb', ['-x', join(apt, deb), unpacked]);
    versions.push(run('dpkg-deb', ['--show', '--showformat=${Package} ${Version}\n', join(apt, deb)]));
  }
  writeFileSync(resolve(folder, 'versions'), versions.join(''));
  run('mv', [unpacked, files]);
  rmSync(apt, { recursive: true });
  return files;
};

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const [folder, release, architecture, ...packages] = process.argv.slice(2);
  try {
    if (packages.length === 0) throw new Error('unpack-debian FOLDER RELEASE ARCHITECTURE PACKAGE…');
    console.log(unpackDebian({ folder, release, architecture, packages }));
  } catch (error) {
    console.error(error.message);
    process.exitCode = 69;
  }
}
