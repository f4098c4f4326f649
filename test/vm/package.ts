import { execFileSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = fileURLToPath(new URL('../..', import.meta.url));
/** Where Debian from its packages is kept from one run to the next. */
export const folder = join(root, 'build/vm');

export const MODEL = join(root, 'node_modules/@mediapipe/face_detection/face_detection_short_range.tflite');
export const PICTURE = join(root, 'node_modules/@vladmandic/face-api/demo/sample1.jpg');

/** Makes the package as its users do. */
export const makePackage = (): string => {
  execFileSync('npm', ['run', '--silent', 'package'], { cwd: root, stdio: ['ignore', 'ignore', 'inherit'] });
  const name = readdirSync(join(root, 'build')).find((file) =>
    /^smart-zone-agent_.*-.*_amd64\.deb$/.test(file),
  );
  if (name === undefined) throw new Error('npm run package made no package');
  return join(root, 'build', name);
};
