import { fields, given, list, number, RuleProblem, text, textOrList, type Path } from './rule-fields.js';
import type { Hours, RuleCondition, Zone } from './rule-model.js';

/** What conditions refer to by name. */
export interface WhenSettings {
  readonly zones: ReadonlyMap<string, Zone>;
  readonly timezone?: string;
}

const KEYS = [
  'class',
  'score',
  'release',
  'error',
  'sensor',
  'device',
  'zone',
  'count',
  'time',
  'all',
  'any',
  'not',
] as const;
const DEEPEST = 16;

export function parseWhen(value: unknown, path: Path, settings: WhenSettings): RuleCondition {
  const when = parseCondition(value, path, settings, 0);
  if (!looksAtLabel(when)) throw new RuleProblem(path, 'needs class, score or error');
  return when;
}

const looksAtLabel = (when: RuleCondition): boolean =>
  when.class !== undefined ||
  when.score !== undefined ||
  when.error !== undefined ||
  [...(when.all ?? []), ...(when.any ?? []), ...(when.not === undefined ? [] : [when.not])].some(
    looksAtLabel,
  );

function parseCondition(value: unknown, path: Path, settings: WhenSettings, depth: number): RuleCondition {
  if (depth > DEEPEST) throw new RuleProblem(path, `conditions more than ${DEEPEST} deep`);
  const when = fields(value, path, KEYS);
  if (Object.keys(when).length === 0) throw new RuleProblem(path, 'an empty condition');
  const names = (key: 'class' | 'sensor' | 'device') =>
    when[key] === undefined ? undefined : textOrList(when[key], [...path, key]);
  const parts = (key: 'all' | 'any') => {
    if (when[key] === undefined) return undefined;
    const items = list(when[key], [...path, key], 100);
    if (items.length === 0) throw new RuleProblem([...path, key], 'an empty list');
    return items.map((item, i) => parseCondition(item, [...path, key, i], settings, depth + 1));
  };
  const numeric = (key: 'score' | 'release' | 'error', most: number) =>
    when[key] === undefined ? undefined : number(when[key], [...path, key], 0, most);
  const score = numeric('score', 1);
  const release = numeric('release', 1);
  if (release !== undefined && !(score !== undefined && release <= score))
    throw new RuleProblem([...path, 'release'], 'a number below score: what keeps the rule on');
  const error = numeric('error', Number.MAX_VALUE);
  if (error !== undefined && (when.class ?? score ?? when.zone ?? when.count) !== undefined)
    throw new RuleProblem(
      [...path, 'error'],
      'a model gives either an error or classes: not both in one condition',
    );
  return given({
    class: names('class'),
    score,
    release,
    error,
    sensor: names('sensor'),
    device: names('device'),
    zone: when.zone === undefined ? undefined : parseZone(when.zone, [...path, 'zone'], settings.zones),
    count: when.count === undefined ? undefined : parseCount(when.count, [...path, 'count']),
    time: when.time === undefined ? undefined : parseHours(when.time, [...path, 'time'], settings.timezone),
    all: parts('all'),
    any: parts('any'),
    not: when.not === undefined ? undefined : parseCondition(when.not, [...path, 'not'], settings, depth + 1),
  });
}

/** @param zones what a name may stand for; none where zones are being defined */
export function parseZone(value: unknown, path: Path, zones?: ReadonlyMap<string, Zone>): Zone {
  if (typeof value === 'string' && zones !== undefined) {
    const zone = zones.get(value);
    if (zone === undefined)
      throw new RuleProblem(path, `no such zone; zones has ${[...zones.keys()].join(', ') || 'none'}`);
    return zone;
  }
  const zone = fields(value, path, ['box', 'polygon']);
  const part = (each: unknown, at: Path): number => number(each, at, 0, 1, ', a fraction of the picture');
  if (zone.box !== undefined && zone.polygon === undefined) {
    const at = [...path, 'box'];
    const [x, y, width, height, ...rest] = list(zone.box, at, 4).map((each, i) => part(each, [...at, i]));
    if (x === undefined || y === undefined || width === undefined || height === undefined || rest.length > 0)
      throw new RuleProblem(at, 'x, y, width, height');
    return { box: [x, y, width, height] };
  }
  if (zone.polygon !== undefined && zone.box === undefined) {
    const at = [...path, 'polygon'];
    const points = list(zone.polygon, at, 100).map((point, i): readonly [number, number] => {
      const [x, y, ...rest] = list(point, [...at, i], 2);
      if (rest.length > 0) throw new RuleProblem([...at, i], 'x, y');
      return [part(x, [...at, i, 0]), part(y, [...at, i, 1])];
    });
    if (points.length < 3) throw new RuleProblem(at, 'at least three points');
    return { polygon: points };
  }
  throw new RuleProblem(path, 'either box or polygon');
}

function parseCount(value: unknown, path: Path): { least: number; most?: number } {
  const whole = (each: unknown, at: Path): number => {
    const parsed = number(each, at, 1, 10_000);
    if (!Number.isInteger(parsed)) throw new RuleProblem(at, 'a whole number');
    return parsed;
  };
  if (typeof value === 'number') return { least: whole(value, path) };
  const count = fields(value, path, ['least', 'most']);
  const least = count.least === undefined ? 1 : whole(count.least, [...path, 'least']);
  if (count.most === undefined) return { least };
  const most = whole(count.most, [...path, 'most']);
  if (most < least) throw new RuleProblem([...path, 'most'], 'not below least');
  return { least, most };
}

const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];

function parseHours(value: unknown, path: Path, timezone: string | undefined): Hours {
  const hours = fields(value, path, ['from', 'to', 'days']);
  const minutes = (key: 'from' | 'to'): number => {
    const match = /^([01]?\d|2[0-4]):([0-5]\d)$/.exec(typeof hours[key] === 'string' ? hours[key] : '');
    const total = Number(match?.[1]) * 60 + Number(match?.[2]);
    if (match === null || total > 24 * 60) throw new RuleProblem([...path, key], 'a time of day, as "22:30"');
    return total;
  };
  const span = { from: minutes('from'), to: minutes('to') };
  if (span.from === span.to) throw new RuleProblem(path, 'from and to are the same');
  const days =
    hours.days === undefined
      ? undefined
      : list(hours.days, [...path, 'days'], 7).map((day, i) => {
          const index = DAYS.indexOf(text(day, [...path, 'days', i]));
          if (index < 0) throw new RuleProblem([...path, 'days', i], `one of ${DAYS.join(', ')}`);
          return index;
        });
  return { ...span, ...given({ days, timezone }) };
}
