/**
 * A push over a network that loses, doubles and delays messages, and a broker that is killed twenty times meanwhile: it completes, and
 * the device fetches little more than the package.
 */
import { signPackage, type SealedModel } from '../../clients/publisher/index.js';
import { toHex } from '../../protocol/bytes.js';
import { inputBytes } from '../../protocol/messages/input-shape.js';
import { availableBrokers } from './brokers.js';
import { packLargeModel, sizeOf } from './large-model.js';
import { preparePush } from './publishing.js';
import { UnreliableNetwork } from './unreliable-network.js';
import { until, World } from './world.js';

const KILLS = 20;
const FAULTS = { lost: 0.05, duplicated: 0.05, delayed: 0.05, mostDelay: 300 };

describe.each(availableBrokers())('over %s', (broker) => {
  let world: World;
  let network: UnreliableNetwork;
  let model: SealedModel;

  beforeAll(async () => {
    model = await packLargeModel({ segmentBytes: 5 * 1024 });
    world = await World.create({
      broker,
      between: async (url) => (network = await UnreliableNetwork.start(url, 20261128)).url,
    });
  }, 60_000);
  afterAll(async () => {
    await world?.close();
    await network?.stop();
  });

  test(`5 % lost, 5 % doubled, 5 % delayed, ${KILLS} deaths of the broker`, async () => {
    const signed = signPackage(model, world.home.publisherKeys.signing, 2);
    const size = sizeOf(model);
    let fetched = 0;
    network.onDelivered = (topic, bytes) => (fetched += topic.includes('/segment/') ? bytes : 0);
    network.faults = FAULTS;
    const push = await preparePush(world, signed, model.contentKey, { timeoutMs: 60_000 });
    const running = push.run();
    const total = model.segments.length;
    let kills = 0;
    for (; kills < KILLS; kills += 1) {
      const far = ((kills + 1) * total) / (KILLS + 2);
      await until(
        () => (push.reports[0]?.have ?? 0) >= far || push.reports[0]?.state === 'committed',
        () => `${JSON.stringify(push.reports)} after ${kills} deaths\n${world.report()}`,
        60_000,
      );
      if (push.reports[0]?.state === 'committed') break;
      await world.broker.crash();
    }
    const result = await running;
    network.faults = { ...FAULTS, lost: 0, duplicated: 0, delayed: 0 };
    const { messages, lost, duplicated, delayed } = network.counts;
    console.log(
      `${broker}: ${(size / 2 ** 20).toFixed(2)} MiB in ${total} segments, ${kills} deaths; of ${messages} messages ` +
        `${lost} lost, ${duplicated} doubled, ${delayed} delayed; fetched ${(fetched / size).toFixed(3)} of the package ` +
        `(doubles counted), sent ${(result.bytes / size).toFixed(3)}, ${result.seconds.toFixed(1)} s`,
    );
    expect(result.targets).toMatchObject([{ state: 'committed' }]);
    expect(kills).toBe(KILLS);
    for (const count of [lost, duplicated, delayed]) expect(count).toBeGreaterThan(0.03 * messages);
    expect(fetched).toBeGreaterThanOrEqual(size);
    expect(fetched).toBeLessThanOrEqual(1.1 * size);
    const frame = new Uint8Array(inputBytes(model.header.input)).fill(77);
    let id: Uint8Array | undefined;
    await until(
      // Until it has heard of the new model it takes no frame of that size.
      () => {
        try {
          id = world.sensor.sendFrame(frame);
        } catch {
          return false;
        }
        return true;
      },
      () => world.report(),
    );
    const label = await world.labelOf(id ?? frame, 20_000);
    expect(toHex(label.model)).toBe(toHex(signed.digest));
  }, 240_000);
});
