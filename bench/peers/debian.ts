import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runTool } from './run-tool.js';

const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
const SOURCES = '/etc/apt/sources.list.d';

/** The mirrors that this machine's apt uses for Debian itself. */
const mirrors = (): string[] => {
  const files = existsSync(SOURCES) ? readdirSync(SOURCES).map((file) => join(SOURCES, file)) : [];
  const texts = ['/etc/apt/sources.list', ...files]
    .filter((file) => existsSync(file))
    .map((file) => readFileSync(file, 'utf8'));
  const addresses = texts.flatMap((text) => text.match(/\bhttps?:\/\/[^\s]+\/debian\/?(?=\s|$)/gm) ?? []);
  return [...new Set(addresses)];
};

/**
 * Downloads packages of another release of Debian and unpacks them into a folder. apt works with a configuration, package
 * lists and cache of its own there: nothing of the machine's is touched, and no package is installed.
 * @returns name → version
 * @throws ToolError where there is no mirror, or it lacks a package
 */
export const unpackDebian = (
  folder: string,
  release: string,
  packages: readonly string[],
  advice: string,
): Map<string, string> => {
  const apt = join(folder, 'apt');
  const debs = join(folder, 'debs');
  const root = join(folder, 'root');
  rmSync(folder, { recursive: true, force: true });
  for (const path of ['state/lists/partial', 'cache/archives/partial'])
    mkdirSync(join(apt, path), { recursive: true });
  mkdirSync(debs);
  mkdirSync(root);
  const configuration = join(apt, 'apt.conf');
  writeFileSync(join(apt, 'status'), '');
  writeFileSync(
    join(apt, 'sources.list'),
    mirrors()
      .map((mirror) => `deb [signed-by=${KEYRING}] ${mirror} ${release} main\n`)
      .join(''),
  );
  writeFileSync(
    configuration,
    [
      `Dir::State "${join(apt, 'state')}";`,
      `Dir::State::status "${join(apt, 'status')}";`,
      `Dir::Cache "${join(apt, 'cache')}";`,
      `Dir::Etc::sourcelist "${join(apt, 'sources.list')}";`,
      'Dir::Etc::sourceparts "-";',
      'APT::Sandbox::User "root";',
      '',
    ].join('\n'),
  );
  const env = { ...process.env, APT_CONFIG: configuration };
  runTool(['apt-get', 'update', '--error-on=any'], { cwd: debs, env, advice });
  runTool(['apt-get', 'download', ...packages], { cwd: debs, env, advice });
  const versions = new Map<string, string>();
  for (const file of readdirSync(debs)) {
    runTool(['dpkg-deb', '--extract', join(debs, file), root], { advice });
    const [name = '', version = ''] = file.split('_');
    versions.set(name, decodeURIComponent(version));
  }
  return versions;
};
