import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
/** Where Debian from its packages is kept from one run to the next. */
export const folder = join(root, 'build/vm');

export const MODEL = join(root, 'node_modules/@mediapipe/face_detection/face_detection_short_range.tflite');
export const PICTURE = join(root, 'node_modules/@vladmandic/face-api/demo/sample1.jpg');

/** MediaPipe's SSD-MobileNetV2, in a file with other things, and the one that says where it begins. */
export const LARGE_MODEL = ['.data', '_loader.js'].map((end) =>
  join(root, `node_modules/@mediapipe/objectron/objectron_solution_packed_assets${end}`),
);

const packageOf = (tree: string): string => {
  execFileSync('npm', ['run', '--silent', 'package'], { cwd: tree, stdio: ['ignore', 'ignore', 'inherit'] });
  const name = readdirSync(join(tree, 'build')).find((file) =>
    /^smart-zone-agent_.*-.*_amd64\.deb$/.test(file),
  );
  if (name === undefined) throw new Error('npm run package made no package');
  return join(tree, 'build', name);
};

/** Makes the package as its users do. */
export const makePackage = (): string => packageOf(root);

const git = (...parameters: string[]): string =>
  execFileSync('git', parameters, { cwd: root, encoding: 'utf8' }).trim();

/**
 * The package of an earlier version, with a version number that says so: the last commit whose TA stored its state in another
 * format, so that an upgrade has something to convert. SMART_ZONE_VM_PREVIOUS names another commit.
 */
export const makePreviousPackage = (): string => {
  const changed = git('log', '-1', '--format=%h', '-G', '^ *STATE_VERSION = [0-9]', '--', 'ta');
  const commit = git('rev-parse', '--short', process.env['SMART_ZONE_VM_PREVIOUS'] ?? `${changed}^`);
  const kept = join(folder, `smart-zone-agent_0~${commit}_amd64.deb`);
  if (existsSync(kept)) return kept;
  const tree = join(folder, 'previous');
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(tree, { recursive: true });
  const archive = join(folder, 'previous.tar');
  git('archive', '--output', archive, commit);
  execFileSync('tar', ['-xf', archive, '-C', tree]);
  rmSync(archive);
  symlinkSync(join(root, 'node_modules'), join(tree, 'node_modules'));
  const content = join(tree, 'build', 'content');
  execFileSync('dpkg-deb', ['-R', packageOf(tree), content]);
  execFileSync('sed', ['-i', `s/^Version: .*/Version: 0~${commit}/`, join(content, 'DEBIAN/control')]);
  const made = join(tree, 'build', 'older.deb');
  execFileSync('dpkg-deb', ['--root-owner-group', '-Zgzip', '-b', content, made], { stdio: 'ignore' });
  renameSync(made, kept);
  rmSync(tree, { recursive: true });
  return kept;
};
