import { readFileSync } from 'node:fs';
import { SmartZoneError } from '../../protocol/errors.js';

/** When a rule holds: every given part must match. */
export interface RuleCondition {
  /** Class name as in the model's labels. */
  readonly class?: string;
  /** Least score of that class (or of any, without `class`), 0..1. */
  readonly score?: number;
  /** Least reconstruction error, for models that detect what is unusual. */
  readonly error?: number;
  /** Name of the sensor in the roster. */
  readonly sensor?: string;
  /** Name of the device in the roster. */
  readonly device?: string;
}

export interface PublishAction {
  readonly topic: string;
  readonly payload: string;
  readonly retain?: boolean;
}

/** One thing to do. `run` is a command and its arguments: no shell takes it apart. */
export type RuleAction =
  { readonly print: string } | { readonly publish: PublishAction } | { readonly run: readonly string[] };

/**
 * Turns on with the first label that matches, and off when none has matched for `hold` seconds: one missed frame does not
 * switch a lamp.
 */
export interface Rule {
  readonly name: string;
  readonly when: RuleCondition;
  readonly hold: number;
  readonly on: readonly RuleAction[];
  readonly off: readonly RuleAction[];
}

const DEFAULT_HOLD = 10;

/** Reads a file of rules: {"rules": [{"name", "when": {...}, "hold"?, "on": [...], "off"?: [...]}]}. @throws CONFIG_INVALID */
export function readRuleFile(path: string): Rule[] {
  let value: unknown;
  try {
    value = JSON.parse(readFileSync(path, 'utf8'));
  } catch (error) {
    throw new SmartZoneError('CONFIG_INVALID', `${path}: ${(error as Error).message}`, { cause: error });
  }
  return parseRules(value, path);
}

/** @param where what errors call the source. */
export function parseRules(value: unknown, where = 'rules'): Rule[] {
  const file = fields(value, where, ['rules']);
  const rules = list(file.rules, `${where}: rules`);
  const parsed = rules.map((rule, i) => parseRule(rule, `${where}: rules[${i}]`));
  const names = new Set(parsed.map(({ name }) => name));
  if (names.size !== parsed.length) throw invalid(`${where}: two rules have the same name`);
  return parsed;
}

function parseRule(value: unknown, where: string): Rule {
  const rule = fields(value, where, ['name', 'when', 'hold', 'on', 'off']);
  const name = string(rule.name, `${where}.name`);
  const hold = rule.hold ?? DEFAULT_HOLD;
  if (typeof hold !== 'number' || !(hold >= 0 && hold <= 86_400))
    throw invalid(`${where}.hold: 0 to 86400 seconds`);
  const when = fields(rule.when, `${where}.when`, ['class', 'score', 'error', 'sensor', 'device']);
  for (const key of ['class', 'sensor', 'device'] as const)
    if (when[key] !== undefined) string(when[key], `${where}.when.${key}`);
  for (const key of ['score', 'error'] as const)
    if (when[key] !== undefined && !Number.isFinite(when[key]))
      throw invalid(`${where}.when.${key}: a number`);
  if (when.class === undefined && when.score === undefined && when.error === undefined)
    throw invalid(`${where}.when: needs class, score or error`);
  const actions = (key: 'on' | 'off'): RuleAction[] =>
    list(rule[key] ?? [], `${where}.${key}`).map((action, i) => parseAction(action, `${where}.${key}[${i}]`));
  const parsed = { name, when: when as RuleCondition, hold, on: actions('on'), off: actions('off') };
  if (parsed.on.length + parsed.off.length === 0)
    throw invalid(`${where}: has nothing to do: give on or off`);
  return parsed;
}

function parseAction(value: unknown, where: string): RuleAction {
  const action = fields(value, where, ['print', 'publish', 'run']);
  if (Object.keys(action).length !== 1) throw invalid(`${where}: one of print, publish, run`);
  if (action.print !== undefined) return { print: string(action.print, `${where}.print`) };
  if (action.run !== undefined) {
    const run = list(action.run, `${where}.run`).map((word) => string(word, `${where}.run`, true));
    if (run.length === 0) throw invalid(`${where}.run: a command and its arguments`);
    return { run };
  }
  const publish = fields(action.publish, `${where}.publish`, ['topic', 'payload', 'retain']);
  const topic = string(publish.topic, `${where}.publish.topic`);
  if (/[+#\0]/.test(topic)) throw invalid(`${where}.publish.topic: no wildcards`);
  if (publish.retain !== undefined && typeof publish.retain !== 'boolean')
    throw invalid(`${where}.publish.retain: true or false`);
  const payload = string(publish.payload ?? '', `${where}.publish.payload`, true);
  return { publish: { topic, payload, ...(publish.retain === undefined ? {} : { retain: publish.retain }) } };
}

function fields<K extends string>(
  value: unknown,
  where: string,
  known: readonly K[],
): Partial<Record<K, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw invalid(`${where}: not an object`);
  for (const key of Object.keys(value))
    if (!(known as readonly string[]).includes(key)) throw invalid(`${where}: unknown key ${key}`);
  return value;
}

function list(value: unknown, where: string): unknown[] {
  if (!Array.isArray(value)) throw invalid(`${where}: not a list`);
  return value;
}

function string(value: unknown, where: string, mayBeEmpty = false): string {
  if (typeof value !== 'string' || (value === '' && !mayBeEmpty)) throw invalid(`${where}: a string`);
  return value;
}

function invalid(detail: string): SmartZoneError {
  return new SmartZoneError('CONFIG_INVALID', detail);
}
