/** The published JSON Schema, the reference and the checker say the same. */
import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import { schemaProblems, type Schema } from '../../test/support/json-schema.js';
import { parseRules, parseRuleText } from './index.js';

const schema = JSON.parse(readFileSync('config/rules.schema.json', 'utf8')) as Schema;
const EXAMPLES = [...readFileSync('docs/rules.md', 'utf8').matchAll(/```yaml\n([^]*?)```/g)].map(
  ([, text = '']) => text,
);

test('the examples of the reference are taken by both', () => {
  expect(EXAMPLES.length).toBeGreaterThan(0);
  for (const text of EXAMPLES) {
    expect(parseRuleText(text).length).toBeGreaterThan(0);
    expect(schemaProblems(schema, parse(text))).toEqual([]);
  }
});

const rule = (change: object): object => ({
  rules: [{ name: 'r', when: { class: 'a' }, on: [{ print: 'x' }], ...change }],
});
const when = (condition: unknown): object => rule({ when: condition });
const on = (...actions: unknown[]): object => ({
  ...rule({ on: actions }),
  'home-assistant': { url: 'http://ha.local:8123', 'token-file': 't' },
});

const isTaken = (value: unknown): boolean => {
  try {
    parseRules(value);
    return true;
  } catch {
    return false;
  }
};

test.each([
  [true, rule({})],
  [true, rule({ hold: 0, for: 1.5, cooldown: 86_400 })],
  [true, when({ class: ['a', 'b'], score: 1, release: 0, sensor: 's', device: ['d'], count: 3 })],
  [
    true,
    when({ class: 'a', zone: { box: [0, 0, 1, 1] }, time: { from: '9:00', to: '24:00', days: ['mon'] } }),
  ],
  [true, when({ any: [{ error: 2 }, { all: [{ class: 'a' }, { not: { class: 'b' } }] }] })],
  [
    true,
    on(
      { run: ['true', '{{score}}'] },
      { publish: { topic: 'a/{{class}}', payload: [1, null, '{{class}}'] } },
    ),
  ],
  [
    true,
    on({
      webhook: { url: 'https://h.example/{{class}}?a={{class}}', method: 'GET', headers: { 'x-a': 'b' } },
    }),
  ],
  [true, on({ 'home-assistant': { service: 'light.turn_on', entity: ['light.a'], data: { x: { y: 1 } } } })],
  [false, {}],
  [false, { rules: [], more: 1 }],
  [false, rule({ hold: -1 })],
  [false, rule({ on: undefined })],
  [false, rule({ name: '' })],
  [false, when({})],
  [false, when({ class: [] })],
  [false, when({ class: 'a', score: 1.1 })],
  [false, when({ class: 'a', release: 0.5 })],
  [false, when({ class: 'a', zone: { box: [0, 0, 1] } })],
  [
    false,
    when({
      class: 'a',
      zone: {
        polygon: [
          [0, 0],
          [1, 1],
        ],
      },
    }),
  ],
  [
    false,
    when({
      class: 'a',
      zone: {
        box: [0, 0, 1, 1],
        polygon: [
          [0, 0],
          [1, 1],
          [0, 1],
        ],
      },
    }),
  ],
  [false, when({ class: 'a', count: 0 })],
  [false, when({ class: 'a', count: 1.5 })],
  [false, when({ class: 'a', time: { from: '25:00', to: '9:00' } })],
  [false, when({ class: 'a', time: { from: '9:00', to: '10:00', days: ['monday'] } })],
  [false, when({ any: [] })],
  [false, on({})],
  [false, on({ print: 'x', run: ['x'] })],
  [false, on({ run: 'rm -rf x' })],
  [false, on({ run: [] })],
  [false, on({ publish: { topic: 'a/#' } })],
  [false, on({ publish: { topic: '{{class}}/a' } })],
  [false, on({ webhook: { url: 'ftp://h.example/' } })],
  [false, on({ webhook: { url: 'https://{{class}}.example/' } })],
  [false, on({ webhook: { url: 'https://h.example/', method: 'DELETE' } })],
  [false, on({ 'home-assistant': { service: 'light' } })],
  [false, on({ 'home-assistant': { service: 'light.turn_on', entity: 'light.{{class}}' } })],
  [false, on({ 'home-assistant': { service: 'mqtt.publish', data: { payload_template: 'x' } } })],
])('%s: %j', (good, value) => {
  // As a file has it: without what is undefined.
  const plain: unknown = JSON.parse(JSON.stringify(value));
  expect(isTaken(plain)).toBe(good);
  expect(schemaProblems(schema, plain).length === 0).toBe(good);
});
