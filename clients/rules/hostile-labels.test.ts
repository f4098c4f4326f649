/** What a label says is a stranger's text. Whatever it is, it stays data: no shell, no file, no other host, no other topic. */
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { mkdtempSync, readFileSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { performActions, parseRuleText, renderAction, type RuleEdge } from './index.js';

const HOSTILE = [
  '$(touch pwned)',
  '`touch pwned`',
  '; touch pwned',
  '| touch pwned',
  "' && touch pwned && '",
  '" || touch pwned #',
  '\n touch pwned\n',
  '-o/tmp/pwned',
  '--output=pwned',
  '@/etc/passwd',
  '+x',
  '~root',
  '/etc/passwd',
  '../../etc/passwd',
  '..',
  '.',
  '%2e%2e',
  '..%2f..',
  '\\\\evil.example\\share',
  '//evil.example/x',
  '@evil.example',
  ':99@evil.example/',
  'https://evil.example/',
  '?a=b&c=d#e',
  '#',
  '+',
  'a/b',
  'a\u0000b',
  '{{sensor}}',
  '{{ states("lock.door") }}',
  '{% set x = 1 %}',
  '","admin":true,"x":"',
  '\u001b[2J\u001b]0;owned\u0007',
  '\u202egnp.exe',
  '\ud800',
  '__proto__',
  'constructor',
  '',
  ' ',
  'x'.repeat(100_000),
];

const folder = mkdtempSync(join(tmpdir(), 'sz-hostile-'));
const asked: {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingMessage['headers'];
  body: string;
}[] = [];
let server: Server;
let elsewhere: Server;
let elsewhereAsked = 0;
let redirect = false;
let origin = '';

beforeAll(async () => {
  elsewhere = createServer((_request, response) => {
    elsewhereAsked += 1;
    response.end();
  });
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
  const other = `http://127.0.0.1:${(elsewhere.address() as AddressInfo).port}/stolen`;
  server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const { method, url, headers } = request;
      asked.push({ method, url, headers, body });
      if (redirect) response.writeHead(307, { location: other });
      response.end();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  writeFileSync(join(folder, 'token'), 'secret-token\n');
});
beforeEach(() => (asked.length = 0));
afterAll(() => {
  for (const each of [server, elsewhere]) {
    each.closeAllConnections();
    each.close();
  }
  rmSync(folder, { recursive: true });
});

/** The edge of a rule with one action, that a label with this class name turned on. */
const edge = (action: string, name: string, when = '{ score: 0.1 }'): RuleEdge => {
  const [rule] = parseRuleText(
    `home-assistant: { url: "${origin}", token-file: token }
rules: [{ name: r, when: ${when}, on: [${action}] }]`,
    join(folder, 'rules.yaml'),
  );
  if (rule === undefined) throw new Error('no rule');
  return {
    rule,
    state: 'on',
    match: { sensor: 'porch', device: 'pi', name, score: 0.9, count: 1, time: 0 },
    actions: rule.on,
  };
};

const rendered = (each: RuleEdge) => {
  const [action] = each.actions;
  if (action === undefined) throw new Error('no action');
  return renderAction(action, each);
};

const printed: string[] = [];
const published: [string, string][] = [];
const perform = (each: RuleEdge): Promise<Error[]> =>
  performActions(each, {
    print: (line) => printed.push(line),
    link: {
      publish: (topic, payload) => {
        published.push([topic, String(payload)]);
        return Promise.resolve();
      },
    },
  });

test('command: no argument of a label that the file does not name; the text is in the environment, as it is', async () => {
  const show = join(folder, 'show.mjs');
  writeFileSync(
    show,
    `import { writeFileSync } from 'node:fs';
writeFileSync(process.argv[2], JSON.stringify({ args: process.argv.slice(3), name: process.env.SMART_ZONE_CLASS }));`,
  );
  const out = join(folder, 'out.json');
  for (const name of HOSTILE) {
    const given = edge(`{ run: [tool, "{{class}}", "--what={{class}}"] }`, name, '{ class: person }');
    expect(() => rendered(given)).toThrow('none that the rule names');
  }
  // Starting processes is slow: the ones that mean something to a shell or a file system.
  for (const name of HOSTILE.slice(0, 7)) {
    const run = `{ run: [${JSON.stringify(process.execPath)}, ${JSON.stringify(show)}, ${JSON.stringify(out)}, "{{score}}"] }`;
    expect(await perform(edge(run, name))).toEqual([]);
    expect(JSON.parse(readFileSync(out, 'utf8'))).toEqual({ args: ['0.900'], name });
  }
  expect(existsSync('pwned')).toBe(false);
  const nul = rendered(edge('{ run: [tool] }', 'a\u0000b'));
  expect('env' in nul && nul.env.SMART_ZONE_CLASS).toBe('a\ufffdb');
});

test('command: a class that the file does name is put in, unless it would be an option or a file there', () => {
  const run = (name: string, word = '{{class}}') =>
    rendered(edge(`{ run: [say, ${JSON.stringify(word)}] }`, name, `{ class: ${JSON.stringify(name)} }`));
  expect(run('person')).toMatchObject({ run: ['say', 'person'] });
  for (const name of ['-rf', '--help', '@file', '/etc/passwd', '~x', '+x'])
    expect(() => run(name)).toThrow('an option or a file');
  expect(run('-rf', 'saw {{class}}')).toMatchObject({ run: ['say', 'saw -rf'] });
});

test('publish: one level of the topic stays one level; a payload of JSON keeps its shape', async () => {
  let refused = 0;
  for (const name of HOSTILE) {
    published.length = 0;
    const action =
      '{ publish: { topic: "home/seen/{{class}}/now", payload: { what: "{{class}}", sure: true } } }';
    const failures = await perform(edge(action, name));
    if (failures.length > 0) {
      expect(failures[0]?.message).toContain('not for a topic');
      expect(published).toEqual([]);
      refused += 1;
      continue;
    }
    expect(published).toHaveLength(1);
    const [topic, payload] = published[0] ?? ['', ''];
    expect(topic.split('/')).toEqual(['home', 'seen', name, 'now']);
    expect(topic).not.toMatch(/[+#\0]/);
    expect(JSON.parse(payload)).toEqual({ what: name, sure: true });
  }
  for (const name of ['+', '#', 'a/b', 'a\u0000b', '../../etc/passwd'])
    expect(await perform(edge('{ publish: { topic: "home/{{class}}" } }', name))).toHaveLength(1);
  expect(refused).toBeGreaterThan(5);
  expect(refused).toBeLessThan(HOSTILE.length);
});

test('webhook: always the host, the path and the parameters of the file, and the text arrives as it is', async () => {
  let arrived = 0;
  for (const name of HOSTILE) {
    if (name.length > 1000) continue;
    asked.length = 0;
    const action = `{ webhook: { url: "${origin}/hook/{{class}}/end?what={{class}}", body: { what: "{{class}}" } } }`;
    const failures = await perform(edge(action, name));
    if (failures.length > 0) {
      expect(failures[0]?.message).toContain('another path');
      expect(asked).toEqual([]);
      continue;
    }
    arrived += 1;
    const url = new URL(asked[0]?.url ?? '', origin);
    const sent = Buffer.from(name).toString();
    expect(url.pathname.split('/').map(decodeURIComponent)).toEqual(['', 'hook', sent, 'end']);
    expect([...url.searchParams]).toEqual([['what', sent]]);
    expect(asked[0]?.headers.host).toBe(new URL(origin).host);
    expect(JSON.parse(asked[0]?.body ?? '')).toEqual({ what: name });
  }
  expect(arrived).toBeGreaterThan(HOSTILE.length - 6);
  for (const name of ['.', '..'])
    expect(await perform(edge(`{ webhook: { url: "${origin}/a/{{class}}/b" } }`, name))).toHaveLength(1);
});

test('webhook: a redirection is not followed', async () => {
  redirect = true;
  const failures = await perform(edge(`{ webhook: { url: "${origin}/hook", token-file: token } }`, 'person'));
  redirect = false;
  expect(failures[0]?.message).toContain('answered 307');
  expect(elsewhereAsked).toBe(0);
  expect(asked[0]?.headers.authorization).toBe('Bearer secret-token');
});

test('Home Assistant: the service and the entities of the file; text that it could run is not sent', async () => {
  let arrived = 0;
  for (const name of HOSTILE) {
    if (name.length > 1000) continue;
    asked.length = 0;
    const action = `{ home-assistant: { service: notify.phone, entity: light.porch, data: { message: "saw {{class}}" } } }`;
    const failures = await perform(edge(action, name));
    if (/\{[{%#]/.test(name)) {
      expect(failures[0]?.message).toContain('template of Home Assistant');
      expect(asked).toEqual([]);
      continue;
    }
    expect(failures).toEqual([]);
    arrived += 1;
    expect(asked[0]).toMatchObject({ method: 'POST', url: '/api/services/notify/phone' });
    expect(asked[0]?.headers.authorization).toBe('Bearer secret-token');
    expect(JSON.parse(asked[0]?.body ?? '')).toEqual({ entity_id: ['light.porch'], message: `saw ${name}` });
  }
  expect(arrived).toBeGreaterThan(30);
});

test('print: nothing that moves a cursor, forges a line or turns it around', async () => {
  printed.length = 0;
  for (const name of HOSTILE) expect(await perform(edge('{ print: "saw {{class}}" }', name))).toEqual([]);
  expect(printed).toHaveLength(HOSTILE.length);
  for (const line of printed) expect(line).not.toMatch(/[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/u);
  // Put in once: what a label brings along is not filled in again.
  expect(printed).toContain('saw {{sensor}}');
});
