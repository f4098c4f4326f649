import type { ClassScore } from '../../protocol/messages/results.js';
import type { LabelEvent } from './label-event.js';
import type { RuleCondition } from './rule-file.js';

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
}

/** The match of a label with a condition, or undefined. A label without the named class never matches. */
export function matchRule(when: RuleCondition, label: LabelEvent): RuleMatch | undefined {
  const where = { sensor: label.sensor.name, device: label.device.name };
  if (when.sensor !== undefined && when.sensor !== where.sensor) return undefined;
  if (when.device !== undefined && when.device !== where.device) return undefined;
  const { results } = label;
  switch (results.kind) {
    case 'reconstruction':
      return when.error !== undefined && when.class === undefined && results.error >= when.error
        ? { ...where, error: results.error }
        : undefined;
    case 'classes':
      return when.error === undefined ? best(when, results.classes, where) : undefined;
    case 'detections':
      return when.error === undefined ? best(when, results.detections, where) : undefined;
    case 'tensor':
      return undefined;
  }
}

function best(when: RuleCondition, scores: readonly ClassScore[], where: Place): RuleMatch | undefined {
  let top: ClassScore | undefined;
  for (const item of scores) {
    if (when.class !== undefined && item.name !== when.class) continue;
    if (item.score >= (when.score ?? 0) && (top === undefined || item.score > top.score)) top = item;
  }
  return top === undefined ? undefined : { ...where, name: top.name, score: top.score };
}
