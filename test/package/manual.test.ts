import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { buildProgram } from '../../clients/cli/program.js';
import { Exit } from '../../clients/cli/exit-codes.js';
import { leaves, manual } from '../../packaging/manual.mjs';

/* The manual page that the Debian package has. */

const source = fileURLToPath(new URL('../../packaging/man/smart-zone.1', import.meta.url));
const program = buildProgram();
const page = manual(program, readFileSync(source, 'utf8'));
const plain = page.replaceAll(/\\[&e]/g, '').replaceAll('\\-', '-');

const groff = spawnSync('groff', ['--version']).error === undefined;
if (!groff) console.log('skipped: what groff says of the manual page (Debian: groff-base)');

test('has every command, and every option of each', () => {
  const commands = leaves(program);
  expect(commands.length).toBeGreaterThan(20);
  for (const { name, command } of commands) {
    expect(plain).toContain(`.Ss "${name}"`);
    for (const { flags } of command.options.filter(({ hidden }) => !hidden))
      expect(plain).toContain(`.It Li "${flags}"`);
  }
});

test('has every exit status', () => {
  for (const status of Object.values(Exit)) expect(page).toContain(`.It ${status}\n`);
});

(groff ? test : test.skip)('groff has nothing to say about it', () => {
  const folder = mkdtempSync(join(tmpdir(), 'smart-zone-manual-'));
  try {
    writeFileSync(join(folder, 'smart-zone.1'), page);
    const complaints = (file: string): string =>
      spawnSync('groff', ['-mandoc', '-Tutf8', '-ww', '-z', file], { encoding: 'utf8' }).stderr;
    expect(complaints(join(folder, 'smart-zone.1'))).toBe('');
    writeFileSync(join(folder, 'wrong.1'), `${page}.Zz "no such macro"\n`);
    expect(complaints(join(folder, 'wrong.1'))).toContain('Zz');
  } finally {
    rmSync(folder, { recursive: true });
  }
});
