/** The dashboard in a real browser, with labels of a real device, and with hostile ones. */
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { chromium, type Browser, type Page } from 'playwright-core';
import sharp from 'sharp';
import { generateKeys, publicLine, publicOf, writeKeyFile } from '../../clients/keys/index.js';
import { BrokerLink } from '../../clients/link/index.js';
import { DashboardServer, DashboardState } from '../../clients/rules/dashboard/index.js';
import { connectRules, parseRules, RuleEngine, type Rules } from '../../clients/rules/index.js';
import { FACE } from '../../demo/household.js';
import { PREFIX, theScenes, until, World } from '../e2e/world.js';

const CHROMIUM = ['/usr/bin/chromium', '/usr/bin/chromium-browser'].find((path) => existsSync(path));

let world: World;
let rules: Rules;
let state: DashboardState;
let server: DashboardServer;
let browser: Browser;
const closers: (() => unknown)[] = [];

beforeAll(async () => {
  if (CHROMIUM === undefined) throw new Error('no chromium: sudo apt-get install chromium');
  world = await World.create();
  closers.push(() => world.close());
  await world.rules.close();
  const { home, broker } = world;
  const connection = { url: broker.url, protocol: broker.protocol };
  rules = await connectRules({
    broker: { ...connection, clientId: 'dashboard-rules' },
    devices: [{ prefix: PREFIX }],
    key: home.rulesKeys,
    owner: publicOf(home.ownerKeys),
  });
  closers.push(() => rules.close());
  state = new DashboardState(rules, () => server?.changed(), true);
  const engine = new RuleEngine(
    parseRules(
      { rules: [{ name: 'porch light', when: { class: FACE, score: 0.6 }, on: [{ print: 'light' }] }] },
      'test',
    ),
  );
  engine.on('edge', (edge) => state.ruleFired(edge));
  rules.on('label', ({ label }) => engine.apply(label));
  closers.push(() => engine.close());
  const watch = await BrokerLink.connect({ ...connection, clientId: 'dashboard' });
  closers.push(() => watch.close());
  await watch.subscribe(`${PREFIX}/#`, ({ topic, payload }) => state.sawMessage(topic, payload));
  server = await DashboardServer.start({ snapshot: () => state.snapshot(), port: 0 });
  closers.push(() => server.close());
  await rules.ready();
  browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox', '--disable-gpu'] });
  closers.push(() => browser.close());
}, 60_000);

afterAll(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

/** A page, and what it complained about. */
const open = async (colorScheme: 'dark' | 'light'): Promise<{ page: Page; complaints: string[] }> => {
  const page = await browser.newPage({ colorScheme, viewport: { width: 1280, height: 860 } });
  const complaints: string[] = [];
  page.on('console', (message) => {
    if (message.type() === 'error' || message.type() === 'warning') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(error.message));
  page.on('request', (each) => {
    if (!each.url().startsWith(server.url)) complaints.push(`asked for ${each.url()}`);
  });
  await page.goto(server.url);
  await page.getByText('Connected to the broker').waitFor();
  return { page, complaints };
};

const textOf = (page: Page, selector: string): Promise<string> => page.locator(selector).innerText();

test('labels, devices, latency and ciphertext, in light and in dark', async () => {
  const { page, complaints } = await open('light');
  const scenes = await theScenes();
  for (const scene of scenes) {
    const number = state.snapshot().sensors[0]?.total ?? 0;
    world.sensor.sendFrame(world.frameOf(scene));
    await until(
      () => (state.snapshot().sensors[0]?.total ?? 0) > number,
      () => 'no label',
    );
  }
  await page.locator('#sensors').getByText(`${scenes.length} labels`).waitFor();
  expect(await textOf(page, '#known')).toContain(FACE);
  expect(await textOf(page, '#sensors')).toContain('no gaps in the numbers');
  expect(await textOf(page, '#devices')).toMatch(
    /porch[^]*says it is online[^]*security level: software[^]*model 1 since/,
  );
  expect(await textOf(page, '#latency-text')).toMatch(/Half within \d+ ms/);
  expect(await textOf(page, '#rules')).toContain('porch light: on');
  // The broker's side has topics, sizes and bytes, and no word of what was seen.
  const wire = await textOf(page, '#wire');
  expect(wire).toMatch(new RegExp(`${PREFIX}/label/[0-9a-f]{16}\\s+\\d{3,4}\\s+[0-9a-f]{64}`));
  expect(wire).not.toContain(FACE);
  expect(wire).not.toContain(Buffer.from(FACE).toString('hex'));
  const shots = join('build', 'dashboard');
  mkdirSync(shots, { recursive: true });
  let bytes = 0;
  for (const scheme of ['light', 'dark'] as const) {
    await page.emulateMedia({ colorScheme: scheme });
    const png = await sharp(await page.screenshot())
      .png({ palette: true, colours: 32, compressionLevel: 9 })
      .toBuffer();
    writeFileSync(join(shots, `dashboard-${scheme}.png`), png);
    bytes += png.length;
  }
  expect(bytes).toBeLessThan(200_000);
  expect(complaints).toEqual([]);
  await page.close();
});

test.each(['light', 'dark'] as const)('%s: text is readable, everything has a name', async (scheme) => {
  const { page } = await open(scheme);
  const colours = await page.evaluate<Record<string, string>>(`Object.fromEntries(
    ['--text', '--quiet', '--accent', '--alarm', '--back', '--card'].map((name) =>
      [name, getComputedStyle(document.documentElement).getPropertyValue(name).trim()]))`);
  const pairs = ['--text', '--quiet', '--accent', '--alarm'].flatMap((front) =>
    ['--back', '--card'].map((back) => [front, back, colours[front] ?? '', colours[back] ?? ''] as const),
  );
  for (const [front, back, a, b] of pairs) {
    // WCAG 2.2, 1.4.3: 4.5 to 1 for text of usual size.
    expect([front, back, contrast(a, b) >= 4.5]).toEqual([front, back, true]);
  }
  const nameless = await page.evaluate(`[...document.querySelectorAll('section, [role], button, svg')]
    .filter((each) => {
      const by = each.getAttribute('aria-labelledby');
      const name = by === null ? (each.getAttribute('aria-label') ?? each.textContent) : document.getElementById(by)?.textContent;
      return (name ?? '').trim() === '';
    })
    .map(({ outerHTML }) => outerHTML)`);
  expect(nameless).toEqual([]);
  expect(await page.locator('h1').count()).toBe(1);
  await page.close();
});

test('by keyboard: skip link, pause, the panes; paused, it stands still', async () => {
  const { page } = await open('light');
  const focused = (): Promise<string> =>
    page.evaluate('document.activeElement?.id || document.activeElement?.className || ""');
  const order: string[] = [];
  for (let i = 0; i < 4; i++) {
    await page.keyboard.press('Tab');
    order.push(await focused());
  }
  expect(order).toEqual(['skip', 'pause', 'scroll', 'scroll']);
  await page.locator('#pause').press('Space');
  expect(await page.locator('#pause').getAttribute('aria-pressed')).toBe('true');
  const before = await textOf(page, '#wire');
  state.sawMessage('while/paused', new Uint8Array(3));
  await page.waitForTimeout(600);
  expect(await textOf(page, '#wire')).toBe(before);
  await page.locator('#pause').press('Enter');
  await page.getByText('while/paused').waitFor();
  await page.emulateMedia({ reducedMotion: 'reduce' });
  const moving = await page.evaluate(
    `[...document.querySelectorAll('*')].filter((each) => getComputedStyle(each).transitionDuration !== '0s').length`,
  );
  expect(moving).toBe(0);
  await page.close();
});

test('text of strangers stays text', async () => {
  const { page, complaints } = await open('light');
  const evil = '<img src=x onerror="document.title=1"><script>document.title=2</script>';
  state.sawMessage(evil, new TextEncoder().encode(evil));
  state.ruleFired({ rule: { name: evil } as never, state: 'on' });
  await page.locator('#rules').getByText('<img src=x').waitFor();
  await page.locator('#wire').getByText('<img src=x').waitFor();
  expect(await page.title()).toBe('Smart Zone');
  expect(await page.locator('img, #wire script, #rules script').count()).toBe(0);
  expect(complaints).toEqual([]);
  // And where a mistake put markup into the page, the policy would not run it.
  const ran = await page.evaluate(`(() => {
    const script = document.createElement('script');
    script.textContent = 'document.title = "ran"';
    document.body.append(script);
    return document.title;
  })()`);
  expect(ran).toBe('Smart Zone');
  await page.close();
});

const ask = (
  path: string,
  headers: Record<string, string> = {},
  method = 'GET',
): Promise<{ status: number; text: string }> =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(server.url);
    const asked = request({ hostname, port, path, method, headers }, (response) => {
      let text = '';
      response.on('data', (chunk: Buffer) => (text += chunk.toString()));
      response.on('end', () => resolve({ status: response.statusCode ?? 0, text }));
    });
    asked.on('error', reject);
    asked.end();
  });

test('to nobody else: other hosts, other pages, without the secret, other methods', async () => {
  const { pathname, port, hostname } = new URL(server.url);
  expect(hostname).toBe('127.0.0.1');
  expect((await ask(pathname)).status).toBe(200);
  expect((await ask(pathname, { host: `localhost:${port}` })).status).toBe(200);
  // A name that points here (DNS rebinding), another port, none.
  for (const host of [`evil.example:${port}`, 'localhost', '127.0.0.1:1', `127.0.0.1.nip.io:${port}`])
    expect([host, (await ask(`${pathname}app.js`, { host })).status]).toEqual([host, 421]);
  for (const path of [
    '/',
    '/events',
    '/x/events',
    `${pathname.slice(0, -2)}/events`,
    `${pathname}a/b`,
    `${pathname}../server.ts`,
  ])
    expect([path, (await ask(path)).status]).toEqual([path, 404]);
  expect((await ask(`${pathname}events`, { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
  expect((await ask(pathname, {}, 'POST')).status).toBe(405);
});

test('the command prints the address, serves it, and ends', async () => {
  const home = mkdtempSync(join(tmpdir(), 'sz-dashboard-'));
  closers.push(() => rmSync(home, { recursive: true }));
  writeKeyFile(join(home, 'rules.key.json'), generateKeys('rules', 'looker'));
  const args = [
    '--json',
    'rules',
    'dashboard',
    '--port',
    '0',
    '--prefix',
    PREFIX,
    '--broker',
    world.broker.url,
  ];
  const child = spawn(process.execPath, [join('dist', 'clients', 'cli', 'main.js'), ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      SMART_ZONE_HOME: home,
      SMART_ZONE_OWNER: publicLine(publicOf(world.home.ownerKeys)),
    },
  });
  const exited = new Promise((resolve) => child.once('exit', resolve));
  const printed = await new Promise<string>((resolve) =>
    child.stdout.once('data', (text: Buffer) => resolve(text.toString())),
  );
  const { url } = JSON.parse(printed) as { url: string };
  const page = await browser.newPage();
  await page.goto(url);
  // Not enrolled: it sees what the broker has, and knows nothing.
  await page.locator('#wire').getByText(`${PREFIX}/roster`).waitFor();
  expect(await textOf(page, '#known')).toBe('');
  child.kill('SIGTERM');
  expect(await exited).toBe(0);
  await page.close();
});

/** WCAG's contrast ratio of two colours #rrggbb. */
function contrast(a: string, b: string): number {
  const luminance = (colour: string): number => {
    const part = (at: number): number => {
      const value = parseInt(colour.slice(at, at + 2), 16) / 255;
      return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
    };
    return 0.2126 * part(1) + 0.7152 * part(3) + 0.0722 * part(5);
  };
  const [low = 0, high = 0] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}
