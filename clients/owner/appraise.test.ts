import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { appraise, parsePolicy, readPolicy, type Evidence } from './index.js';

const evidence: Evidence = {
  nonce: new Uint8Array(32),
  debug: 0,
  bootNonce: new Uint8Array(16),
  softwareVersion: ['0.1.0'],
  taUuid: new Uint8Array(Buffer.from('7c3a1f525b0e4c559d2b3f6e0a8c41d7', 'hex')),
  rosterVersion: 4,
  modelSequence: 2,
  securityLevel: 1,
  items: new Map([
    ['tee', { value: 'op-tee', measured: false }],
    ['unique-key', { value: 'not all zeros', measured: true }],
    ['anti-rollback-level', { value: 100, measured: true }],
    ['secure-memory-protected', { value: false, measured: false }],
  ]),
};

const failures = (policy: string, roster = 4): string[] =>
  appraise(evidence, parsePolicy(policy), { generation: 2, version: roster })
    .checks.filter(({ passed }) => !passed)
    .map(
      ({ item, expected, got, measured }) =>
        `${item}: ${got}, not ${expected}${measured ? ' (measured)' : ''}`,
    );

test('what is as it should be passes', () => {
  const policy = parsePolicy(`
level: optee-replaceable
uuid: 7C3A1F52-5B0E-4C55-9D2B-3F6E0A8C41D7
version: [0.0.9, 0.1.0]
debug: enabled
roster: newest
model: 2
items:
  tee: op-tee
  unique-key: { is: not all zeros, measured: true }
  anti-rollback-level: { least: 100 }
  secure-memory-protected: [true, false]
`);
  const { passed, checks } = appraise(evidence, policy, { generation: 1, version: 4 });
  expect(checks.filter(({ passed: ok }) => !ok)).toEqual([]);
  expect(checks).toHaveLength(10);
  expect(passed).toBe(true);
  expect(checks.find(({ item }) => item === 'unique-key')).toEqual({
    item: 'unique-key',
    expected: 'not all zeros, measured',
    got: 'not all zeros',
    measured: true,
    passed: true,
  });
});

test.each([
  ['level: optee', 'level: optee-replaceable, not optee or more'],
  [
    'uuid: 00000000-0000-0000-0000-000000000000',
    'uuid: 7c3a1f52-5b0e-4c55-9d2b-3f6e0a8c41d7, not 00000000-0000-0000-0000-000000000000',
  ],
  ['version: 0.2.0', 'version: 0.1.0, not 0.2.0'],
  ['debug: disabled', 'debug: enabled, not disabled or more'],
  ['roster: 5', 'roster: 4, not 5 or more'],
  ['model: 3', 'model: 2, not 3 or more'],
  ['items: { tee: software }', 'tee: op-tee, not software'],
  ['items: { tee: { measured: true } }', 'tee: op-tee, not measured'],
  ['items: { unique-key: all zeros }', 'unique-key: not all zeros, not all zeros (measured)'],
  [
    'items: { anti-rollback-level: { least: 1000 } }',
    'anti-rollback-level: 100, not 1000 or more (measured)',
  ],
  ['items: { tee: { least: 1 } }', 'tee: op-tee, not 1 or more'],
  ['items: { ta-memory-sha256: abcd }', 'ta-memory-sha256: absent, not abcd'],
  ['items: { secure-memory-protected: true }', 'secure-memory-protected: false, not true'],
])('%s', (policy, failure) => {
  expect(failures(policy)).toEqual([failure]);
});

test('newest is the roster of the book', () => {
  expect(failures('roster: newest', 7)).toEqual(['roster: 4, not 7 or more']);
});

test.each([
  ['level: high', 'policy:1:8: level: one of software, optee-replaceable, optee, optee-anti-rollback'],
  ['levels: optee', 'policy:1:1: file: unknown key levels'],
  ['level: optee\nmodel: -1', 'policy:2:8: model: 0 to'],
  ['items:\n  tee: { least: 1, most: 2 }', 'policy:2:20: items.tee: unknown key most'],
  ['items:\n  tee: {}', 'policy:2:8: items.tee: asks for nothing'],
  ['items:\n  tee: { measured: maybe }', 'policy:2:20: items.tee.measured: true, or left out'],
  ['items:\n  tee: [[1]]', 'policy:2:9: items.tee[0]: text, a number, true or false'],
  ['{}', 'policy:1:1: file: asks for nothing'],
  ['[', 'policy:1:'],
])('a mistake is told with its place: %j', (content, problem) => {
  expect(() => parsePolicy(content)).toThrow(problem);
});

test('a file that is not there', () => {
  const folder = mkdtempSync(join(tmpdir(), 'smart-zone-policy-'));
  try {
    expect(() => readPolicy(join(folder, 'none.yaml'))).toThrow('none.yaml');
    writeFileSync(join(folder, 'p.json'), '{"level": "software"}');
    expect(readPolicy(join(folder, 'p.json'))).toEqual({ level: 0, items: new Map() });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a roster of earlier owner keys is older than any of the present ones, whatever its version', () => {
  const stolen = { ...evidence, rosterVersion: Number.MAX_SAFE_INTEGER, ownerGeneration: 1 };
  const newest = { generation: 2, version: 4 };
  for (const policy of ['roster: newest', 'roster: 4']) {
    const { passed, checks } = appraise(stolen, parsePolicy(policy), newest);
    expect([policy, passed, checks[0]?.got]).toEqual([
      policy,
      false,
      '9007199254740991 of earlier owner keys',
    ]);
    expect(appraise({ ...stolen, ownerGeneration: 2 }, parsePolicy(policy), newest).passed).toBe(true);
  }
});
