/** Where in the picture, in fractions of it from the upper left corner. A detection is inside by the centre of its box. */
export type Zone =
  | { readonly box: readonly [x: number, y: number, width: number, height: number] }
  | { readonly polygon: readonly (readonly [x: number, y: number])[] };

/** Time of day, minutes since midnight; over midnight where `from` is later than `to`. */
export interface Hours {
  readonly from: number;
  readonly to: number;
  /** 0 is Sunday, as in JavaScript; the day on which the span began. Absent: every day. */
  readonly days?: readonly number[];
  /** IANA name. Absent: the machine's. */
  readonly timezone?: string;
}

/** When a rule holds, judged label by label: every given part must match. */
export interface RuleCondition {
  /** Class name as in the model's labels, or several. */
  readonly class?: string | readonly string[];
  /** Least score of that class (or of any, without `class`), 0..1. */
  readonly score?: number;
  /** Once the rule is on, this lower score keeps it on. */
  readonly release?: number;
  /** Least reconstruction error, for models that detect what is unusual. */
  readonly error?: number;
  /** Name of the sensor in the roster, or several. */
  readonly sensor?: string | readonly string[];
  /** Name of the device in the roster, or several. */
  readonly device?: string | readonly string[];
  readonly zone?: Zone;
  /** How many of what matched must be in the label. Default at least 1. */
  readonly count?: { readonly least: number; readonly most?: number };
  readonly time?: Hours;
  readonly all?: readonly RuleCondition[];
  readonly any?: readonly RuleCondition[];
  readonly not?: RuleCondition;
}

/** A string with {{names}} in it, or a tree of such strings that goes out as JSON. */
export type Template = string;
export type TemplateTree =
  Template | number | boolean | null | readonly TemplateTree[] | { readonly [key: string]: TemplateTree };

export interface PublishAction {
  readonly topic: Template;
  /** Text, or what is sent as JSON. */
  readonly payload: TemplateTree;
  readonly retain?: boolean;
}

export interface WebhookAction {
  /** Host and port stand in the file: templates only in path and query. */
  readonly url: Template;
  readonly method?: 'GET' | 'POST' | 'PUT';
  readonly body?: TemplateTree;
  readonly headers?: Readonly<Record<string, string>>;
  /** File whose first line is sent as a bearer token. */
  readonly tokenFile?: string;
}

export interface HomeAssistantAction {
  readonly url: string;
  readonly tokenFile: string;
  readonly service: string;
  readonly entity?: readonly string[];
  readonly data?: { readonly [key: string]: TemplateTree };
}

/** One thing to do. `run` is a command and its arguments: no shell takes it apart. */
export type RuleAction =
  | { readonly print: Template }
  | { readonly publish: PublishAction }
  | { readonly run: readonly Template[] }
  | { readonly webhook: WebhookAction }
  | { readonly homeAssistant: HomeAssistantAction };

/**
 * Turns on with the first label that matches, and off when none has matched for `hold` seconds: one missed frame does not
 * switch a lamp.
 */
export interface Rule {
  readonly name: string;
  readonly when: RuleCondition;
  readonly hold: number;
  /** Seconds for which it must have matched, without a pause longer than `hold`, before it turns on. */
  readonly for?: number;
  /** Seconds that it stays off after it went off. */
  readonly cooldown?: number;
  readonly on: readonly RuleAction[];
  readonly off: readonly RuleAction[];
}

/** Class names that the conditions of a rule name, other than under `not`. */
export function classesNamed(when: RuleCondition): ReadonlySet<string> {
  const names = new Set<string>(typeof when.class === 'string' ? [when.class] : when.class);
  for (const part of [...(when.all ?? []), ...(when.any ?? [])])
    for (const name of classesNamed(part)) names.add(name);
  return names;
}
