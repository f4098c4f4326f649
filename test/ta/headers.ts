import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** The TEE headers of this project. */
export const OWN_HEADERS = fileURLToPath(new URL('../../ta/soft/include', import.meta.url));

export const matches = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, name]) => name ?? '');

/** A source that compiles only where every expression has this value. */
export const agreement = (expressions: ReadonlyMap<string, string>): string =>
  [...expressions]
    .map(([e, value]) => `_Static_assert((unsigned long long)(uintptr_t)(${e}) == ${value}ull, "${e}");`)
    .join('\n');

/** One of our headers, and the one of the same name that OP-TEE has for 64-bit Arm. */
export class Headers {
  constructor(
    private readonly folder: string,
    private readonly name: string,
    private readonly theirs: string,
    private readonly cross: string,
  ) {}

  /** Evaluates integer expressions with our header, on this machine: its types have as many bits as theirs. */
  values(expressions: readonly string[]): Map<string, string> {
    const lines = expressions.map((e) => `printf("%llu\\n", (unsigned long long)(uintptr_t)(${e}));`);
    const source = this.#source(`#include <stdio.h>\nint main(void) { ${lines.join('\n')} return 0; }\n`);
    const program = join(this.folder, 'values');
    execFileSync('cc', ['-std=gnu11', `-I${OWN_HEADERS}`, '-o', program, source]);
    const results = execFileSync(program, { encoding: 'utf8' }).trim().split('\n');
    return new Map(expressions.map((expression, i) => [expression, results[i] ?? '']));
  }

  /** What the compiler says of a source that sees their header. */
  complaints(text: string): string {
    const flags = ['-std=gnu11', '-fsyntax-only', '-Wall', '-Werror', `-I${this.theirs}`, '-D__aarch64__=1'];
    const { stderr, error } = spawnSync(`${this.cross}gcc`, [...flags, this.#source(text)], {
      encoding: 'utf8',
    });
    if (error) throw error;
    return stderr;
  }

  #source(text: string): string {
    const file = join(this.folder, 'source.c');
    writeFileSync(file, `#include <stddef.h>\n#include <stdint.h>\n#include <${this.name}>\n${text}`);
    return file;
  }
}
