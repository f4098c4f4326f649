import { readFileSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { SmartZoneError } from '../../protocol/errors.js';
import { checkedYaml } from './checked-yaml.js';
import { checkUrl, parseAction, type DoSettings } from './rule-do.js';
import { fields, given, list, number, RuleProblem, text, type Path } from './rule-fields.js';
import type { Rule, RuleAction, Zone } from './rule-model.js';
import { parseWhen, parseZone, type WhenSettings } from './rule-when.js';

const DEFAULT_HOLD = 10;
const LARGEST = 1 << 20;

/**
 * Reads a file of rules, in YAML or JSON: docs/rules.md has its reference, config/rules.schema.json its JSON Schema.
 * @throws CONFIG_INVALID with file, line and column
 */
export function readRuleFile(path: string): Rule[] {
  let content: string;
  try {
    if (statSync(path).size > LARGEST) throw new Error('larger than 1 MiB');
    content = readFileSync(path, 'utf8');
  } catch (error) {
    throw new SmartZoneError('CONFIG_INVALID', `${path}: ${(error as Error).message}`, { cause: error });
  }
  return parseRuleText(content, path);
}

/**
 * The rules in a text of YAML or JSON. Files that it names are relative to the folder of `where`.
 * @throws CONFIG_INVALID with `where`, line and column
 */
export function parseRuleText(content: string, where = 'rules'): Rule[] {
  return checkedYaml(content, where, (value) => parseFile(value, (file) => resolve(dirname(where), file)));
}

/** The rules in a value, as JSON.parse gives it. @param where what errors call the source. @throws CONFIG_INVALID */
export function parseRules(value: unknown, where = 'rules'): Rule[] {
  try {
    return parseFile(value, (file) => file);
  } catch (error) {
    if (error instanceof RuleProblem) throw invalid(`${where}: ${error.message}`);
    throw error;
  }
}

function parseFile(value: unknown, resolveFile: (path: string) => string): Rule[] {
  const file = fields(value, [], ['$schema', 'timezone', 'zones', 'home-assistant', 'rules']);
  if (file.$schema !== undefined) text(file.$schema, ['$schema']);
  const when: WhenSettings = {
    zones: parseZones(file.zones),
    ...given({ timezone: parseTimezone(file.timezone) }),
  };
  const settings: DoSettings = {
    resolve: resolveFile,
    ...parseHomeAssistant(file['home-assistant'], resolveFile),
  };
  const rules = list(file.rules, ['rules']).map((rule, i) => parseRule(rule, ['rules', i], when, settings));
  const names = new Set<string>();
  for (const [i, { name }] of rules.entries()) {
    if (names.has(name)) throw new RuleProblem(['rules', i, 'name'], 'two rules have the same name');
    names.add(name);
  }
  return rules;
}

function parseRule(value: unknown, path: Path, whens: WhenSettings, settings: DoSettings): Rule {
  const rule = fields(value, path, ['name', 'when', 'hold', 'for', 'cooldown', 'on', 'off']);
  const name = text(rule.name, [...path, 'name']);
  const seconds = (key: 'hold' | 'for' | 'cooldown'): number | undefined =>
    rule[key] === undefined ? undefined : number(rule[key], [...path, key], 0, 86_400, ' seconds');
  const when = parseWhen(rule.when, [...path, 'when'], whens);
  const actions = (key: 'on' | 'off'): RuleAction[] =>
    list(rule[key] ?? [], [...path, key]).map((action, i) =>
      parseAction(action, [...path, key, i], when, settings),
    );
  const parsed = {
    name,
    when,
    hold: seconds('hold') ?? DEFAULT_HOLD,
    ...given({ for: seconds('for'), cooldown: seconds('cooldown') }),
    on: actions('on'),
    off: actions('off'),
  };
  if (parsed.on.length + parsed.off.length === 0)
    throw new RuleProblem(path, 'has nothing to do: give on or off');
  return parsed;
}

function parseZones(value: unknown): ReadonlyMap<string, Zone> {
  if (value === undefined) return new Map();
  const zones = fields(value, ['zones'], Object.keys(Object(value) as object));
  return new Map(Object.entries(zones).map(([name, zone]) => [name, parseZone(zone, ['zones', name])]));
}

function parseTimezone(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  const timezone = text(value, ['timezone']);
  try {
    new Intl.DateTimeFormat('en', { timeZone: timezone });
  } catch {
    throw new RuleProblem(['timezone'], `${timezone} is none: a name as Europe/Berlin`);
  }
  return timezone;
}

function parseHomeAssistant(
  value: unknown,
  resolveFile: (path: string) => string,
): Pick<DoSettings, 'homeAssistant'> {
  if (value === undefined) return {};
  const path = ['home-assistant'];
  const given = fields(value, path, ['url', 'token-file']);
  const url = text(given.url, [...path, 'url']);
  checkUrl(url, [...path, 'url']);
  if (url.includes('{{')) throw new RuleProblem([...path, 'url'], 'no templates in it');
  return {
    homeAssistant: { url, tokenFile: resolveFile(text(given['token-file'], [...path, 'token-file'])) },
  };
}

function invalid(detail: string): SmartZoneError {
  return new SmartZoneError('CONFIG_INVALID', detail);
}
