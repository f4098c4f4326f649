// Checks the layout of every tracked C and C++ file with clang-format (`--write` mends it).
import { execFileSync, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
if (spawnSync('clang-format', ['--version']).error) {
  console.error(
    'clang-format is not installed: C layout not checked. On Debian: sudo apt-get install clang-format',
  );
  process.exit(process.env.CI ? 69 : 0);
}
const files = execFileSync('git', ['ls-files', '*.c', '*.h', '*.cc'], { cwd: root, encoding: 'utf8' })
  .split('\n')
  .filter((file) => file && !file.endsWith('sz_codes.h'));
const mode = process.argv.includes('--write') ? ['-i'] : ['--dry-run', '-Werror'];
const { status } = spawnSync('clang-format', [...mode, ...files], { cwd: root, stdio: 'inherit' });
process.exit(status ?? 1);
