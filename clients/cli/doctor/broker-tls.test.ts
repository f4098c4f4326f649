import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { findMosquitto, freePort, startMosquitto, type Mosquitto } from '../../../test/agent/mosquitto.js';
import { checkBrokerAddress } from './broker-tls.js';

/* Against a real mosquitto with TLS, whose certificate is right, and is really wrong in each of the ways that it can be. */

const binary = findMosquitto();
if (binary === undefined)
  console.log('skipped: no mosquitto on this machine (sudo apt-get install mosquitto)');
const DAY = 86_400;

let folder: string;
const brokers: Mosquitto[] = [];
const servers: Server[] = [];
const path = (name: string): string => join(folder, name);
const openssl = (...args: string[]): void => {
  execFileSync('openssl', args, { cwd: folder, stdio: 'ignore' });
};
/** As OpenSSL's command line takes it. */
const dateIn = (seconds: number): string =>
  new Date(Date.now() + seconds * 1000).toISOString().replace(/[-:T]|\.\d+/g, '');

const newKey = (name: string): void =>
  openssl('genpkey', '-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256', '-out', `${name}.key`);
/** A certificate by the authority `ca`, valid from now + from to now + to (seconds). */
const issue = (name: string, names: string, from: number, to: number): void => {
  newKey(name);
  openssl('req', '-new', '-key', `${name}.key`, '-subj', `/CN=${name}`, '-out', `${name}.csr`);
  writeFileSync(path('index'), '');
  writeFileSync(
    path('ca.conf'),
    `[ca]\ndefault_ca=d\n[d]\ndatabase=index\nnew_certs_dir=.\nrand_serial=yes\ndefault_md=sha256\npolicy=p\nunique_subject=no\n[p]\ncommonName=supplied\n[x]\nsubjectAltName=${names}\n`,
  );
  const dates = ['-startdate', dateIn(from), '-enddate', dateIn(to)];
  openssl(
    'ca',
    '-batch',
    '-config',
    'ca.conf',
    '-extensions',
    'x',
    '-cert',
    'ca.crt',
    '-keyfile',
    'ca.key',
    ...dates,
    '-in',
    `${name}.csr`,
    '-out',
    `${name}.crt`,
    '-notext',
  );
};

const start = async (certificate: string): Promise<number> => {
  const port = await freePort();
  const home = mkdtempSync(join(folder, 'broker-'));
  const extra = [`certfile ${path(`${certificate}.crt`)}`, `keyfile ${path(`${certificate}.key`)}`];
  brokers.push(await startMosquitto(binary ?? '', { port, folder: home, extra }));
  return port;
};
/** "verdict check: detail - fix" of each finding. */
const look = async (
  url: string,
  files: { ca?: string; cert?: string; key?: string } = {},
): Promise<string[]> =>
  (await checkBrokerAddress({ url, ...files }, 3000)).map(
    ({ verdict, check, detail, fix = '' }) => `${verdict} ${check}: ${detail} - ${fix}`,
  );

afterEach(async () => {
  for (const broker of brokers.splice(0)) await broker.stop();
  for (const server of servers.splice(0)) server.close();
});

(binary === undefined ? describe.skip : describe)('a broker with TLS', () => {
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'smart-zone-tls-'));
    chmodSync(folder, 0o755);
    newKey('ca');
    openssl('req', '-x509', '-key', 'ca.key', '-subj', '/CN=home', '-days', '3650', '-out', 'ca.crt');
    issue('good', 'DNS:localhost', -DAY, 400 * DAY);
    issue('ending', 'DNS:localhost', -DAY, 10.5 * DAY);
    issue('ended', 'DNS:localhost', -9 * DAY, -DAY);
    issue('future', 'DNS:localhost', DAY, 9 * DAY);
    issue('elsewhere', 'DNS:porch.example', -DAY, 400 * DAY);
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const ca = (): { ca: string } => ({ ca: path('ca.crt') });

  test('right', async () => {
    const found = await look(`mqtts://localhost:${await start('good')}`, ca());
    expect(found).toHaveLength(2);
    expect(found[0]).toMatch(/^ok TLS: the broker’s certificate is valid until \d{4}-\d\d-\d\d/);
    expect(found[1]).toMatch(/^ok TLS: TLSv1.3, a certificate for localhost/);
  });

  test.each([
    ['ending', /^warn TLS: .* ends on .*, in 10 days - renew it$/],
    ['ended', /^fail TLS: .* ended on .* - renew it$/],
    ['future', /^fail TLS: .* is valid from .* on - check the clock/],
    ['elsewhere', /^fail TLS: .* is not for localhost but for DNS:porch.example - name the broker so/],
  ])('a certificate that is %s', async (certificate, expected) => {
    const found = await look(`mqtts://localhost:${await start(certificate)}`, ca());
    expect(found[0]).toMatch(expected);
    expect(found.filter((line) => line.startsWith('fail'))).toHaveLength(certificate === 'ending' ? 0 : 1);
  });

  test('dates and names are each looked at; of the authority OpenSSL says nothing beside a date', async () => {
    const found = await look(`mqtts://127.0.0.1:${await start('ended')}`);
    expect(found).toHaveLength(2);
    expect(found.join('\n')).toMatch(/ended on[^]*not for 127\.0\.0\.1/);
  });

  test('an authority that nobody here knows', async () => {
    const found = await look(`mqtts://localhost:${await start('good')}`);
    expect(found).toEqual([expect.stringMatching(/^fail TLS: no authority .* - give the PEM file .*--ca/)]);
  });

  test('the client’s own certificate: right, ended, with another key, unreadable, without key', async () => {
    const url = `mqtts://localhost:${await start('good')}`;
    const own = (cert: string, key: string) => look(url, { ...ca(), cert: path(cert), key: path(key) });
    expect((await own('good.crt', 'good.key'))[0]).toMatch(/^ok client certificate/);
    expect(await own('ended.crt', 'ended.key')).toEqual([
      expect.stringMatching(/^fail client certificate: it ended/),
    ]);
    expect(await own('good.crt', 'ended.key')).toEqual([expect.stringMatching(/the key is that of another/)]);
    expect(await own('good.key', 'good.key')).toEqual([expect.stringMatching(/it cannot be read/)]);
    expect(await own('good.crt', 'good.crt')).toEqual([
      expect.stringMatching(/^fail client certificate: its key cannot be read - --tls-key/),
    ]);
    expect(await look(url, { ...ca(), cert: path('good.crt') })).toEqual([
      expect.stringMatching(/--tls-key/),
    ]);
    expect(await own('nobody.crt', 'good.key')).toEqual([
      expect.stringMatching(/^fail TLS files: .*nobody.crt/),
    ]);
  });

  test('a port without TLS', async () => {
    const port = await freePort();
    brokers.push(await startMosquitto(binary ?? '', { port }));
    const found = await look(`mqtts://localhost:${port}`, ca());
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^fail (TLS|broker): /);
  });
});

describe('no broker', () => {
  test('nothing listens', async () => {
    const port = await freePort();
    for (const scheme of ['mqtt', 'mqtts'])
      expect(await look(`${scheme}://127.0.0.1:${port}`)).toEqual([
        expect.stringMatching(/^fail broker: 127.0.0.1 port \d+: nothing listens there - start the broker/),
      ]);
  });

  test('no such host', async () => {
    expect(await look('mqtt://nobody.invalid')).toEqual([
      expect.stringMatching(/^fail broker: nobody.invalid port 1883: (no such host|the name service)/),
    ]);
  });

  test('somebody who never answers', async () => {
    const silent = createServer((socket) => socket.resume());
    servers.push(silent);
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    const { port } = silent.address() as { port: number };
    const found = await checkBrokerAddress({ url: `mqtts://127.0.0.1:${port}` }, 300);
    expect(found).toMatchObject([
      { verdict: 'fail', check: 'broker', detail: `127.0.0.1 port ${port}: no answer` },
    ]);
  });

  test.each(['http://x', 'broker', 'mqtt://127.0.0.1:x'])('%s is no broker', async (url) => {
    expect(await look(url)).toEqual([expect.stringMatching(/^fail broker: .* - give --broker/)]);
  });
});
