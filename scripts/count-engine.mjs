// How much code of S-Tinylib and Tinylibm a TA links: node scripts/count-engine.mjs [--files]
// Counted are lines of the sources that the rest of the TA needs, as a linker takes them from a library, and of the headers these
// include; as the preprocessor leaves them for the architecture (what is for another one is not in the TA), without comments and
// blank lines. Fails where it is more than MOST.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const MOST = 6000;
const root = fileURLToPath(new URL('..', import.meta.url));
const ta = join(root, 'ta');
const INCLUDES = ['soft/include', 'include', '.', 'soft'].map((folder) => `-I${join(ta, folder)}`);
const CROSS = 'aarch64-linux-gnu-';
const BUILDS = [
  { name: 'OP-TEE, NEON', cross: CROSS, flags: [] },
  { name: 'OP-TEE, NEON for Cortex-A53', cross: CROSS, flags: ['-DSZ_CORTEX_A53'] },
  { name: 'OP-TEE, NEON with dot product', cross: CROSS, flags: ['-march=armv8.2-a+dotprod'] },
  { name: 'software TEE, x86-64: AVX2 and AVX-512', cross: '', flags: [], host: 'x64' },
];

const cFiles = (folder, recursive) =>
  readdirSync(join(ta, folder), { recursive })
    .filter((name) => name.endsWith('.c'))
    .map((name) => join(ta, folder, name))
    .sort();
const engine = [...cFiles('tinylib', true), ...cFiles('tinylibm', true)];
const others = ['.', 'trust', 'models'].flatMap((folder) => cFiles(folder, false));

/** name → 'U' or 'T' of an object file's global symbols. */
const symbolsOf = (nm, object) =>
  execFileSync(nm, ['-g', '--format=posix', object], { encoding: 'utf8' })
    .split('\n')
    .map((line) => line.split(' '))
    .filter(([name, type]) => name && type);

/** The engine's sources that are linked: those that define what somebody before them lacks. */
const linkedSources = ({ cross, flags }, folder) => {
  const compiled = [...others, ...engine].map((source, i) => {
    const object = join(folder, `${i}.o`);
    execFileSync(`${cross}gcc`, ['-std=c11', '-O0', '-c', ...INCLUDES, ...flags, '-o', object, source]);
    const symbols = symbolsOf(`${cross}nm`, object);
    const named = (wanted) => symbols.filter(([, type]) => (type === 'U') === wanted).map(([name]) => name);
    return { source, needs: named(true), gives: named(false), ofEngine: engine.includes(source) };
  });
  const taken = compiled.filter(({ ofEngine }) => !ofEngine);
  for (const { needs } of taken)
    for (const name of needs) {
      const giver = compiled.find(({ gives }) => gives.includes(name));
      if (giver && !taken.includes(giver)) taken.push(giver);
    }
  return taken.filter(({ ofEngine }) => ofEngine).map(({ source }) => source);
};

/** Lines of each of the engine's files that the preprocessor lets through, over all linked sources. */
const activeLines = ({ cross, flags }, linked) => {
  const files = new Map();
  for (const source of linked) {
    const args = ['-std=c11', '-E', '-fdirectives-only', ...INCLUDES, ...flags, source];
    const text = execFileSync(`${cross}gcc`, args, { encoding: 'utf8', maxBuffer: 2 ** 26 });
    let lines;
    let number = 0;
    for (const line of text.split('\n')) {
      const marker = /^# (\d+) "([^"]*)"/.exec(line);
      if (marker) {
        const file = resolve(marker[2]);
        number = Number(marker[1]);
        lines = /\/ta\/tinylibm?\//.test(file)
          ? (files.get(file) ?? files.set(file, new Map()).get(file))
          : undefined;
      } else lines?.set(number++, line);
    }
  }
  return files;
};

const countLines = (text) =>
  text
    .replaceAll(/\/\*[^]*?\*\//g, '')
    .split('\n')
    .filter((line) => line.trim() !== '').length;

/** The preprocessor joins lines that end in a backslash, and consumes #include: these are counted from the file itself. */
const count = (file, lines) => {
  const source = readFileSync(file, 'utf8').split('\n');
  const whole = (number, line) => {
    let end = number;
    while (source[end - 1]?.endsWith('\\')) end += 1;
    return end === number || line.trim() === '' ? line : source.slice(number - 1, end).join('\n');
  };
  const inOrder = [...lines].sort(([a], [b]) => a - b).map(([number, line]) => whole(number, line));
  return countLines(inOrder.join('\n')) + source.filter((line) => /^#\s*include/.test(line)).length;
};

const missing = spawnSync(`${CROSS}gcc`, ['--version']).error !== undefined;
const folder = mkdtempSync(join(tmpdir(), 'smart-zone-count-'));
try {
  for (const build of BUILDS) {
    if (build.host !== undefined && build.host !== process.arch) continue;
    if (build.cross !== '' && missing) {
      console.log(`${build.name}: not counted without ${CROSS}gcc (Debian: gcc-aarch64-linux-gnu)`);
      continue;
    }
    const files = activeLines(build, linkedSources(build, folder));
    const counts = [...files]
      .filter(([file]) => existsSync(file))
      .map(([file, lines]) => [file, count(file, lines)]);
    const total = counts.reduce((sum, [, lines]) => sum + lines, 0);
    console.log(`${build.name}: ${total} lines in ${counts.length} files (at most ${MOST})`);
    if (process.argv.includes('--files'))
      for (const [file, lines] of counts.sort(([, a], [, b]) => b - a))
        console.log(`  ${lines} ${relative(ta, file)}`);
    if (total > MOST) process.exitCode = 1;
  }
} finally {
  rmSync(folder, { recursive: true });
}
