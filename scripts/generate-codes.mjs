// Writes the error codes and command numbers for C and TypeScript from their one table, protocol/codes.json.
//   node scripts/generate-codes.mjs           write
//   node scripts/generate-codes.mjs --check   exit 1 if a generated file is out of date
import { readFileSync, writeFileSync } from 'node:fs';

const root = new URL('..', import.meta.url);
const table = JSON.parse(readFileSync(new URL('protocol/codes.json', root), 'utf8'));
const note =
  'Generated from protocol/codes.json by scripts/generate-codes.mjs: change the table, not this file.';

const uuid = table.uuid.replaceAll('-', '');
const hex = (from, to) => '0x' + uuid.slice(from, to);
const node = Array.from({ length: 8 }, (_, i) => hex(16 + 2 * i, 18 + 2 * i)).join(', ');

const c = [
  `/* ${note} */`,
  '#ifndef SZ_CODES_H',
  '#define SZ_CODES_H',
  '',
  `#define SZ_TA_UUID {${hex(0, 8)}, ${hex(8, 12)}, ${hex(12, 16)}, {${node}}}`,
  `#define SZ_TA_VERSION "${table.version.join('.')}"`,
  `#define SZ_TA_VERSION_NUMBER ${table.version[0] * 65536 + table.version[1] * 256 + table.version[2]}u`,
  '/* The one shared buffer: requests in its first part, replies in its second (bytes). */',
  `#define SZ_BUFFER_IN ${table.buffer.in}u`,
  `#define SZ_BUFFER_OUT ${table.buffer.out}u`,
  '',
  'enum sz_command {',
  ...table.commands.map((x) => `    SZ_CMD_${x.name} = ${x.value}, /* ${x.doc} */`),
  '};',
  '',
  'enum sz_code {',
  '    SZ_OK = 0,',
  ...table.errors.map((x) => `    SZ_${x.name} = ${x.code}, /* ${x.text} */`),
  '};',
  '',
  '#endif',
  '',
].join('\n');

const quote = (s) => (s.includes("'") ? JSON.stringify(s) : `'${s}'`);
const ts = [
  `// ${note}`,
  '',
  `export const TA_UUID = '${table.uuid}';`,
  `export const VERSION = '${table.version.join('.')}';`,
  `export const VERSION_NUMBER = ${table.version[0] * 65536 + table.version[1] * 256 + table.version[2]};`,
  '/** The one shared buffer: requests in its first part, replies in its second (bytes). */',
  `export const BUFFER = { in: ${table.buffer.in}, out: ${table.buffer.out} } as const;`,
  '',
  'export const Command = {',
  ...table.commands.flatMap((x) => [`  /** ${x.doc} */`, `  ${x.name}: ${x.value},`]),
  '} as const;',
  'export type Command = (typeof Command)[keyof typeof Command];',
  '',
  'export const Code = {',
  '  OK: 0,',
  ...table.errors.map((x) => `  ${x.name}: ${x.code},`),
  '} as const;',
  "export type CodeName = Exclude<keyof typeof Code, 'OK'>;",
  '',
  '/** What happened, and what to do about it. */',
  'export const CODE_TEXT: Readonly<Record<CodeName, { readonly text: string; readonly fix: string }>> = {',
  ...table.errors.map((x) => `  ${x.name}: { text: ${quote(x.text)}, fix: ${quote(x.fix)} },`),
  '};',
  '',
].join('\n');

let stale = 0;
for (const [name, text] of [
  ['ta/include/sz_codes.h', c],
  ['protocol/codes.ts', ts],
]) {
  const file = new URL(name, root);
  if (process.argv.includes('--check')) {
    let old = '';
    try {
      old = readFileSync(file, 'utf8');
    } catch {
      /* missing counts as out of date */
    }
    if (old !== text) {
      console.error(`${name} is out of date: run node scripts/generate-codes.mjs`);
      stale = 1;
    }
  } else {
    writeFileSync(file, text);
  }
}
process.exitCode = stale;
