import { randomBytes, timingSafeEqual } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { packageRoot } from '../../../agent/package-root.js';

const FILES = new Map([
  ['', ['index.html', 'text/html; charset=utf-8']],
  ['app.js', ['app.js', 'text/javascript; charset=utf-8']],
  ['style.css', ['style.css', 'text/css; charset=utf-8']],
  ['icon.svg', ['icon.svg', 'image/svg+xml']],
] as const);

const HEADERS = {
  'content-security-policy':
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
    "form-action 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'cross-origin-resource-policy': 'same-origin',
  'cross-origin-opener-policy': 'same-origin',
  'referrer-policy': 'no-referrer',
  'cache-control': 'no-store',
} as const;

/** At most so often the page is told, in milliseconds. */
const INTERVAL = 250;
const MOST_PAGES = 8;

export interface DashboardServerOptions {
  /** What the page is told, as it is then. */
  readonly snapshot: () => object;
  /** 0: any free port. */
  readonly port: number;
}

/**
 * Serves the page to browsers on this machine. Labels are in it, so: the loopback address only; a secret in the address, since other
 * users of this machine reach it too; and no other name for the host, since a page elsewhere could have its own name point here.
 */
export class DashboardServer {
  readonly #server: Server;
  readonly #secret = randomBytes(18).toString('base64url');
  readonly #pages = new Set<ServerResponse>();
  #timer: NodeJS.Timeout | undefined;

  private constructor(private readonly options: DashboardServerOptions) {
    this.#server = createServer((request, response) => this.#answer(request, response));
  }

  /** @throws EADDRINUSE where something else has the port */
  static async start(options: DashboardServerOptions): Promise<DashboardServer> {
    const dashboard = new DashboardServer(options);
    await new Promise<void>((resolve, reject) => {
      dashboard.#server.once('error', reject);
      dashboard.#server.listen(options.port, '127.0.0.1', resolve);
    });
    return dashboard;
  }

  get #port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** What to open; the secret is part of it. */
  get url(): string {
    return `http://127.0.0.1:${this.#port}/${this.#secret}/`;
  }

  /** Something is different: the pages are told, soon. */
  changed(): void {
    if (this.#timer !== undefined || this.#pages.size === 0) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      const message = this.#message();
      // A page that does not keep up misses some: the next is complete anyway.
      for (const page of this.#pages) if (page.writableLength === 0) page.write(message);
    }, INTERVAL);
    this.#timer.unref();
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer);
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }

  #message(): string {
    return `data: ${JSON.stringify(this.options.snapshot())}\n\n`;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const refuse = (status: number, text: string): unknown =>
      response.writeHead(status, { ...HEADERS, 'content-type': 'text/plain' }).end(`${text}\n`);
    const { host = '', 'sec-fetch-site': site = 'none' } = request.headers;
    if (![`127.0.0.1:${this.#port}`, `localhost:${this.#port}`].includes(host))
      return void refuse(421, 'This is served to 127.0.0.1 and localhost only.');
    if (request.method !== 'GET' && request.method !== 'HEAD') return void refuse(405, 'GET only.');
    const [, secret = '', path = '', ...more] = (request.url ?? '').split('?')[0]?.split('/') ?? [];
    if (more.length > 0 || !this.#isSecret(secret))
      return void refuse(404, 'Not here. Open the address that the command printed.');
    if (path !== '' && site !== 'none' && site !== 'same-origin') return void refuse(403, 'From here only.');
    if (path === 'events') return this.#stream(response);
    const file = FILES.get(path as '');
    if (file === undefined) return void refuse(404, 'No such file.');
    const [name, type] = file;
    response.writeHead(200, { ...HEADERS, 'content-type': type });
    response.end(readFileSync(join(packageRoot(), 'clients', 'rules', 'dashboard', 'page', name)));
  }

  #isSecret(given: string): boolean {
    const [a, b] = [Buffer.from(given), Buffer.from(this.#secret)];
    return a.length === b.length && timingSafeEqual(a, b);
  }

  #stream(response: ServerResponse): void {
    const [oldest] = this.#pages;
    if (this.#pages.size >= MOST_PAGES) oldest?.destroy();
    response.writeHead(200, { ...HEADERS, 'content-type': 'text/event-stream' });
    this.#pages.add(response);
    response.on('close', () => this.#pages.delete(response));
    response.write(this.#message());
  }
}
