import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from '../../test/support/party-fixture.js';
import { parseRules, parseRuleText, readRuleFile, watchRuleFile, type Rule } from './index.js';

const folder = mkdtempSync(join(tmpdir(), 'sz-rule-file-'));
afterAll(() => rmSync(folder, { recursive: true }));

const YAML = `# what the porch sees
timezone: Europe/Berlin
zones:
  gate: { polygon: [[0.1, 0.2], [0.6, 0.2], [0.6, 1]] }
rules:
  - name: somebody at the gate
    when:
      all:
        - { class: [person, face], score: 0.6, release: 0.4, zone: gate, count: { least: 1, most: 3 } }
        - not: { class: dog }
      sensor: porch
      time: { from: "22:00", to: "6:30", days: [fri, sat] }
    for: 3
    cooldown: 60
    on:
      - publish: { topic: "home/{{sensor}}/seen", payload: { what: "{{class}}", score: "{{score}}" }, retain: true }
`;

test('YAML with zones, hours and templates', () => {
  const [rule] = parseRuleText(YAML);
  expect(rule).toEqual({
    name: 'somebody at the gate',
    when: {
      all: [
        {
          class: ['person', 'face'],
          score: 0.6,
          release: 0.4,
          zone: {
            polygon: [
              [0.1, 0.2],
              [0.6, 0.2],
              [0.6, 1],
            ],
          },
          count: { least: 1, most: 3 },
        },
        { not: { class: 'dog' } },
      ],
      sensor: 'porch',
      time: { from: 1320, to: 390, days: [5, 6], timezone: 'Europe/Berlin' },
    },
    hold: 10,
    for: 3,
    cooldown: 60,
    on: [
      {
        publish: {
          topic: 'home/{{sensor}}/seen',
          payload: { what: '{{class}}', score: '{{score}}' },
          retain: true,
        },
      },
    ],
    off: [],
  });
});

test('JSON means the same as before', () => {
  const value = { rules: [{ name: 'x', when: { class: 'face' }, on: [{ run: ['true'] }] }] };
  expect(parseRuleText(JSON.stringify(value, undefined, 2))).toEqual(parseRules(value));
});

/** What is wrong with a changed text, and the text from the place on that the message names. */
const broken = (from: string, to: string): { message: string; there: string } => {
  const text = YAML.replace(from, to);
  expect(text).not.toBe(YAML);
  try {
    parseRuleText(text, 'porch.yaml');
  } catch (error) {
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' });
    const { message } = error as Error;
    const [, line, column] = /porch\.yaml:(\d+):(\d+): /.exec(message) ?? [];
    return { message, there: text.split('\n')[Number(line) - 1]?.slice(Number(column) - 1) ?? '' };
  }
  throw new Error('was taken');
};

test.each([
  ['score: 0.6', 'score: 6', '6, release', 'score: 0 to 1'],
  ['zone: gate', 'zone: gates', 'gates, count', 'zones has gate'],
  ['cooldown: 60', 'coldown: 60', 'coldown: 60', 'unknown key coldown'],
  ['cooldown: 60', 'for: 60', 'for: 60', 'unique'],
  ['"22:00"', '"25:00"', '"25:00"', 'a time of day'],
  ['[fri, sat]', '[fri, saturday]', 'saturday]', 'one of sun'],
  ['Europe/Berlin', 'Europe/Atlantis', 'Europe/Atlantis', 'timezone'],
  ['release: 0.4', 'release: 0.7', '0.7, zone', 'below score'],
  ['{{score}}', '{{scores}}', '"{{scores}}"', '{{scores}}: one of class'],
  ['home/{{sensor}}', '{{sensor}}', '"{{sensor}}/seen"', 'first level'],
  ['[0.6, 1]]', '[0.6, 1.5]]', '1.5]', 'a fraction of the picture'],
  ['for: 3', 'for: [3', '', 'Flow'],
])('%s as %s is said with line and column', (from, to, place, what) => {
  const { message, there } = broken(from, to);
  expect(there.slice(0, place.length)).toBe(place);
  expect(message).toContain(what);
});

test('a file that is no mapping, and one that would unfold without end', () => {
  expect(() => parseRuleText('')).toThrow('not an object');
  expect(() => parseRuleText('- a')).toThrow('not an object');
  const bomb = ['a: &a [x,x,x,x,x,x,x,x,x]'];
  for (let i = 0; i < 9; i += 1) {
    const [one, next] = ['abcdefghij'[i] ?? '', 'abcdefghij'[i + 1] ?? ''];
    bomb.push(`${next}: &${next} [${Array(9).fill(`*${one}`).join(',')}]`);
  }
  expect(() => parseRuleText(bomb.join('\n'))).toThrow('alias');
  expect(() => readRuleFile(join(folder, 'none.yaml'))).toThrow('ENOENT');
});

const action = (text: string) => () =>
  parseRuleText(`
home-assistant: { url: "http://ha.local:8123", token-file: token }
rules: [{ name: r, when: { class: person }, on: [${text}] }]`);

test.each([
  ['{ webhook: { url: "https://{{class}}.example/x" } }', 'no templates in the host'],
  ['{ webhook: { url: "https://home.example:{{count}}/" } }', 'host'],
  ['{ webhook: { url: "https://{{class}}@home.example/" } }', 'host'],
  ['{ webhook: { url: "https://me:secret@home.example/" } }', 'token-file'],
  ['{ webhook: { url: "file:///etc/passwd" } }', 'http://'],
  ['{ webhook: { url: "{{class}}" } }', 'http://'],
  [
    '{ webhook: { url: "https://home.example/", headers: { x-class: "{{class}}" } } }',
    'no templates in headers',
  ],
  ['{ webhook: { url: "https://home.example/", headers: { host: other } } }', 'set by the connection'],
  ['{ webhook: { url: "https://home.example/", token-file: "/keys/{{class}}" } }', 'no templates'],
  ['{ webhook: { url: "https://home.example/", body: "{\\"a\\": \\"{{class}}\\"}" } }', 'as a mapping'],
  ['{ publish: { topic: "a/b", payload: "[\\"{{class}}\\"]" } }', 'as a mapping'],
  ['{ run: ["{{class}}"] }', 'no templates in the command'],
  ['{ run: [sh, -c, "echo {{class}}"] }', 'would take them apart'],
  ['{ run: [/usr/bin/env, bash, -c, "echo {{class}}"] }', 'would take them apart'],
  ['{ run: [python3, -c, "print({{class}})"] }', 'program text'],
  ['{ run: [node, -e, "{{score}}"] }', 'program text'],
  ['{ home-assistant: { service: "light.{{class}}" } }', 'domain.service'],
  ['{ home-assistant: { service: light.turn_on, entity: "light.{{class}}" } }', 'domain.name'],
  ['{ home-assistant: { service: mqtt.publish, data: { payload_template: "{{class}}" } } }', 'not in data'],
  ['{ home-assistant: { service: light.turn_on, data: { entity_id: light.x } } }', 'not in data'],
])('%s is refused when the file is read', (text, what) => expect(action(text)).toThrow(what));

test('{{class}} in arguments only where the rule names classes', () => {
  const text = 'rules: [{ name: r, when: { score: 0.5 }, on: [{ run: [say, "{{class}}"] }] }]';
  expect(() => parseRuleText(text)).toThrow('only where `when` names the classes');
});

test('a changed file is read again; a bad one changes nothing but says why', async () => {
  const path = join(folder, 'hot.yaml');
  const write = (text: string): void => {
    writeFileSync(`${path}.new`, text);
    renameSync(`${path}.new`, path);
  };
  write(YAML);
  const taken: Rule[][] = [];
  const failed: string[] = [];
  const end = watchRuleFile(
    path,
    { changed: (rules) => taken.push(rules), failed: (error) => failed.push(error.message) },
    20,
  );
  await new Promise((resolve) => setTimeout(resolve, 60));
  write(YAML.replace('for: 3', 'for: three'));
  await until(() => failed.length === 1, 'the failure');
  expect(failed[0]).toContain('hot.yaml:13:10');
  expect(taken).toEqual([]);
  write(YAML.replace('for: 3', 'for: 33'));
  await until(() => taken.length === 1, 'the good file');
  expect(taken[0]?.[0]?.for).toBe(33);
  end();
});
