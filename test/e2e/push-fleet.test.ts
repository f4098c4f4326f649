/**
 * One package of 4 MB to many devices at one mosquitto: every segment crosses the publisher's link once, and all devices commit it. All
 * fifty with SMART_ZONE_TEST_LONG=1, a few otherwise.
 */
import { publicOf, Witness } from '../../clients/keys/index.js';
import { ModelPush, signPackage } from '../../clients/publisher/index.js';
import { startMosquitto, type Mosquitto } from '../../bench/e2e/mosquitto.js';
import { processorSeconds, residentBytes } from '../../bench/e2e/system.js';
import { findMosquitto } from './brokers.js';
import { bytesThrough, startFleet, type Fleet } from './fleet.js';
import { packLargeModel, sizeOf } from './large-model.js';
import { UnreliableNetwork } from './unreliable-network.js';

const ALL = 50;
const COUNT = process.env['SMART_ZONE_TEST_LONG'] === '1' ? ALL : 4;

const withMosquitto = findMosquitto() === undefined ? describe.skip : describe;
if (withMosquitto === describe.skip) console.warn('skipped: a fleet: mosquitto is not installed');

withMosquitto('a fleet', () => {
  let broker: Mosquitto;
  let network: UnreliableNetwork;
  let fleet: Fleet;
  beforeAll(async () => {
    broker = await startMosquitto();
    network = await UnreliableNetwork.start(broker.url, 1); // without faults: only to see what passes
    fleet = await startFleet(COUNT, broker.url, network.url);
  }, 900_000);
  afterAll(async () => {
    await fleet?.close();
    await network?.stop();
    await broker?.stop();
  }, 120_000);

  test(`${COUNT} of ${ALL} devices take one package; each segment is sent once`, async () => {
    const model = await packLargeModel();
    const size = sizeOf(model);
    const { bytes } = signPackage(model, fleet.publisherKeys.signing, 1);
    const owner = publicOf(fleet.ownerKeys);
    const sent = new Map<string, number>();
    network.onSent = (topic) => {
      if (topic.includes('/segment/')) sent.set(topic, (sent.get(topic) ?? 0) + 1);
    };
    const before = { ...bytesThrough(broker.pid), seconds: processorSeconds(broker.pid) };
    const push = ModelPush.create({
      link: await fleet.publisherLink(),
      key: fleet.publisherKeys.signing,
      owner: owner.signing,
      witness: Witness.open(undefined, owner.kid),
      packages: [{ bytes, contentKey: model.contentKey }],
      prefixes: fleet.prefixes,
      timeoutMs: 300_000,
    });
    const times: number[] = [];
    const began = performance.now();
    push.on('progress', (reports) => {
      const committed = reports.filter(({ state }) => state === 'committed').length;
      while (times.length < committed) times.push((performance.now() - began) / 1000);
    });
    const result = await push.run();
    const after = { ...bytesThrough(broker.pid), seconds: processorSeconds(broker.pid) };
    const mib = (value: number): string => (value / 2 ** 20).toFixed(1);
    console.log(
      `${COUNT}/${ALL} devices, ${mib(size)} MiB in ${model.segments.length} segments: first committed after ` +
        `${times[0]?.toFixed(1)} s, half ${times[COUNT >> 1]?.toFixed(1)} s, all ${result.seconds.toFixed(1)} s; broker: ` +
        `${mib(after.received - before.received)} MiB in, ${mib(after.sent - before.sent)} MiB out, ` +
        `${(after.seconds - before.seconds).toFixed(2)} s of processor, ${mib(residentBytes(broker.pid))} MiB resident`,
    );
    const failed = result.targets.filter(({ state }) => state !== 'committed');
    expect(failed).toEqual([]);
    expect(result.targets).toHaveLength(COUNT);
    expect([...sent.values()]).toEqual(model.segments.map(() => 1));
    expect(result.bytes).toBe(size);
  }, 900_000);
});
