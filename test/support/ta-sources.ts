import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ta = fileURLToPath(new URL('../../ta', import.meta.url));
const FOLDERS = ['include', 'models', 'tinylib', 'tinylibm', 'trust'];

/** What the evidence of this release says of its sources (item sources-sha256), as SECURITY.md describes it. */
export function taSourcesDigest(): string {
  const files = [
    ...readdirSync(ta),
    ...FOLDERS.flatMap((folder) =>
      readdirSync(join(ta, folder), { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name)),
    ),
  ].filter((name) => /\.[ch]$/.test(name));
  const sha256 = (data: Uint8Array | string): string => createHash('sha256').update(data).digest('hex');
  const inByteOrder = files.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  const lines = inByteOrder.map((name) => `${sha256(readFileSync(join(ta, name)))}  ${name}\n`);
  return sha256(lines.join(''));
}
