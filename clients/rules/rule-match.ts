import type { ClassScore, Detection } from '../../protocol/messages/results.js';
import type { LabelEvent } from './label-event.js';
import type { Hours, RuleCondition, Zone } from './rule-model.js';

/** By the names in the roster. */
interface Place {
  readonly sensor: string;
  readonly device: string;
}

/** What of a label satisfied a condition: the best score among what matched. */
export interface RuleMatch extends Place {
  readonly name?: string;
  readonly score?: number;
  readonly error?: number;
  /** How many matched. */
  readonly count?: number;
  /** The label's, milliseconds since 1970. */
  readonly time?: number;
}

/**
 * The match of a label with a condition, or undefined. A label without the named class never matches.
 * @param on the rule is on: `release` counts where it is given, instead of `score`
 */
export function matchRule(when: RuleCondition, label: LabelEvent, on = false): RuleMatch | undefined {
  const { sensor, device, sensorTime: time } = label;
  const where = { sensor: sensor.name, device: device.name, time };
  if (!isOneOf(when.sensor, sensor.name) || !isOneOf(when.device, device.name)) return undefined;
  let match: RuleMatch | undefined;
  if (
    when.class !== undefined ||
    when.score !== undefined ||
    when.error !== undefined ||
    when.zone ||
    when.count
  ) {
    match = matchResults(when, label, where, on);
    if (match === undefined) return undefined;
  }
  for (const part of when.all ?? []) {
    const found = matchRule(part, label, on);
    if (found === undefined) return undefined;
    match = better(match, found);
  }
  if (when.any !== undefined) {
    let one: RuleMatch | undefined;
    for (const part of when.any) {
      const found = matchRule(part, label, on);
      if (found !== undefined) one = better(one, found);
    }
    if (one === undefined) return undefined;
    match = better(match, one);
  }
  if (when.not !== undefined && matchRule(when.not, label, on) !== undefined) return undefined;
  if (when.time !== undefined && !within(when.time, time)) return undefined;
  return match ?? where;
}

/** The first that says what was seen speaks for all. */
const better = (a: RuleMatch | undefined, b: RuleMatch): RuleMatch =>
  a === undefined || (a.name === undefined && a.error === undefined) ? b : a;

const isOneOf = (wanted: string | readonly string[] | undefined, name: string): boolean =>
  wanted === undefined || (typeof wanted === 'string' ? wanted === name : wanted.includes(name));

function matchResults(
  when: RuleCondition,
  label: LabelEvent,
  where: Place,
  on: boolean,
): RuleMatch | undefined {
  const { results } = label;
  switch (results.kind) {
    case 'reconstruction':
      return when.error !== undefined && when.class === undefined && results.error >= when.error
        ? { ...where, error: results.error }
        : undefined;
    case 'classes':
      return when.error === undefined ? best(when, results.classes, where, on) : undefined;
    case 'detections':
      return when.error === undefined ? best(when, results.detections, where, on) : undefined;
    case 'tensor':
      return undefined;
  }
}

function best(
  when: RuleCondition,
  scores: readonly (ClassScore | Detection)[],
  where: Place,
  on: boolean,
): RuleMatch | undefined {
  const least = (on ? when.release : undefined) ?? when.score ?? 0;
  let top: ClassScore | undefined;
  let count = 0;
  for (const item of scores) {
    if (!isOneOf(when.class, item.name) || !(item.score >= least)) continue;
    if (when.zone !== undefined && !('box' in item && isInside(when.zone, item.box))) continue;
    count += 1;
    if (top === undefined || item.score > top.score) top = item;
  }
  if (top === undefined || count < (when.count?.least ?? 1) || count > (when.count?.most ?? Infinity))
    return undefined;
  return { ...where, name: top.name, score: top.score, count };
}

/** Whether the centre of a detection is in a zone. */
function isInside(zone: Zone, { x, y, width, height }: Detection['box']): boolean {
  const [cx, cy] = [x + width / 2, y + height / 2];
  if ('box' in zone) {
    const [left, top, w, h] = zone.box;
    return cx >= left && cx <= left + w && cy >= top && cy <= top + h;
  }
  // Even-odd rule: how many edges a ray to the right crosses.
  let inside = false;
  let [px, py] = zone.polygon.at(-1) ?? [0, 0];
  for (const [qx, qy] of zone.polygon) {
    if (qy > cy !== py > cy && cx < ((px - qx) * (cy - qy)) / (py - qy) + qx) inside = !inside;
    [px, py] = [qx, qy];
  }
  return inside;
}

const formats = new Map<string | undefined, Intl.DateTimeFormat>();
const WEEKDAYS = ['Sun', 'Mon', 'Tue', 'Wed', 'Thu', 'Fri', 'Sat'];

function within({ from, to, days, timezone }: Hours, time: number): boolean {
  const [day, now] = localTime(time, timezone);
  const on = (each: number): boolean => days === undefined || days.includes(each);
  if (from < to) return now >= from && now < to && on(day);
  // Over midnight: the early hours belong to the day before.
  return now >= from ? on(day) : now < to && on((day + 6) % 7);
}

/** Day of the week and minutes since midnight. */
function localTime(time: number, timezone: string | undefined): [day: number, minutes: number] {
  if (timezone === undefined) {
    const date = new Date(time);
    return [date.getDay(), date.getHours() * 60 + date.getMinutes()];
  }
  let format = formats.get(timezone);
  if (format === undefined) {
    format = new Intl.DateTimeFormat('en-US', {
      timeZone: timezone,
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
      hourCycle: 'h23',
    });
    formats.set(timezone, format);
  }
  const parts = format.formatToParts(time);
  const part = (type: string): string => parts.find((each) => each.type === type)?.value ?? '';
  return [WEEKDAYS.indexOf(part('weekday')), Number(part('hour')) * 60 + Number(part('minute'))];
}
