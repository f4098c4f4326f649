import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from '../paths.js';
import { runTool } from './run-tool.js';

/**
 * Unpacks packages of another release of Debian into `folder`/files (scripts/unpack-debian.mjs); what is there already is kept.
 * @returns name → version
 * @throws ToolError where there is no mirror, or it lacks a package
 */
export const unpackDebian = (
  folder: string,
  release: string,
  packages: readonly string[],
  advice: string,
): Map<string, string> => {
  const script = join(ROOT, 'scripts/unpack-debian.mjs');
  runTool([process.execPath, script, folder, release, 'amd64', ...packages], { advice });
  const lines = readFileSync(join(folder, 'versions'), 'utf8').trim().split('\n');
  return new Map(lines.map((line) => line.split(' ') as [string, string]));
};
