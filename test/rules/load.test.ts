/**
 * 200 labels a second of 50 sensors through rules, history and the Home Assistant bridge at once. Sensors, both brokers, the rules host
 * and the listener share one thread here, beside other tests, so the times are worse than those of a rules host. The device is a
 * maker of genuine messages: a TA on this machine would be busy with the frames.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { startBroker } from '../../broker-dev/broker.js';
import { generateKeys, publicOf } from '../../clients/keys/index.js';
import { BrokerLink } from '../../clients/link/index.js';
import { HomeAssistantBridge } from '../../clients/rules/bridge/index.js';
import { History } from '../../clients/rules/history/history.js';
import { ActionRunner, connectRules, parseRules, RuleEngine } from '../../clients/rules/index.js';
import { kidToHex } from '../../protocol/kid.js';
import { MessageDevice } from '../support/message-device.js';
import { PartyFixture, PREFIX, topics, until } from '../support/party-fixture.js';

const SENSORS = 50;
const PER_SECOND = 200;
/** Before memory is compared, and then. Frames are remembered for MAX_AGE: memory can be flat after that. */
const SECONDS: readonly [number, number] = [4, 5];
const MAX_AGE = 3000;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

setFlagsFromString('--expose_gc');
const collect = runInNewContext('gc') as () => void;
const heap = (): number => {
  collect();
  return process.memoryUsage().heapUsed;
};
const sleep = (milliseconds: number): Promise<void> => new Promise((done) => setTimeout(done, milliseconds));

test(
  'half of the labels are states within 50 ms, none is lost, and memory is flat',
  async () => {
    const fixture = await PartyFixture.create();
    closers.push(() => fixture.close());
    const folder = mkdtempSync(join(tmpdir(), 'sz-load-'));
    closers.push(() => rmSync(folder, { recursive: true }));
    const device = new MessageDevice();
    device.rosterVersion = 1;
    const sensors = Array.from({ length: SENSORS }, (_, i) => generateKeys('sensor', `camera ${i}`));
    const members = [...sensors, fixture.rules].map((keys) => {
      const { signing, agreement, name, role } = publicOf(keys);
      const agreementKey = agreement ?? new Uint8Array(32);
      return { signingKey: signing, agreementKey, name, role: role as 'sensor' | 'rules' };
    });
    await fixture.retain(topics.roster, fixture.roster(1, device, { members }));
    await fixture.retain(topics.hello, device.hello());
    const { kid, publicKey } = fixture.rules.signing;
    await fixture.adversary.subscribe(topics.rulesHello(kid), ({ payload }) => {
      void fixture.retain(topics.rulesOffer(kid), device.labelOffer(payload, publicKey, kid));
    });

    const home = await startBroker({ port: 0 });
    closers.push(() => home.stop());
    const linkTo = async (clientId: string): Promise<BrokerLink> => {
      const link = await BrokerLink.connect({ url: home.url, clientId, protocol: 4, sessionExpiry: 0 });
      closers.push(() => link.close(200));
      return link;
    };
    const rules = await connectRules({
      broker: { url: fixture.broker.url, protocol: 4 },
      devices: [{ prefix: PREFIX }],
      key: fixture.rules,
      owner: publicOf(fixture.owner),
      maxAge: MAX_AGE,
      seenPath: () => join(folder, 'seen.json'),
    });
    closers.push(() => rules.close());
    const bridge = await HomeAssistantBridge.open({
      rules,
      to: await linkTo('bridge'),
      base: 'smart-zone/load',
    });
    closers.push(() => bridge.close());
    const history = await History.open(join(folder, 'history.sqlite'), { bytes: 4_000_000 });
    closers.push(() => history.close());
    const engine = new RuleEngine(
      parseRules({
        rules: sensors.map(({ name }) => ({
          name,
          when: { class: 'person', score: 0.3, sensor: name },
          hold: 0.05,
          on: [{ publish: { topic: 'lamp', payload: 'ON' } }],
        })),
      }),
    );
    closers.push(() => engine.close());
    const actions = new ActionRunner({ print: () => undefined, link: await linkTo('actions') }, (failure) => {
      throw failure;
    });
    engine.on('edge', (edge) => actions.take(edge));
    rules.on('label', ({ label }) => {
      history.write(label);
      engine.apply(label);
    });

    /** By sensor: the labels whose state has not come. A newer state stands for those before it: it overtook them in the bridge. */
    const sent = new Map<string, { readonly percent: number; readonly at: number }[]>();
    const latencies: number[] = [];
    let lamps = 0;
    const listener = await linkTo('listener');
    await listener.subscribe('lamp', () => lamps++);
    await listener.subscribe('smart-zone/load/+/+/score', ({ topic, payload }) => {
      const waiting = sent.get(topic.split('/')[3] ?? '') ?? [];
      const percent = Number(Buffer.from(payload).toString());
      const found = waiting.findIndex((each) => each.percent === percent);
      for (const { at } of waiting.splice(0, found + 1)) latencies.push(performance.now() - at);
    });
    await rules.ready(5000);

    const numbers = new Array<number>(SENSORS).fill(0);
    let published = 0;
    const publish = (): void => {
      const at = published++ % SENSORS;
      const sensor = sensors[at]?.signing.kid;
      if (sensor === undefined) throw new Error('no sensor');
      const number = (numbers[at] = (numbers[at] ?? 0) + 1);
      const percent = number % 100;
      const results = {
        kind: 'classes',
        classes: [{ index: 0, name: 'person', score: percent / 100 }],
      } as const;
      const record = device.sealLabel(device.label(sensor, { frameNumber: number, results }));
      const waiting = sent.get(kidToHex(sensor)) ?? [];
      sent.set(kidToHex(sensor), waiting);
      waiting.push({ percent, at: performance.now() });
      void fixture.adversary.publish(topics.label(sensor), record, { qos: 0 });
    };
    const heaps: number[] = [];
    for (const seconds of SECONDS) {
      const [start, before] = [performance.now(), published];
      while (performance.now() - start < seconds * 1000) {
        const due = before + Math.floor(((performance.now() - start) * PER_SECOND) / 1000);
        while (published < due) publish();
        await sleep(5);
      }
      await until(
        () => latencies.length === published,
        `the states: ${latencies.length} of ${published}, ${JSON.stringify([...rules.clients.values()][0]?.stats)}`,
      );
      heaps.push(heap());
    }
    latencies.sort((a, b) => a - b);
    const p = (share: number): number => latencies[Math.floor(share * (latencies.length - 1))] ?? NaN;
    const grown = (heaps[1] ?? NaN) - (heaps[0] ?? NaN);
    console.info(
      `${published} labels, ${PER_SECOND} a second: p50 ${p(0.5).toFixed(1)} ms, p99 ${p(0.99).toFixed(1)} ms, ` +
        `${history.stats.written} rows, ${lamps} lamps, heap ${(grown / 1024).toFixed(0)} KiB more than after ${SECONDS[0]} s`,
    );
    expect([...rules.clients.values()][0]?.stats).toMatchObject({
      labels: published,
      missed: 0,
      stale: 0,
      refused: 0,
    });
    expect(published).toBeGreaterThanOrEqual((SECONDS[0] + SECONDS[1]) * PER_SECOND * 0.95);
    // Not the p99, which is printed: beside other tests a machine's pauses are no bridge's.
    expect(p(0.5)).toBeLessThanOrEqual(50);
    expect(history.stats).toMatchObject({ lost: 0 });
    expect(history.stats.written + history.stats.waiting).toBe(published);
    expect(lamps).toBeGreaterThan(0);
    // Less than a record for each, most of it once for all: at 500 a second it was as much in all.
    expect(grown / (SECONDS[1] * PER_SECOND)).toBeLessThan(1024);
  },
  (SECONDS[0] + SECONDS[1] + 40) * 1000,
);
