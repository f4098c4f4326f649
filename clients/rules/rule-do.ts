import { fields, given, list, RuleProblem, text, textOrList, type Path } from './rule-fields.js';
import {
  classesNamed,
  type HomeAssistantAction,
  type RuleAction,
  type RuleCondition,
  type TemplateTree,
  type WebhookAction,
} from './rule-model.js';
import { namesIn, templateProblem } from './rule-template.js';

/** What actions refer to. */
export interface DoSettings {
  readonly homeAssistant?: { readonly url: string; readonly tokenFile: string };
  /** Makes a path of the file relative to it. */
  readonly resolve: (path: string) => string;
}

const KINDS = ['print', 'publish', 'run', 'webhook', 'home-assistant'] as const;

export function parseAction(
  value: unknown,
  path: Path,
  when: RuleCondition,
  settings: DoSettings,
): RuleAction {
  const action = fields(value, path, KINDS);
  const [kind, ...others] = Object.keys(action) as (typeof KINDS)[number][];
  if (kind === undefined || others.length > 0) throw new RuleProblem(path, `one of ${KINDS.join(', ')}`);
  const at = [...path, kind];
  switch (kind) {
    case 'print':
      return { print: template(action.print, at) };
    case 'publish':
      return { publish: parsePublish(action.publish, at) };
    case 'run':
      return { run: parseRun(action.run, at, when) };
    case 'webhook':
      return { webhook: parseWebhook(action.webhook, at, settings) };
    case 'home-assistant':
      return { homeAssistant: parseService(action['home-assistant'], at, settings) };
  }
}

function template(value: unknown, path: Path, mayBeEmpty = false): string {
  const parsed = text(value, path, mayBeEmpty);
  const problem = templateProblem(parsed);
  if (problem !== undefined) throw new RuleProblem(path, problem);
  return parsed;
}

function literal(value: unknown, path: Path, what: string): string {
  const parsed = text(value, path);
  if (parsed.includes('{{'))
    throw new RuleProblem(path, `no templates in ${what}: a label must not choose it`);
  return parsed;
}

/** Text, or a tree that goes out as JSON. JSON as text with templates in it is refused: a label's quotes would change its shape. */
function body(value: unknown, path: Path, depth = 0): TemplateTree {
  if (depth > 16) throw new RuleProblem(path, 'too deep');
  if (typeof value === 'string') {
    const parsed = template(value, path, true);
    if (
      depth === 0 &&
      /^\s*[[{]/.test(parsed) &&
      namesIn(parsed).length > 0 &&
      !/^\s*\{\{[^{}]*\}\}/.test(parsed)
    )
      throw new RuleProblem(path, 'JSON with templates: write it as a mapping, not as a string');
    return parsed;
  }
  if (value === null || typeof value === 'boolean' || typeof value === 'number') return value;
  if (Array.isArray(value)) return list(value, path).map((item, i) => body(item, [...path, i], depth + 1));
  return Object.fromEntries(
    Object.entries(value as object).map(([key, item]) => [key, body(item, [...path, key], depth + 1)]),
  );
}

function parsePublish(value: unknown, path: Path): Extract<RuleAction, { publish: unknown }>['publish'] {
  const publish = fields(value, path, ['topic', 'payload', 'retain']);
  const topic = template(publish.topic, [...path, 'topic']);
  // eslint-disable-next-line no-control-regex -- MQTT forbids it
  if (/[+#\u0000]/.test(topic)) throw new RuleProblem([...path, 'topic'], 'no wildcards');
  if (topic.split('/', 1)[0]?.includes('{{') === true)
    throw new RuleProblem([...path, 'topic'], 'no templates in the first level: a label must not choose it');
  const { retain } = publish;
  if (retain !== undefined && typeof retain !== 'boolean')
    throw new RuleProblem([...path, 'retain'], 'true or false');
  return { topic, payload: body(publish.payload ?? '', [...path, 'payload']), ...given({ retain }) };
}

/** Programs that take one of their arguments apart as a program. */
const SHELL = /^(?:(?:ba|da|z|k|c|tc|fi|a)?sh|busybox|cmd|powershell|pwsh|ssh|eval)(?:\.exe)?$/i;

function parseRun(value: unknown, path: Path, when: RuleCondition): string[] {
  const words = list(value, path).map((word, i) => template(word, [...path, i], i > 0));
  const [command, ...args] = words;
  if (command === undefined) throw new RuleProblem(path, 'a command and its arguments');
  literal(command, [...path, 0], 'the command');
  const shell = words.find((word) => SHELL.test(word.split(/[\\/]/).at(-1) ?? ''));
  for (const [i, arg] of args.entries()) {
    const names = namesIn(arg);
    const at = [...path, i + 1];
    if (names.length === 0) continue;
    if (shell !== undefined)
      throw new RuleProblem(
        at,
        `no templates for ${shell}: it would take them apart; use $SMART_ZONE_CLASS and its like`,
      );
    if (/^(?:-c|-e|-p|--eval|--command|--print)$/i.test(args[i - 1] ?? ''))
      throw new RuleProblem(at, 'no templates in a program text');
    if (names.includes('class') && classesNamed(when).size === 0)
      throw new RuleProblem(at, '{{class}} only where `when` names the classes; or use $SMART_ZONE_CLASS');
  }
  return words;
}

function parseWebhook(value: unknown, path: Path, { resolve }: DoSettings): WebhookAction {
  const hook = fields(value, path, ['url', 'method', 'body', 'headers', 'token-file']);
  const url = template(hook.url, [...path, 'url']);
  checkUrl(url, [...path, 'url']);
  const method = hook.method ?? 'POST';
  if (method !== 'GET' && method !== 'POST' && method !== 'PUT')
    throw new RuleProblem([...path, 'method'], 'GET, POST or PUT');
  if (method === 'GET' && hook.body !== undefined) throw new RuleProblem([...path, 'body'], 'GET has none');
  const headers =
    hook.headers === undefined
      ? undefined
      : fields(hook.headers, [...path, 'headers'], Object.keys(hook.headers as object));
  for (const [name, content] of Object.entries(headers ?? {})) {
    const at = [...path, 'headers', name];
    if (!/^[A-Za-z0-9-]+$/.test(name) || /[^\t\x20-\x7e]/.test(literal(content, at, 'headers')))
      throw new RuleProblem(at, 'a header: letters, digits and -, and printable ASCII');
    if (/^(?:host|content-length|transfer-encoding|connection)$/i.test(name))
      throw new RuleProblem(at, 'is set by the connection');
  }
  const token = hook['token-file'];
  return {
    url,
    method,
    ...given({
      body: hook.body === undefined ? undefined : body(hook.body, [...path, 'body']),
      headers: headers as Record<string, string> | undefined,
      tokenFile:
        token === undefined ? undefined : resolve(literal(token, [...path, 'token-file'], 'a file name')),
    }),
  };
}

/** @throws RuleProblem where it is no address of http or https, or a template could choose the host */
export function checkUrl(url: string, path: Path): void {
  const origin = /^https?:\/\/[^/?#\\]+/i.exec(url)?.[0] ?? '';
  if (origin === '' || !URL.canParse(origin) || /\s/.test(origin))
    throw new RuleProblem(path, 'an address that begins with http:// or https:// and a host');
  if (origin.includes('{'))
    throw new RuleProblem(path, 'no templates in the host: a label must not choose it');
  if (origin.includes('@')) throw new RuleProblem(path, 'no user and password in an address: use token-file');
}

function parseService(value: unknown, path: Path, { homeAssistant }: DoSettings): HomeAssistantAction {
  const call = fields(value, path, ['service', 'entity', 'data']);
  if (homeAssistant === undefined)
    throw new RuleProblem(path, 'which Home Assistant? give home-assistant: {url, token-file} beside rules');
  const service = text(call.service, [...path, 'service']);
  if (!/^[a-z0-9_]+\.[a-z0-9_]+$/.test(service))
    throw new RuleProblem([...path, 'service'], 'domain.service, as light.turn_on');
  const entity =
    call.entity === undefined ? undefined : [textOrList(call.entity, [...path, 'entity'])].flat();
  for (const id of entity ?? [])
    if (!/^[a-z0-9_]+\.[a-z0-9_]+$/.test(id))
      throw new RuleProblem([...path, 'entity'], 'domain.name, as light.porch, without templates');
  let data: HomeAssistantAction['data'];
  if (call.data !== undefined) {
    const at = [...path, 'data'];
    data = body(fields(call.data, at, Object.keys(call.data as object)), at) as NonNullable<typeof data>;
    for (const key of Object.keys(data))
      if (/template$/.test(key) || /^(?:entity_id|area_id|device_id|label_id|floor_id)$/.test(key))
        throw new RuleProblem(
          [...at, key],
          'not in data: entities go under entity, and Home Assistant would run a template',
        );
  }
  return { ...homeAssistant, service, ...given({ entity, data }) };
}
