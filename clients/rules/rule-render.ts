import {
  classesNamed,
  type HomeAssistantAction,
  type RuleAction,
  type TemplateTree,
  type WebhookAction,
} from './rule-model.js';
import type { RuleEdge } from './rule-engine.js';
import { fill, fillTree, type TemplateName, type TemplateValues } from './rule-template.js';

/** An action with everything put in: ready to be done, or to be shown. */
export type RenderedAction =
  | { readonly print: string }
  | { readonly publish: { readonly topic: string; readonly payload: string; readonly retain: boolean } }
  | { readonly run: readonly string[]; readonly env: Readonly<Record<string, string>> }
  | { readonly request: RenderedRequest };

export interface RenderedRequest {
  readonly url: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly tokenFile?: string;
}

/**
 * Puts what a label said into an action, as data. Class names come from the model's publisher and may hold anything: each place
 * takes only what cannot mean something else there.
 * @throws Error where the label's text is refused in that place; the action is then not done
 */
export function renderAction(action: RuleAction, edge: RuleEdge): RenderedAction {
  const values = valuesOf(edge);
  if ('print' in action) return { print: fill(action.print, values, (value) => oneLine(value)) };
  if ('publish' in action) {
    const { topic, payload, retain = false } = action.publish;
    return { publish: { topic: fill(topic, values, topicLevel), payload: asText(payload, values), retain } };
  }
  if ('run' in action) return { run: argumentsOf(action.run, edge, values), env: environmentOf(values) };
  if ('webhook' in action) return { request: requestOf(action.webhook, values) };
  return { request: serviceCall(action.homeAssistant, values) };
}

function valuesOf({ rule, state, match }: RuleEdge): TemplateValues {
  const { name, score, error, count, sensor, device, time } = match;
  return {
    class: name ?? '',
    score: score === undefined ? '' : score.toFixed(3),
    percent: score === undefined ? '' : (score * 100).toFixed(0),
    count: count === undefined ? '' : String(count),
    error: error === undefined ? '' : error.toPrecision(6),
    sensor,
    device,
    rule: rule.name,
    state,
    time: time === undefined ? '' : new Date(time).toISOString(),
  };
}

/** Without what would move a terminal's cursor, forge a line or turn it around. */
const oneLine = (value: string): string =>
  value.replace(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu, '\ufffd');

const asText = (payload: TemplateTree, values: TemplateValues): string =>
  typeof payload === 'string' ? fill(payload, values) : JSON.stringify(fillTree(payload, values));

function topicLevel(value: string, name: TemplateName): string {
  if (value === '' || /[+#/\p{Cc}\p{Cs}\ufffe\uffff]/u.test(value) || value.length > 200)
    throw new Error(`${name} is ${JSON.stringify(value.slice(0, 80))}: not for a topic`);
  return value;
}

/** Numbers, words that the file itself names, and names that the owner signed: nothing else of a label gets into arguments. */
function argumentsOf(words: readonly string[], { rule }: RuleEdge, values: TemplateValues): string[] {
  const named = classesNamed(rule.when);
  return words.map((word, i) =>
    fill(word, values, (value, name, at) => {
      if (name === 'class' && !named.has(value))
        throw new Error(
          `${words[0] ?? ''}: class ${JSON.stringify(value.slice(0, 80))} is none that the rule names`,
        );
      // At the beginning of an argument some characters make an option, a file's name or an address of it.
      if (i > 0 && at === 0 && /^[-+@~/\\]/.test(value))
        throw new Error(
          `${words[0] ?? ''}: ${name} ${JSON.stringify(value.slice(0, 80))} would be an option or a file`,
        );
      if (value.includes('\0')) throw new Error(`${name} has a NUL`);
      return value;
    }),
  );
}

/** In the environment text is only text; NUL cannot be in it. */
function environmentOf(values: TemplateValues): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).map(([name, value]) => [
      `SMART_ZONE_${name.toUpperCase()}`,
      value.replaceAll('\0', '\ufffd'),
    ]),
  );
}

function urlOf(template: string, values: TemplateValues): string {
  const encode = (value: string): string => encodeURIComponent(Buffer.from(value).toString());
  const url = new URL(fill(template, values, encode));
  const plain = new URL(fill(template, values, () => 'x'));
  // "." and ".." would climb out of the path, also in their encoded form: then it has fewer parts than it should have.
  if (
    url.origin !== plain.origin ||
    url.pathname.split('/').length !== plain.pathname.split('/').length ||
    /\/(?:\.|%2e){1,2}(?:\/|$)/i.test(url.pathname)
  )
    throw new Error(`${plain.origin}: the label's text would lead to another path`);
  return url.href;
}

function requestOf(
  { url, method = 'POST', body, headers, tokenFile }: WebhookAction,
  values: TemplateValues,
): RenderedRequest {
  return {
    url: urlOf(url, values),
    method,
    headers: {
      ...(body === undefined
        ? {}
        : { 'content-type': typeof body === 'string' ? 'text/plain; charset=utf-8' : 'application/json' }),
      ...headers,
    },
    ...(body === undefined ? {} : { body: asText(body, values) }),
    ...(tokenFile === undefined ? {} : { tokenFile }),
  };
}

/** As Home Assistant's REST API takes it: POST /api/services/<domain>/<service> (developers.home-assistant.io/docs/api/rest). */
function serviceCall(
  { url, tokenFile, service, entity, data }: HomeAssistantAction,
  values: TemplateValues,
): RenderedRequest {
  const noTemplate = (value: string, name: TemplateName): string => {
    // Some services run their texts as templates, which can read every state of the home.
    if (/\{[{%#]/.test(value)) throw new Error(`${name} holds a template of Home Assistant's: not sent`);
    return value;
  };
  const filled = data === undefined ? {} : (fillTree(data, values, noTemplate) as object);
  const base = url.replace(/\/+$/, '');
  return {
    url: `${base}/api/services/${service.replace('.', '/')}`,
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ ...(entity === undefined ? {} : { entity_id: entity }), ...filled }),
    tokenFile,
  };
}
