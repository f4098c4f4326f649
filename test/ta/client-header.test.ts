import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { agreement, Headers, matches, OWN_HEADERS } from './headers.js';

/*
 * The agent's native code is compiled against this project's tee_client_api.h and runs with OP-TEE's libteec: whatever either of the
 * two writes into a structure has to be where the other reads it, and no structure may be larger than the room made for it.
 * TEEC_INCLUDE_DIR names the folder with OP-TEE's own header.
 */

const theirs =
  process.env['TEEC_INCLUDE_DIR'] ??
  (existsSync('/usr/include/tee_client_api.h') ? '/usr/include' : undefined);
const cross = process.env['CROSS_COMPILE'] ?? 'aarch64-linux-gnu-';
if (theirs === undefined)
  console.log(
    "skipped: TEEC_INCLUDE_DIR names no folder with OP-TEE's tee_client_api.h (Debian 13: package optee-client-dev; docs/op-tee.md)",
  );

const STRUCTURES = {
  TEEC_UUID: ['timeLow', 'timeMid', 'timeHiAndVersion', 'clockSeqAndNode'],
  TEEC_Context: [],
  TEEC_Session: [],
  TEEC_SharedMemory: ['buffer', 'size', 'flags'],
  TEEC_TempMemoryReference: ['buffer', 'size'],
  TEEC_RegisteredMemoryReference: ['parent', 'size', 'offset'],
  TEEC_Value: ['a', 'b'],
  TEEC_Parameter: ['tmpref', 'memref', 'value'],
  TEEC_Operation: ['started', 'paramTypes', 'params'],
};

(theirs === undefined ? describe.skip : describe)("OP-TEE's libteec", () => {
  const text = readFileSync(join(OWN_HEADERS, 'tee_client_api.h'), 'utf8');
  const folder = mkdtempSync(join(tmpdir(), 'smart-zone-client-'));
  afterAll(() => rmSync(folder, { recursive: true }));
  const headers = new Headers(folder, 'tee_client_api.h', theirs ?? '', cross);

  test('every constant has the same value', () => {
    const constants = matches(text, /^#define (TEEC_\w+) /gm);
    expect(constants.length).toBeGreaterThan(35);
    const used = ['TEEC_PARAM_TYPES(1, 2, 3, 5)', 'TEEC_PARAM_TYPE_GET(0x5321, 3)'];
    expect(headers.complaints(agreement(headers.values([...constants, ...used])))).toBe('');
  });

  test('every function has the same signature', () => {
    const prototypes = text.slice(
      text.indexOf('TEEC_Result TEEC_InitializeContext'),
      text.lastIndexOf('#ifdef'),
    );
    expect(matches(prototypes, /\b(TEEC_\w+)\(/g)).toHaveLength(9);
    expect(headers.complaints(prototypes)).toBe('');
  });

  test('every structure has the same size, private members included, and the public members in the same place', () => {
    expect(Object.keys(STRUCTURES).sort()).toEqual(matches(text, /^\} (TEEC_\w+);/gm).sort());
    const expressions = Object.entries(STRUCTURES).flatMap(([type, members]) => [
      `sizeof(${type})`,
      `_Alignof(${type})`,
      ...members.map((member) => `offsetof(${type}, ${member})`),
      ...members.map((member) => `sizeof(((${type} *)0)->${member})`),
    ]);
    expect(headers.complaints(agreement(headers.values(expressions)))).toBe('');
  });

  test('what differs is found', () => {
    expect(headers.complaints(agreement(new Map([['sizeof(TEEC_Session)', '8']])))).toContain('TEEC_Session');
    expect(headers.complaints('void TEEC_CloseSession(uint32_t);\n')).toContain('TEEC_CloseSession');
  });
});
