// Checks the systemd units without installing anything: `systemd-analyze verify` must have nothing to say about them, and
// `systemd-analyze security` must not find them more exposed than MOST; alone, and with each of the drop-ins.
//
// verify wants every ExecStart= program to exist. Ours is not installed where this runs, so a copy of the unit is verified whose
// program is a placeholder; every other line is the unit's own.
import { spawnSync } from 'node:child_process';
import {
  chmodSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MOST = 1.6;
const OUR_PROGRAMS = /(?<=^Exec\w+=)\/usr\/bin\/smart-zone-[a-z-]+/gm;

const units = fileURLToPath(new URL('../systemd', import.meta.url));
const dropIns = readdirSync(join(units, 'drop-ins'));
const names = readdirSync(units).filter((name) => name.endsWith('.service'));
const folder = mkdtempSync(join(tmpdir(), 'smart-zone-units-'));
const placeholder = join(folder, 'placeholder');

const run = (program, ...args) => {
  const { error, status, stdout, stderr } = spawnSync(program, args, {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C.UTF-8', SYSTEMD_COLORS: '0' },
  });
  if (error)
    throw new Error(`${program} cannot be run (${error.code}). On Debian: sudo apt-get install systemd udev`);
  return { status, output: stdout, complaints: stderr.trim() };
};

/** The unit with some drop-ins, in a folder of its own. */
const check = (name, confs) => {
  const what = [name, ...confs].join(' + ');
  const place = join(folder, what.replaceAll(/[^a-z.-]+/g, '_'));
  const copy = join(place, name);
  mkdirSync(join(place, `${name}.d`), { recursive: true });
  writeFileSync(copy, readFileSync(join(units, name), 'utf8').replace(OUR_PROGRAMS, placeholder));
  for (const conf of confs) copyFileSync(join(units, 'drop-ins', conf), join(place, `${name}.d`, conf));
  const { status, complaints } = run('systemd-analyze', 'verify', '--man=no', copy);
  // An unknown setting is only a warning to systemd: it would silently not protect.
  if (status !== 0 || complaints !== '')
    throw new Error(`${what}: ${complaints || `verify ended with ${status}`}`);

  const { output } = run('systemd-analyze', 'security', '--offline=true', '--no-pager', copy);
  const exposure = Number(/exposure level for \S+: ([\d.]+)/.exec(output)?.[1]);
  if (Number.isNaN(exposure)) throw new Error(`${what}: systemd-analyze security gave no figure`);
  console.log(`${what}: exposure ${exposure.toFixed(1)} (at most ${MOST.toFixed(1)})`);
  if (exposure > MOST) {
    const open = output.split('\n').filter((line) => line.startsWith('✗'));
    throw new Error([`${what} is more exposed than ${MOST}:`, ...open].join('\n'));
  }
};

/** sysusers and tmpfiles into an empty root: what they would make. */
const checkFiles = () => {
  const root = join(folder, 'root');
  mkdirSync(join(root, 'etc'), { recursive: true });
  const sysusers = run('systemd-sysusers', `--root=${root}`, join(units, 'smart-zone.sysusers'));
  if (sysusers.status !== 0 || !/^tee:/m.test(readFileSync(join(root, 'etc/group'), 'utf8')))
    throw new Error(`smart-zone.sysusers: ${sysusers.complaints}`);
  const tmpfiles = run('systemd-tmpfiles', '--create', `--root=${root}`, join(units, 'smart-zone.tmpfiles'));
  if (tmpfiles.status !== 0 || !readdirSync(join(root, 'etc/smart-zone')).includes('credentials'))
    throw new Error(`smart-zone.tmpfiles: ${tmpfiles.complaints}`);
  console.log('sysusers: group tee; tmpfiles: /etc/smart-zone/credentials');
};

try {
  writeFileSync(placeholder, '#!/bin/sh\n');
  chmodSync(placeholder, 0o755);
  if (names.length === 0) throw new Error(`no units in ${units}`);
  for (const name of names) for (const confs of [[], ...dropIns.map((conf) => [conf])]) check(name, confs);
  checkFiles();
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true });
}
