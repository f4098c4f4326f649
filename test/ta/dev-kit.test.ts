import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { readTaFile } from '../../clients/cli/doctor/ta-file.js';
import { TA_UUID, VERSION_NUMBER } from '../../protocol/codes.js';
import { taSourcesDigest } from '../support/ta-sources.js';
import { agreement, Headers, matches, OWN_HEADERS } from './headers.js';

/* The project's own TEE headers against those of a real TA dev kit: TA_DEV_KIT_DIR names it, as for `make -C ta`. */

const root = fileURLToPath(new URL('../..', import.meta.url));
const kit = process.env['TA_DEV_KIT_DIR'];
const cross = process.env['CROSS_COMPILE'] ?? 'aarch64-linux-gnu-';
if (kit === undefined)
  console.log(
    'skipped: TA_DEV_KIT_DIR names no TA dev kit (Debian 13: package optee-os-dev; docs/op-tee.md)',
  );

const header = (name: string): string => readFileSync(join(OWN_HEADERS, name), 'utf8');

(kit === undefined ? describe.skip : describe)('a TA dev kit', () => {
  const folder = mkdtempSync(join(tmpdir(), 'smart-zone-kit-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const headers = new Headers(folder, 'tee_internal_api.h', `${kit}/include`, cross);

  const constants = matches(
    header('tee_api_defines.h') + header('tee_api_types.h') + header('tee_internal_api.h'),
    /^#define (TEE_\w+) (?!")/gm,
  ).filter(
    (name) => !name.endsWith('_H') && !name.startsWith('TEE_HANDLE') && !name.startsWith('TEE_PROPSET'),
  );

  test('every constant has the same value', () => {
    expect(constants.length).toBeGreaterThan(80);
    expect(headers.complaints(agreement(headers.values(constants)))).toBe('');
  });

  test('a constant that differs is found', () => {
    expect(headers.complaints(agreement(new Map([['TEE_ERROR_SHORT_BUFFER', '1']])))).toContain(
      'TEE_ERROR_SHORT_BUFFER',
    );
  });

  test('every function has the same signature', () => {
    const prototypes = header('tee_internal_api.h').replaceAll(/^#(include|ifndef|define|endif).*$/gm, '');
    expect(matches(prototypes, /\b(TEE_\w+)\(/g).length).toBeGreaterThan(50);
    expect(headers.complaints(prototypes)).toBe('');
  });

  test('a signature that differs is found', () => {
    expect(headers.complaints('void TEE_Free(uint32_t);\n')).toContain('TEE_Free');
  });

  test('every type has the same size', () => {
    const types = matches(header('tee_api_types.h'), /^(?:typedef .*?|\} )(TEE_\w+);/gm);
    expect(types.length).toBeGreaterThan(10);
    expect(headers.complaints(agreement(headers.values(types.map((type) => `sizeof(${type})`))))).toBe('');
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
    // What its evidence will say of its sources.
    expect(readFileSync(ta).includes(taSourcesDigest())).toBe(true);
    // What smart-zone doctor reads in it; 8 MiB are a Pi 3's memory for TAs.
    const { memory = 0, ...is } = readTaFile(readFileSync(ta));
    expect(is).toEqual({ uuid: TA_UUID, version: VERSION_NUMBER });
    expect(memory).toBeGreaterThan(7 * 1024 * 1024);
    expect(memory).toBeLessThan(8 * 1024 * 1024);
  });
});
