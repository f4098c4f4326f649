// Checks the systemd units without installing anything: `systemd-analyze verify` must have nothing to say about them, and
// `systemd-analyze security` must not find them more exposed than MOST.
//
// verify wants every ExecStart= program to exist. Ours is not installed where this runs, so a copy of the unit is verified whose
// program is a placeholder; every other line is the unit's own.
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const MOST = 1.6;
const OUR_PROGRAMS = /(?<=^Exec\w+=)\/usr\/bin\/smart-zone-[a-z-]+/gm;

const units = fileURLToPath(new URL('../systemd', import.meta.url));
const names = readdirSync(units).filter((name) => name.endsWith('.service'));
const folder = mkdtempSync(join(tmpdir(), 'smart-zone-units-'));
const placeholder = join(folder, 'placeholder');

const analyze = (...args) => {
  const { error, status, stdout, stderr } = spawnSync('systemd-analyze', args, {
    encoding: 'utf8',
    env: { ...process.env, LC_ALL: 'C.UTF-8', SYSTEMD_COLORS: '0' },
  });
  if (error) {
    throw new Error(`systemd-analyze cannot be run (${error.code}). On Debian: sudo apt-get install systemd`);
  }
  return { status, output: stdout, complaints: stderr.trim() };
};

const check = (name) => {
  const copy = join(folder, name);
  writeFileSync(copy, readFileSync(join(units, name), 'utf8').replace(OUR_PROGRAMS, placeholder));
  const { status, complaints } = analyze('verify', '--man=no', copy);
  // An unknown setting is only a warning to systemd: it would silently not protect.
  if (status !== 0 || complaints !== '')
    throw new Error(`${name}: ${complaints || `verify ended with ${status}`}`);

  const { output } = analyze('security', '--offline=true', '--no-pager', join(units, name));
  const exposure = Number(/exposure level for \S+: ([\d.]+)/.exec(output)?.[1]);
  if (Number.isNaN(exposure)) throw new Error(`${name}: systemd-analyze security gave no figure`);
  console.log(`${name}: exposure ${exposure.toFixed(1)} (at most ${MOST.toFixed(1)})`);
  if (exposure > MOST) {
    const open = output.split('\n').filter((line) => line.startsWith('✗'));
    throw new Error([`${name} is more exposed than ${MOST}:`, ...open].join('\n'));
  }
};

try {
  writeFileSync(placeholder, '#!/bin/sh\n');
  chmodSync(placeholder, 0o755);
  if (names.length === 0) throw new Error(`no units in ${units}`);
  names.forEach(check);
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
} finally {
  rmSync(folder, { recursive: true });
}
