import { readFileSync } from 'node:fs';
import { SmartZoneError } from '../../protocol/errors.js';
import type { EvidenceValue } from '../../protocol/messages/evidence.js';
import type { SecurityLevel } from '../../protocol/messages/hello.js';
import { checkedYaml } from '../rules/checked-yaml.js';
import { fields, given, list, number, RuleProblem, text, type Path } from '../rules/rule-fields.js';
import { LEVEL_NAMES } from './security-level.js';

/** What an item of the evidence must be. */
export interface Expectation {
  /** One of these. */
  readonly oneOf?: readonly EvidenceValue[];
  /** A number, at least this. */
  readonly least?: number;
  /** Measured, not only asserted by the TA. */
  readonly measured?: true;
}

/** The words for the debug status of RFC 9711 section 4.2.9, from 0. */
export const DEBUG_WORDS = [
  'enabled',
  'disabled',
  'disabled-since-boot',
  'disabled-permanently',
  'disabled-fully-and-permanently',
] as const;

/** Reference values for a device's evidence. What is not named may be anything. */
export interface Policy {
  /** The least security level. */
  readonly level?: SecurityLevel;
  /** In the form 7c3a1f52-5b0e-…. */
  readonly uuid?: readonly string[];
  /** TA versions, as 0.1.0. */
  readonly version?: readonly string[];
  /** The least debug status. */
  readonly debug?: number;
  /** The least roster version; newest: the one in the owner's book. */
  readonly roster?: number | 'newest';
  /** The least model sequence number. */
  readonly model?: number;
  readonly items: ReadonlyMap<string, Expectation>;
}

const KEYS = ['level', 'uuid', 'version', 'debug', 'roster', 'model', 'items'] as const;

/** Reads a policy file, YAML or JSON; docs/owner.md has its reference. @throws CONFIG_INVALID with file, line and column */
export function readPolicy(path: string): Policy {
  let content: string;
  try {
    content = readFileSync(path, 'utf8');
  } catch (error) {
    throw new SmartZoneError('CONFIG_INVALID', (error as Error).message, { cause: error });
  }
  return parsePolicy(content, path);
}

/** @param where what errors call the text @throws CONFIG_INVALID with `where`, line and column */
export function parsePolicy(content: string, where = 'policy'): Policy {
  return checkedYaml(content, where, (value) => {
    const policy = fields(value, [], KEYS);
    if (Object.keys(policy).length === 0) throw new RuleProblem([], 'asks for nothing');
    return {
      ...given({
        level: word(policy.level, ['level'], LEVEL_NAMES) as SecurityLevel | undefined,
        uuid: texts(policy.uuid, ['uuid'])?.map((uuid) => uuid.toLowerCase()),
        version: texts(policy.version, ['version']),
        debug: word(policy.debug, ['debug'], DEBUG_WORDS),
        roster: policy.roster === 'newest' ? ('newest' as const) : count(policy.roster, ['roster']),
        model: count(policy.model, ['model']),
      }),
      items: items(policy.items),
    };
  });
}

/** The number that a word stands for. */
function word(value: unknown, path: Path, words: readonly string[]): number | undefined {
  if (value === undefined) return undefined;
  const index = typeof value === 'string' ? words.indexOf(value) : -1;
  if (index < 0) throw new RuleProblem(path, `one of ${words.join(', ')}`);
  return index;
}

function count(value: unknown, path: Path): number | undefined {
  return value === undefined ? undefined : number(value, path, 0, Number.MAX_SAFE_INTEGER);
}

function texts(value: unknown, path: Path): string[] | undefined {
  if (value === undefined) return undefined;
  return (Array.isArray(value) ? list(value, path) : [value]).map((each) => text(each, path));
}

function items(value: unknown): Map<string, Expectation> {
  if (value === undefined) return new Map();
  const entries = fields(value, ['items'], Object.keys(Object(value) as object));
  return new Map(Object.entries(entries).map(([name, each]) => [name, expectation(each, ['items', name])]));
}

/** A value, a list of values of which it is one, or an object of `is`, `least` and `measured`. */
function expectation(value: unknown, path: Path): Expectation {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    return { oneOf: values(value, path) };
  const { is, least, measured } = fields(value, path, ['is', 'least', 'measured']);
  if (is === undefined && least === undefined && measured === undefined)
    throw new RuleProblem(path, 'asks for nothing: give is, least or measured');
  if (measured !== undefined && measured !== true)
    throw new RuleProblem([...path, 'measured'], 'true, or left out');
  return given({
    oneOf: is === undefined ? undefined : values(is, [...path, 'is']),
    least: count(least, [...path, 'least']),
    measured: measured === true ? (true as const) : undefined,
  });
}

function values(value: unknown, path: Path): EvidenceValue[] {
  const all = Array.isArray(value) ? list(value, path) : [value];
  return all.map((each, i) => {
    if (typeof each === 'string' || typeof each === 'boolean' || typeof each === 'number') return each;
    throw new RuleProblem(Array.isArray(value) ? [...path, i] : path, 'text, a number, true or false');
  });
}
