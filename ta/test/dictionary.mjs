// libFuzzer dictionaries from the wire format: node dictionary.mjs FOLDER writes one file for each grammar, with the keys, tags,
// numbers and strings of its part of protocol/smart-zone.cddl as CBOR encodes them.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Fuzz target -> the parts of the CDDL that its inputs are made of (words of the parts' headings). */
const grammars = {
  fuzz_cbor: [''],
  fuzz_cose: ['common', 'records', 'offers'],
  fuzz_messages: ['owner', 'roster', 'offers', 'records', 'models'],
  fuzz_model: ['models'],
  fuzz_ta: [''],
};

const head = (major, argument) => {
  const first = major << 5;
  if (argument < 24) return [first | argument];
  if (argument < 0x100) return [first | 24, argument];
  if (argument < 0x10000) return [first | 25, argument >> 8, argument & 255];
  return [first | 26, ...new Uint8Array(new Uint32Array([argument]).buffer).reverse()];
};
const integer = (text) => (text < 0 ? head(1, -1 - text) : head(0, Number(text)));
const string = (major, text) => [...head(major, Buffer.byteLength(text)), ...Buffer.from(text)];

/** Everything that a message of this part may hold literally. */
const words = (cddl) => {
  const code = cddl.replace(/;.*$/gm, '');
  return [
    ...[...code.matchAll(/"([^"]*)"/g)].map(([, text]) => string(3, text)),
    ...[...code.matchAll(/'([^']*)'/g)].map(([, text]) => string(2, text)),
    ...[...code.matchAll(/#6\.(\d+)/g)].map(([, tag]) => head(6, Number(tag))),
    ...[...code.matchAll(/(?<![\w.#-])-?\d+(?![\w.])/g)].map(([number]) => integer(number)),
    ...[...code.matchAll(/\.size (\d+)/g)].map(([, size]) => head(2, Number(size))),
    // What a signature or a seal is for is no item of the message, but of what is signed.
    ...[...cddl.matchAll(/[Pp]urposes? "([\w-]+)"/g)].map(([, purpose]) => [
      ...Buffer.from(`smart-zone/1/${purpose}`),
    ]),
  ];
};

const folder = process.argv[2];
const cddl = readFileSync(fileURLToPath(new URL('../../protocol/smart-zone.cddl', import.meta.url)), 'utf8');
const parts = cddl
  .split(/^; -{10,} /m)
  .slice(1)
  .map((part) => ({ heading: part.slice(0, part.indexOf('\n')), text: part }));
mkdirSync(folder, { recursive: true });
for (const [target, headings] of Object.entries(grammars)) {
  const chosen = headings.map((word) => parts.filter(({ heading }) => heading.includes(word)));
  if (chosen.some((found) => found.length === 0))
    throw new Error(`protocol/smart-zone.cddl has no part for ${target}: ${headings.join(', ')}`);
  const lines = new Set(
    chosen
      .flat()
      .flatMap(({ text }) => words(text))
      .map((bytes) => `"${bytes.map((byte) => `\\x${byte.toString(16).padStart(2, '0')}`).join('')}"`),
  );
  writeFileSync(`${folder}/${target}.dict`, `${[...lines].join('\n')}\n`);
}
