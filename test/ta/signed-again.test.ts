/**
 * Every field of every message, swapped for that of another valid one and for another value, and then signed and sealed again by the
 * message's rightful sender: what stands behind signatures and seals is reached. What is taken all the same is in a table, with the
 * reason, and nothing else is; what is refused changes nothing.
 */
import { readFileSync } from 'node:fs';
import { encodeDeterministic, equalBytes, type CborValue } from '../../protocol/index.js';
import { anotherValue, fieldsOf, type Field } from '../cddl/fields.js';
import { parseGrammar } from '../cddl/grammar.js';
import { ACCEPTED } from './altered/accepted.js';
import type { Layer } from './altered/layers.js';
import { layersOfDevice } from './altered/layers-of-device.js';
import { layersOfSenders } from './altered/layers-of-senders.js';
import { Village } from './altered/village.js';
import { TaHost } from './ta-host.js';

const grammar = parseGrammar(
  readFileSync(new URL('../../protocol/smart-zone.cddl', import.meta.url), 'utf8'),
);

let village: Village;
let elsewhere: Village;
const unclaimed: TaHost[] = [];
let layers: Layer[];
let others: Layer[];
beforeAll(async () => {
  village = await Village.create(0);
  elsewhere = await Village.create(1);
  unclaimed.push(TaHost.create(), TaHost.create());
  const all = async (of: Village, at: number): Promise<Layer[]> => [
    ...(await layersOfSenders(of, unclaimed[at]!)),
    ...(await layersOfDevice(of)),
  ];
  layers = await all(village, 0);
  others = await all(elsewhere, 1);
}, 300_000);
afterAll(async () => {
  for (const ta of unclaimed) await ta.stop();
  await village.stop();
  await elsewhere.stop();
});

const equal = (a: CborValue, b: CborValue): boolean =>
  equalBytes(encodeDeterministic(a), encodeDeterministic(b));
const covered = ({ rule, bytes, within = rule }: Layer): Field[] =>
  fieldsOf(grammar, rule, bytes).filter(({ path }) => path.startsWith(within));

/** A frame of the sensor that is no frame of its channel uses up its number all the same (ARCHITECTURE.md, "Decisions"). */
const usesNumber = ({ name }: Layer): boolean => name === 'frame record, sealed';
const stateOf = async (layer: Layer, ta: TaHost): Promise<unknown> =>
  ta === village.device.ta ? village.state(!usesNumber(layer)) : (await ta.call('HELLO')).out;
const before: Record<string, unknown> = {};
/** What its receiver says to the message around these bytes; of a TA only if nothing else came of what it refused. */
const tried = async (layer: Layer, bytes: Uint8Array): Promise<string> => {
  const { name, seal, receive, ta } = layer;
  const message = await seal(bytes);
  if (ta === undefined) return receive(message);
  before[name] ??= await stateOf(layer, ta);
  return ta.rehearse(async () => {
    const code = await receive(message);
    if (code !== 'OK') expect([name, await stateOf(layer, ta)]).toEqual([name, before[name]]);
    return code;
  });
};

test('what nobody swapped anything in is taken', async () => {
  for (const layer of layers)
    expect([layer.name, await tried(layer, layer.bytes)]).toEqual([layer.name, 'OK']);
  expect(new Set(layers.map(({ name }) => name)).size).toBe(layers.length);
});

test('a field swapped, then signed and sealed by the rightful sender: refused, or in the table', async () => {
  const accepted: Record<string, string[]> = {};
  const codes = new Map<string, number>();
  let [fields, attempts] = [0, 0];
  for (const layer of layers) {
    const other = others.find(({ name }) => name === layer.name);
    const donated = new Map(other && covered(other).map(({ path, value }) => [path, value]));
    const inside = covered(layer);
    expect([layer.name, inside.length > 0]).toEqual([layer.name, true]);
    for (const { path, value, replace } of inside) {
      const theirs = donated.get(path);
      const values = [
        anotherValue(value),
        ...(theirs !== undefined && !equal(theirs, value) ? [theirs] : []),
      ];
      const said = [];
      for (const each of values) said.push(await tried(layer, replace(each)));
      for (const code of said) codes.set(code, (codes.get(code) ?? 0) + 1);
      if (said.includes('OK')) (accepted[layer.name] ??= []).push(path);
      fields += 1;
      attempts += values.length;
    }
  }
  const expected = Object.fromEntries(
    Object.entries(ACCEPTED).map(([name, paths]) => [name, Object.keys(paths).sort()]),
  );
  console.log(
    `signed and sealed again: ${fields} fields in ${layers.length} layers, ${attempts} values; ` +
      [...codes].map((entry) => entry.join(' ')).join(', '),
  );
  expect(Object.fromEntries(Object.entries(accepted).map(([name, paths]) => [name, paths.sort()]))).toEqual(
    expected,
  );
}, 300_000);
