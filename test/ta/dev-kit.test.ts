import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readTaFile } from '../../clients/cli/doctor/ta-file.js';
import { TA_UUID, VERSION_NUMBER } from '../../protocol/codes.js';

/* The project's own TEE headers against those of a real TA dev kit: TA_DEV_KIT_DIR names it, as for `make -C ta`. */

const root = fileURLToPath(new URL('../..', import.meta.url));
const own = join(root, 'ta/soft/include');
const kit = process.env['TA_DEV_KIT_DIR'];
const cross = process.env['CROSS_COMPILE'] ?? 'aarch64-linux-gnu-';
if (kit === undefined)
  console.log(
    'skipped: TA_DEV_KIT_DIR names no TA dev kit (Debian 13: package optee-os-dev; docs/op-tee.md)',
  );

const header = (name: string): string => readFileSync(join(own, name), 'utf8');
const matches = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, name]) => name ?? '');

(kit === undefined ? describe.skip : describe)('a TA dev kit', () => {
  const folder = mkdtempSync(join(tmpdir(), 'smart-zone-kit-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const file = (name: string, text: string): string => {
    writeFileSync(join(folder, name), text);
    return join(folder, name);
  };
  /** What the compiler says of a source that sees the kit's headers. */
  const againstKit = (name: string, text: string): string => {
    const flags = ['-std=gnu11', '-fsyntax-only', '-Wall', '-Werror', `-I${kit}/include`, '-D__aarch64__=1'];
    const { stderr, error } = spawnSync(`${cross}gcc`, [...flags, file(name, text)], { encoding: 'utf8' });
    if (error) throw error;
    return stderr;
  };
  /** Evaluates integer expressions with our headers, on this machine: as many bits as the kit's. */
  const values = (expressions: readonly string[]): Map<string, string> => {
    const lines = expressions.map((e) => `printf("%llu\\n", (unsigned long long)(uintptr_t)(${e}));`);
    const source = `#include <stddef.h>\n#include <stdint.h>\n#include <stdio.h>\n#include <tee_internal_api.h>
int main(void) { ${lines.join('\n')} return 0; }\n`;
    const program = join(folder, 'values');
    execFileSync('cc', ['-std=gnu11', `-I${own}`, '-o', program, file('values.c', source)]);
    const results = execFileSync(program, { encoding: 'utf8' }).trim().split('\n');
    return new Map(expressions.map((expression, i) => [expression, results[i] ?? '']));
  };
  const agreement = (expressions: Map<string, string>): string =>
    `#include <stddef.h>\n#include <stdint.h>\n#include <tee_internal_api.h>\n` +
    [...expressions]
      .map(([e, value]) => `_Static_assert((unsigned long long)(uintptr_t)(${e}) == ${value}ull, "${e}");`)
      .join('\n');

  const constants = matches(
    header('tee_api_defines.h') + header('tee_api_types.h') + header('tee_internal_api.h'),
    /^#define (TEE_\w+) (?!")/gm,
  ).filter(
    (name) => !name.endsWith('_H') && !name.startsWith('TEE_HANDLE') && !name.startsWith('TEE_PROPSET'),
  );

  test('every constant has the same value', () => {
    expect(constants.length).toBeGreaterThan(80);
    expect(againstKit('constants.c', agreement(values(constants)))).toBe('');
  });

  test('a constant that differs is found', () => {
    expect(againstKit('differs.c', agreement(new Map([['TEE_ERROR_SHORT_BUFFER', '1']])))).toContain(
      'TEE_ERROR_SHORT_BUFFER',
    );
  });

  test('every function has the same signature', () => {
    const prototypes = header('tee_internal_api.h').replaceAll(/^#(include|ifndef|define|endif).*$/gm, '');
    expect(matches(prototypes, /\b(TEE_\w+)\(/g).length).toBeGreaterThan(50);
    expect(againstKit('prototypes.c', `#include <tee_internal_api.h>\n${prototypes}`)).toBe('');
  });

  test('a signature that differs is found', () => {
    expect(againstKit('other.c', '#include <tee_internal_api.h>\nvoid TEE_Free(uint32_t);\n')).toContain(
      'TEE_Free',
    );
  });

  test('every type has the same size', () => {
    const types = matches(header('tee_api_types.h'), /^(?:typedef .*?|\} )(TEE_\w+);/gm);
    expect(types.length).toBeGreaterThan(10);
    expect(againstKit('types.c', agreement(values(types.map((type) => `sizeof(${type})`))))).toBe('');
  });

  test('the TA builds with it, without a warning, signed', () => {
    const out = join(folder, 'ta');
    const { status, stderr } = spawnSync(
      'make',
      ['-s', '-C', join(root, 'ta'), `TA_DEV_KIT_DIR=${kit}`, `CROSS_COMPILE=${cross}`, `O=${out}`],
      { encoding: 'utf8' },
    );
    expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
    const ta = join(out, `${TA_UUID}.ta`);
    expect(existsSync(ta)).toBe(true);
    // Signed header ("HSTO", little-endian; OP-TEE's signed_hdr.h), then the program.
    expect(readFileSync(ta).readUInt32LE(0)).toBe(0x4f545348);
    expect(statSync(ta).size).toBeLessThan(512 * 1024);
    // What smart-zone doctor reads in it; 8 MiB are a Pi 3's memory for TAs.
    const { memory = 0, ...is } = readTaFile(readFileSync(ta));
    expect(is).toEqual({ uuid: TA_UUID, version: VERSION_NUMBER });
    expect(memory).toBeGreaterThan(7 * 1024 * 1024);
    expect(memory).toBeLessThan(8 * 1024 * 1024);
  });
});
