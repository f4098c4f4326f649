import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BENCH_PACKAGE } from '../paths.js';
import { runTool } from './run-tool.js';

const folder = dirname(BENCH_PACKAGE);
const installed = join(folder, 'node_modules', 'onnxruntime-node', 'package.json');

const versionOf = (path: string): string =>
  (JSON.parse(readFileSync(path, 'utf8')) as { version: string }).version;

/**
 * Installs onnxruntime-node as bench/package-lock.json has it, without its install script: that downloads GPU libraries,
 * while the package itself brings the CPU's.
 * @returns its version
 */
export const installOnnxRuntime = (): string => {
  const lock = JSON.parse(readFileSync(join(folder, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, { version: string } | undefined>;
  };
  const wanted = lock.packages['node_modules/onnxruntime-node']?.version;
  if (!existsSync(installed) || versionOf(installed) !== wanted)
    runTool(['npm', 'ci', '--ignore-scripts', '--no-audit', '--no-fund'], {
      cwd: folder,
      advice: `onnxruntime-node is one of the bench's peers. Give this machine access to the npm registry, or install it there: npm ci --ignore-scripts --prefix ${folder}`,
    });
  return versionOf(installed);
};

/** The command of a worker for this model and input. */
export const onnxRuntimeCommand = (files: readonly string[]): string[] => [
  process.execPath,
  fileURLToPath(new URL('ort-worker.js', import.meta.url)),
  BENCH_PACKAGE,
  ...files,
];
