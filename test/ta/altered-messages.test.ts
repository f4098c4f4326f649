/**
 * Every message that anyone receives, altered in every single byte: refused by its receiver, with a code, and nothing changes; so is
 * every field swapped for the one of another valid message, as the grammar divides them. Then each one unaltered, to show that it was its alteration that was refused.
 */
import { readFileSync } from 'node:fs';
import {
  encodeDeterministic,
  equalBytes,
  pad,
  parseProfiledSign1,
  purposeAad,
  sealSign1,
  unpad,
  type CborValue,
} from '../../protocol/index.js';
import { anotherValue, fieldsOf } from '../cddl/fields.js';
import { parseGrammar } from '../cddl/grammar.js';
import { Dice } from './model/dice.js';
import { Village } from './altered/village.js';

const LONG = process.env['SMART_ZONE_TEST_LONG'] === '1';

const grammar = parseGrammar(
  readFileSync(new URL('../../protocol/smart-zone.cddl', import.meta.url), 'utf8'),
);

let village: Village;
/** Other keys, another device in another boot. */
let elsewhere: Village;
beforeAll(async () => {
  village = await Village.create();
  elsewhere = await Village.create();
}, 300_000);
afterAll(async () => {
  await village.stop();
  await elsewhere.stop();
});

const equal = (a: CborValue, b: CborValue): boolean =>
  equalBytes(encodeDeterministic(a), encodeDeterministic(b));
/** Plaintexts of records, which are padded to one size with h'80' and zeros; a record's ciphertext may happen to end in zero too. */
const PADDED: readonly string[] = ['label', 'telemetry'];
const withoutPadding = (rule: string, bytes: Uint8Array): Uint8Array =>
  PADDED.includes(rule) ? unpad(bytes) : bytes;
const padded = (rule: string, message: Uint8Array, size: number): Uint8Array =>
  PADDED.includes(rule) ? pad(message, Math.max(size, message.length + 1)) : message;

/** Other values of a byte: all of them that differ in one bit and one more; in short runs one bit, and one more. */
const alterations = (value: number, at: number, dice: Dice): number[] => {
  const bits = LONG ? [0, 1, 2, 3, 4, 5, 6, 7] : [at % 8];
  const replaced = (value + 1 + dice.below(255)) & 0xff;
  return [...bits.map((bit) => value ^ (1 << bit)), replaced];
};
/** Long plaintexts are mostly padding: short runs take every byte of the content and some of the zeros. */
const places = (bytes: Uint8Array): number[] => {
  const content = bytes.length - [...bytes].reverse().findIndex((byte) => byte !== 0);
  return [...bytes.keys()].filter((at) => LONG || at < content + 8 || at % 64 === 0);
};

test('altered in every byte: refused, and nothing changes', async () => {
  const dice = new Dice(5);
  let tried = 0;
  let possible = 0;
  const lines: string[] = [];
  for (const { name, bytes, receive } of village.kinds) {
    const before = await village.state();
    const codes = new Map<string, number>();
    const where = places(bytes);
    for (const at of where)
      for (const value of alterations(bytes[at] ?? 0, at, dice)) {
        const altered = Uint8Array.from(bytes);
        altered[at] = value;
        const code = await receive(altered);
        if (code === 'OK') throw new Error(`${name}: byte ${at} of ${bytes.length} as ${value} is accepted`);
        codes.set(code, (codes.get(code) ?? 0) + 1);
        tried += 1;
      }
    possible += 9 * bytes.length;
    expect([name, await village.state()]).toEqual([name, before]);
    lines.push(`${name}, ${bytes.length} bytes: ${[...codes].map((entry) => entry.join(' ')).join(', ')}`);
  }
  console.log(
    `altered bytes: ${tried} of ${possible} in ${village.kinds.length} kinds of messages\n${lines.join('\n')}`,
  );
}, 3_600_000);

test('every field swapped for that of another valid message: refused, and nothing changes', async () => {
  let swapped = 0;
  let changed = 0;
  const kinds: string[] = [];
  for (const { name, rule, bytes, receive } of village.kinds) {
    if (rule === 'bstr') continue; // a ciphertext is one field
    const before = await village.state();
    const donor = elsewhere.kinds.find((kind) => kind.name === name);
    const donated = new Map(
      fieldsOf(grammar, rule, withoutPadding(rule, donor?.bytes ?? bytes)).map(({ path, value }) => [
        path,
        value,
      ]),
    );
    const fields = fieldsOf(grammar, rule, withoutPadding(rule, bytes));
    for (const { path, value, replace } of fields) {
      const theirs = donated.get(path);
      const differs = theirs !== undefined && !equal(theirs, value);
      const message = replace(differs ? theirs : anotherValue(value));
      const code = await receive(padded(rule, message, bytes.length));
      if (code === 'OK') throw new Error(`${name}: another ${path} is accepted`);
      swapped += differs ? 1 : 0;
      changed += differs ? 0 : 1;
    }
    expect([name, await village.state()]).toEqual([name, before]);
    kinds.push(`${name} ${fields.length}`);
  }
  console.log(
    `fields: ${swapped} swapped for another device's and sender's, ${changed} in which both agree for another value: ${kinds.join(', ')}`,
  );
}, 300_000);

/** What a member may say in another's words, and why that is harmless. */
const HARMLESS: Readonly<Record<string, string>> = {
  'rules-hello as rules':
    "it is told the present epoch, as it may be; the answer is sealed to the other's prekey",
  'model-package as publisher':
    'a publisher announces a package of another one: the TA asks whose manifest it is',
};

test('every message signed again by members in their own name: refused, or harmless by the specification', async () => {
  const accepted: string[] = [];
  let tried = 0;
  for (const { name, bytes, purpose, receive } of village.kinds) {
    if (purpose === undefined) continue;
    const before = await village.state();
    const { payload } = parseProfiledSign1(bytes);
    if (payload === null) throw new Error(`${name} has no payload`);
    for (const { role, signing } of village.others) {
      tried += 1;
      const code = await receive(sealSign1(payload, signing, purposeAad(purpose)));
      if (code === 'OK') accepted.push(`${name} as ${role}`);
    }
    expect([name, await village.state()]).toEqual([name, before]);
  }
  expect(accepted).toEqual(Object.keys(HARMLESS));
  console.log(
    `signed again: ${tried}, taken: ${accepted.map((what) => `${what} (${HARMLESS[what]})`).join('; ')}`,
  );
});

test('unaltered: taken', async () => {
  // What is taken changes the device: the reset, which ends everything, comes last.
  const order = village.kinds.filter(
    ({ name }) => name !== 'owner-statement' && name !== 'roster, to the TA',
  );
  const last = village.kinds.filter((kind) => !order.includes(kind)).reverse();
  for (const { name, bytes, receive } of [...order, ...last])
    expect([name, await receive(bytes)]).toEqual([name, 'OK']);
});
