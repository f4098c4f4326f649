import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

/** The folder of vectors, or undefined where it is not there. */
const root = path.resolve(process.env.SMART_ZONE_SHARED ?? '../shared', 'vectors');
const present = existsSync(root);

/** `describe` over published vectors; skipped, with a message, where the folder is absent. */
export function describeVectors(name: string, body: () => void): void {
  if (!present) console.warn(`skipped: ${name}: no ${root} (set SMART_ZONE_SHARED)`);
  (present ? describe : describe.skip)(
    name,
    present ? body : () => test('vectors are absent', () => undefined),
  );
}

export function readVectors<T>(file: string): T {
  return JSON.parse(readFileSync(path.join(root, file), 'utf8')) as T;
}

export function listVectors(folder: string): string[] {
  return readdirSync(path.join(root, folder))
    .filter((name) => name.endsWith('.json'))
    .sort();
}

export interface Wycheproof<Group, Case> {
  readonly testGroups: readonly (Group & { readonly tests: readonly (WycheproofCase & Case)[] })[];
}

export interface WycheproofCase {
  readonly tcId: number;
  readonly comment: string;
  readonly flags: readonly string[];
  readonly result: 'valid' | 'invalid' | 'acceptable';
}

/** Printed once per file: how much of the vectors ran, and why the rest did not. */
export function report(what: string, counts: Readonly<Record<string, number>>): void {
  process.stdout.write(
    `vectors: ${what}: ${Object.entries(counts)
      .map(([name, count]) => `${count} ${name}`)
      .join(', ')}\n`,
  );
}
