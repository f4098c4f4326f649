import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import mqtt, { type MqttClient } from 'mqtt';
import type { Incoming } from '../../agent/broker/incoming.js';
import { BrokerLink } from '../../agent/broker/link.js';
import { loadConfig } from '../../agent/config.js';
import { Log } from '../../agent/log.js';
import { brokers, type RunningBroker } from './brokers.js';

const until = async (condition: () => boolean, what: string): Promise<void> => {
  const end = Date.now() + 10_000;
  while (!condition()) {
    if (Date.now() > end) throw new Error(`waited 10 s for: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
};

/** Forwards to a broker, and can cut all connections as a failing network does: without a DISCONNECT. */
const startProxy = async (port: number) => {
  const sockets = new Set<Socket>();
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      sockets.add(from);
      from.on('error', () => undefined).on('close', () => (sockets.delete(from), to.destroy()));
      from.pipe(to);
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const cut = (): void => sockets.forEach((socket) => socket.destroy());
  return {
    url: `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    stop: () => (cut(), new Promise((resolve) => server.close(resolve))),
  };
};

for (const { name, protocol: version, start, run } of brokers)
  run(`BrokerLink against ${name}`, () => {
    let broker: RunningBroker;
    let peer: MqttClient;
    const links: BrokerLink[] = [];
    let sequence = 0;

    const makeLink = (
      overrides: string[] = [],
      id = `link-${(sequence += 1)}`,
      log = new Log({ level: 'error' }),
    ) => {
      const config = loadConfig({
        set: [
          `broker.url=${broker.url}`,
          `broker.clientId=${id}`,
          'broker.reconnectMinMs=20',
          'broker.reconnectMaxMs=100',
          ...overrides,
        ],
      });
      const link = BrokerLink.create({
        config: config.broker,
        log,
        subscriptions: ['t/in'],
        state: {
          topic: 't/state',
          payload: (state, session) => Buffer.from(JSON.stringify({ state, session })),
        },
        receiveMaximum: 8,
        maximumPacketSize: 1 << 20,
      });
      links.push(link);
      const received: Incoming[] = [];
      link.on('message', (message) => received.push(message));
      return { link, received };
    };

    beforeEach(async () => {
      broker = await start();
      peer = await mqtt.connectAsync(broker.url, { reconnectPeriod: 50 });
    });

    afterEach(async () => {
      await Promise.all(links.splice(0).map((link) => link.stop()));
      await peer.endAsync(true);
      await broker.stop();
    });

    test('finds out the MQTT version, says online on every connection and offline at the end', async () => {
      const states: { state: string; session: number }[] = [];
      await peer.subscribeAsync('t/state', { qos: 1 });
      peer.on('message', (_topic, payload) =>
        states.push(JSON.parse(payload.toString()) as { state: string; session: number }),
      );
      const { link } = makeLink();
      const online = new Promise<string>((resolve) =>
        link.once('online', (event) => resolve(event.version === 5 ? '5' : '3.1.1')),
      );
      link.setState('online');
      link.start();
      expect(await online).toBe(version);
      await until(() => states.length === 1, 'first state');
      await link.stop();
      await until(() => states.length === 2, 'offline');
      expect(states.map(({ state }) => state)).toEqual(['online', 'offline']);
      expect(states[1]?.session).toBe(states[0]?.session);
    });

    test('a message stays with the broker until it is acknowledged', async () => {
      const id = `deferred-${(sequence += 1)}`;
      const first = makeLink([], id);
      first.link.start();
      await first.link.whenOnline();
      for (const text of ['a', 'b', 'c']) await peer.publishAsync('t/in', text, { qos: 1 });
      await until(() => first.received.length === 3, 'three messages');
      first.received[0]?.acknowledge();
      // Decided out of order: c may leave only after b, and b never does.
      first.received[2]?.acknowledge();
      await new Promise((resolve) => setTimeout(resolve, 100));
      await first.link.stop();

      const second = makeLink([], id);
      second.link.start();
      await until(() => second.received.length >= 2, 'redelivery');
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(second.received.map(({ payload }) => payload.toString())).toEqual(['b', 'c']);
      // aedes does not set DUP on what it sends again.
      if (version === '5') expect(second.received.every(({ duplicate }) => duplicate)).toBe(true);
      for (const message of second.received) message.acknowledge();
      await new Promise((resolve) => setTimeout(resolve, 100));
      await second.link.stop();

      const third = makeLink([], id);
      third.link.start();
      await third.link.whenOnline();
      await new Promise((resolve) => setTimeout(resolve, 200));
      expect(third.received).toHaveLength(0);
    });

    test('unacknowledged messages do not stop the keepalive', async () => {
      const { link, received } = makeLink(['broker.keepaliveSeconds=1']);
      let lost = 0;
      link.on('offline', () => (lost += 1));
      link.start();
      await link.whenOnline();
      for (let i = 0; i < 5; i += 1) await peer.publishAsync('t/in', `${i}`, { qos: 1 });
      await until(() => received.length === 5, 'five messages');
      // MQTT.js gives up on a connection after 1.5 keepalive intervals.
      await new Promise((resolve) => setTimeout(resolve, 3_500));
      expect(lost).toBe(0);
      expect(link.isOnline).toBe(true);
    });

    test('publications and retained messages survive a broker that goes away', async () => {
      const { link } = makeLink();
      link.start();
      await link.whenOnline();
      link.retain('t/hello', Buffer.from('hello'));
      const { port } = broker;
      const offline = new Promise<void>((resolve) => link.once('offline', resolve));
      await broker.stop();
      await offline;
      let settled = false;
      const published = link.publish('t/label/1', Buffer.from('label'), 60).then(() => (settled = true));
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(settled).toBe(false);

      broker = await start(port);
      const got = new Map<string, string>();
      peer.on('message', (topic, payload) => got.set(topic, payload.toString()));
      await until(() => peer.connected, 'peer');
      await peer.subscribeAsync(['t/hello', 't/label/+'], { qos: 1 });
      await published;
      await until(() => got.get('t/hello') === 'hello', 'retained message on the new broker');
      expect(link.connections).toBe(2);
    });

    test('two with one identifier throw each other out, and say what to do', async () => {
      const lines: string[] = [];
      const log = new Log({ level: 'warn', write: (line) => lines.push(line) });
      for (const { link } of [makeLink([], 'twin', log), makeLink([], 'twin')]) link.start();
      await until(() => lines.some((line) => line.includes('device.name')), 'the advice');
      expect(lines.slice(0, 2).join('')).not.toContain('device.name');
    });

    test('the will says offline with the session of the connection that broke', async () => {
      const states: { state: string; session: number }[] = [];
      await peer.subscribeAsync('t/state', { qos: 1 });
      peer.on('message', (_topic, payload) =>
        states.push(JSON.parse(payload.toString()) as { state: string; session: number }),
      );
      const proxy = await startProxy(broker.port);
      const { link } = makeLink([`broker.url=${proxy.url}`]);
      link.setState('online');
      link.start();
      await until(() => states.length === 1, 'online');
      proxy.cut();
      await until(() => states.some(({ state }) => state === 'offline'), 'will');
      await until(() => states.filter(({ state }) => state === 'online').length >= 2, 'online again');
      await link.stop();
      await proxy.stop();
      const offline = states.find(({ state }) => state === 'offline');
      expect(offline?.session).toBe(states[0]?.session);
      expect(states.filter(({ state }) => state === 'online').at(-1)?.session).toBeGreaterThan(
        states[0]?.session ?? Infinity,
      );
    });
  });
