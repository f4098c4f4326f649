import type { LabelEvent } from './label-event.js';
import type { RuleCondition } from './rule-file.js';

/** What of a label satisfied a condition: the best score among what matched. */
export interface RuleMatch {
  readonly sensor: string;
  readonly device: string;
  readonly name?: string;
  readonly score?: number;
  readonly error?: number;
}

/** The match of a label with a condition, or undefined. A label without the named class never matches. */
export function matchRule(when: RuleCondition, label: LabelEvent): RuleMatch | undefined {
  const where = { sensor: label.sensor.name, device: label.device.name };
  if (when.sensor !== undefined && when.sensor !== where.sensor) return undefined;
  if (when.device !== undefined && when.device !== where.device) return undefined;
  const { results } = label;
  if (results.kind === 'anomaly')
    return when.error !== undefined && when.class === undefined && results.error >= when.error
      ? { ...where, error: results.error }
      : undefined;
  if (results.kind === 'tensor' || when.error !== undefined) return undefined;
  const best = results.items
    .filter(
      ({ name, score }) => (when.class === undefined || name === when.class) && score >= (when.score ?? 0),
    )
    .reduce<{ name: string; score: number } | undefined>(
      (top, item) => (top === undefined || item.score > top.score ? item : top),
      undefined,
    );
  return best === undefined ? undefined : { ...where, name: best.name, score: best.score };
}
