import { spawn, type ChildProcess } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { Aedes } from 'aedes';
import { BrokerLink, type LinkMessage } from './index.js';

const encoder = new TextEncoder();
const text = (message: LinkMessage): string => new TextDecoder().decode(message.payload);
const fast = { base: 20, cap: 200 };

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

async function until(condition: () => boolean, what: string, milliseconds = 10_000): Promise<void> {
  const end = Date.now() + milliseconds;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`timed out: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

interface Broker {
  stop(): Promise<void>;
}

async function startAedes(port: number): Promise<Broker> {
  const aedes = await Aedes.createBroker();
  const server: Server = createServer((socket) => aedes.handle(socket));
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return {
    stop: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => aedes.close(() => resolve()));
      server.close();
      await once(server, 'close');
    },
  };
}

const MOSQUITTO = ['/usr/sbin/mosquitto', '/usr/local/sbin/mosquitto', '/opt/homebrew/sbin/mosquitto'].find(
  existsSync,
);
if (MOSQUITTO === undefined)
  console.warn('mosquitto is not installed: its half of the link tests is skipped');

async function startMosquitto(port: number): Promise<Broker> {
  const folder = mkdtempSync(join(tmpdir(), 'smart-zone-link-'));
  const file = join(folder, 'mosquitto.conf');
  writeFileSync(file, `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\n`);
  const child: ChildProcess = spawn(MOSQUITTO ?? '', ['-c', file], { stdio: 'ignore' });
  await portAnswers(port);
  return {
    stop: async () => {
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
      rmSync(folder, { recursive: true });
    },
  };
}

async function portAnswers(port: number): Promise<void> {
  for (let i = 0; i < 200; i++) {
    const socket = connect(port, '127.0.0.1');
    const ok = await Promise.race([
      once(socket, 'connect').then(() => true),
      once(socket, 'error').then(() => false),
    ]).catch(() => false);
    socket.destroy();
    if (ok) return;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  throw new Error('the broker did not start');
}

const brokers: [string, 4 | 5, (port: number) => Promise<Broker>][] = [['aedes', 4, startAedes]];
if (MOSQUITTO !== undefined) brokers.push(['mosquitto', 5, startMosquitto]);

describe.each(brokers)('BrokerLink with %s', (_name, protocol, start) => {
  let port: number;
  let broker: Broker;
  const links: BrokerLink[] = [];
  const open = async (clientId: string, more: object = {}): Promise<BrokerLink> => {
    const link = await BrokerLink.connect({
      url: `mqtt://127.0.0.1:${port}`,
      clientId,
      backoff: fast,
      ...more,
    });
    links.push(link);
    return link;
  };

  beforeEach(async () => {
    port = await freePort();
    broker = await start(port);
  });
  afterEach(async () => {
    for (const link of links.splice(0)) await link.close(200);
    await broker.stop();
  });

  test('speaks the newest protocol that the broker has', async () => {
    const link = await open('a');
    expect(link.connected).toBe(true);
    expect(link.protocol).toBe(protocol);
  });

  test('delivers by filter, byte for byte, and marks retained messages', async () => {
    const link = await open('a');
    const body = Uint8Array.from({ length: 256 }, (_, i) => i);
    await link.publish('t/retained', body, { retain: true });
    const seen: LinkMessage[] = [];
    await link.subscribe('t/+', (message) => seen.push(message));
    await until(() => seen.length === 1, 'the retained message');
    expect(seen[0]).toEqual({ topic: 't/retained', payload: body, retained: true });
    await link.publish('t/live', 'x', { expiry: 5 });
    await link.publish('other', 'y');
    await until(() => seen.length === 2, 'the live message');
    expect(seen[1]).toMatchObject({ topic: 't/live', retained: false });
  });

  test('a handler that is taken off hears nothing more', async () => {
    const link = await open('a');
    const one: string[] = [];
    const two: string[] = [];
    const off = await link.subscribe('t', (message) => one.push(text(message)));
    await link.subscribe('t', (message) => two.push(text(message)));
    await link.publish('t', '1');
    await until(() => two.length === 1, 'first');
    await off();
    await link.publish('t', '2');
    await until(() => two.length === 2, 'second');
    expect(one).toEqual(['1']);
  });

  test('comes back after the broker was killed, subscribes again, and sends what was published meanwhile', async () => {
    const receiver = await open('receiver');
    const sender = await open('sender');
    const seen: string[] = [];
    await receiver.subscribe('t', (message) => seen.push(text(message)));
    let retries = 0;
    sender.on('retrying', ({ delay }) => {
      retries++;
      expect(delay).toBeGreaterThan(0);
      expect(delay).toBeLessThanOrEqual(200);
    });
    await broker.stop();
    await until(() => !sender.connected && !receiver.connected, 'both noticed');
    const published = sender.publish('t', 'while away');
    await until(() => retries >= 3, 'some attempts');
    const back = [once(receiver, 'connected'), once(sender, 'connected')];
    broker = await start(port);
    await Promise.all(back);
    await published;
    // The receiver may have subscribed after the queued message went through: what counts is that the link works again.
    await sender.publish('t', 'after');
    await until(() => seen.includes('after'), 'a message after the restart');
  });

  test('two clients with one identifier throw each other out ever more slowly, and say what it may be', async () => {
    const one = await open('same');
    const delays: number[] = [];
    const reasons: string[] = [];
    one.on('retrying', ({ delay, reason }) => {
      delays.push(delay);
      reasons.push(reason);
    });
    await open('same');
    await until(() => delays.length >= 4, 'several rounds');
    expect(Math.max(...delays)).toBeGreaterThan(60);
    expect(reasons.at(-1)).toMatch(/another client .* the same identifier/);
  });

  test('close sends what is queued', async () => {
    const receiver = await open('receiver');
    const seen: string[] = [];
    await receiver.subscribe('t', (message) => seen.push(text(message)));
    const sender = await open('sender');
    const published = [1, 2, 3].map((n) => sender.publish('t', encoder.encode(String(n))));
    await sender.close();
    await Promise.all(published);
    await until(() => seen.length === 3, 'three messages');
    expect(seen).toEqual(['1', '2', '3']);
  });
});

describe('BrokerLink without a broker', () => {
  test('says that the broker cannot be reached, without the password', async () => {
    const port = await freePort();
    const attempt = BrokerLink.connect({
      url: `mqtt://user:secret@127.0.0.1:${port}`,
      clientId: 'a',
      connectTimeout: 300,
      backoff: fast,
    });
    const error = await attempt.catch((e: unknown) => e);
    expect(error).toMatchObject({ code: 'BROKER_UNREACHABLE' });
    expect((error as Error).message).toContain(`127.0.0.1:${port}`);
    expect((error as Error).message).not.toContain('secret');
  });

  /** Takes connections, and answers CONNECT if asked to, and nothing else. */
  const startMute = async (answers: boolean) => {
    const open = new Set<Socket>();
    let connections = 0;
    const server = createServer((socket) => {
      connections++;
      open.add(socket);
      socket.on('close', () => open.delete(socket)).on('error', () => undefined);
      socket.once('data', () => answers && socket.write(Uint8Array.of(0x20, 3, 0, 0, 0)));
      socket.resume();
    }).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    return { url: `mqtt://127.0.0.1:${port}`, server, open, connections: () => connections };
  };

  test('a broker that was too slow with its first answer is left alone', async () => {
    const { url, server, open, connections } = await startMute(false);
    const link = BrokerLink.connect({ url, clientId: 'a', connectTimeout: 100, backoff: fast });
    await expect(link).rejects.toMatchObject({ code: 'BROKER_UNREACHABLE' });
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(connections()).toBe(1);
    expect(open.size).toBe(0);
    server.close();
  });

  test('close waits for acknowledgements as long as it is told to, and no longer', async () => {
    const { url, server, open, connections } = await startMute(true);
    const link = await BrokerLink.connect({ url, clientId: 'a', sessionExpiry: 0, backoff: fast });
    const published = expect(link.publish('t', 'x')).rejects.toMatchObject({ code: 'BROKER_UNREACHABLE' });
    const began = Date.now();
    await link.close(100);
    expect(Date.now() - began).toBeGreaterThanOrEqual(95);
    await published;
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(connections()).toBe(1);
    expect(open.size).toBe(0);
    server.close();
  });

  test('refuses what is not a broker address', async () => {
    await expect(BrokerLink.connect({ url: 'localhost', clientId: 'a' })).rejects.toMatchObject({
      code: 'BROKER_UNREACHABLE',
    });
  });
});
