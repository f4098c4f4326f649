import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SigningKey } from '../../protocol/keys.js';
import { signTelemetry } from '../../protocol/messages/telemetry.js';
import { RecordWriter } from '../../protocol/messages/record.js';
import { verifyRulesHello } from '../../protocol/messages/rules-hello.js';
import { toHex } from '../../protocol/bytes.js';
import { MessageDevice } from '../../test/support/message-device.js';
import { PartyFixture, PREFIX, topics, until } from '../../test/support/party-fixture.js';
import { publicOf } from '../keys/index.js';
import { RulesClient, type LabelEvent, type RulesOptions } from './index.js';

let fixture: PartyFixture;
let device: MessageDevice;
let folder: string;
const clients: RulesClient[] = [];

beforeEach(async () => {
  fixture = await PartyFixture.create();
  device = new MessageDevice();
  device.rosterVersion = 1;
  folder = mkdtempSync(join(tmpdir(), 'smart-zone-rules-'));
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await fixture.close();
  rmSync(folder, { recursive: true });
});

interface Host {
  client: RulesClient;
  labels: LabelEvent[];
  refused: string[];
  /** Rules hellos as they went over the broker. */
  hellos: Uint8Array[];
}

let hosts = 0;
async function startHost(options: Partial<RulesOptions> = {}): Promise<Host> {
  const link = await fixture.link(`rules-${hosts++}`);
  const labels: LabelEvent[] = [];
  const refused: string[] = [];
  const hellos: Uint8Array[] = [];
  await fixture.adversary.subscribe(topics.rulesHello(fixture.rules.signing.kid), ({ payload, retained }) => {
    if (!retained) hellos.push(payload);
  });
  const client = await RulesClient.open({
    link,
    keys: fixture.rules,
    owner: publicOf(fixture.owner),
    prefix: PREFIX,
    ...options,
  });
  clients.push(client);
  client.on('label', (label) => labels.push(label));
  client.on('refused', ({ what, error }) => refused.push(`${what} ${error.code}`));
  return { client, labels, refused, hellos };
}

const { kid: unknownKid } = SigningKey.generate();
const offerTopic = (): string => topics.rulesOffer(fixture.rules.signing.kid);
const labelTopic = (): string => topics.label(fixture.sensor.signing.kid);
const offerFor = (hello: Uint8Array | undefined, change = {}): Uint8Array =>
  device.labelOffer(
    hello ?? new Uint8Array(0),
    fixture.rules.signing.publicKey,
    fixture.rules.signing.kid,
    change,
  );

/** A host that can open labels. */
async function readyHost(options: Partial<RulesOptions> = {}): Promise<Host> {
  const host = await startHost(options);
  await fixture.retain(topics.roster, fixture.roster(1, device));
  await fixture.retain(topics.hello, device.hello());
  await until(() => host.hellos.length > 0, 'a rules hello');
  await fixture.retain(offerTopic(), offerFor(host.hellos[0]));
  await host.client.ready(5000);
  return host;
}

/** Sends records, then a good label, and waits for that: what came before it has been looked at. */
async function sendThenGood(host: Host, ...records: Uint8Array[]): Promise<LabelEvent[]> {
  const before = host.labels.length;
  const good = device.label(fixture.sensor.signing.kid, { frameNumber: 1_000_000 });
  for (const record of records) await fixture.adversary.publish(labelTopic(), record);
  await fixture.adversary.publish(labelTopic(), device.sealLabel(good));
  await until(
    () => host.labels.at(-1)?.number === 1_000_000 && host.labels.length > before,
    'the good label',
  );
  return host.labels.slice(before, -1);
}

test('opens a label and names sensor and device as the roster does', async () => {
  const host = await readyHost();
  const label = device.label(fixture.sensor.signing.kid, { frameNumber: 42 });
  await fixture.adversary.publish(labelTopic(), device.sealLabel(label));
  await until(() => host.labels.length === 1, 'the label');
  expect(host.labels[0]).toMatchObject({
    device: { kid: device.kid, name: 'pi' },
    sensor: { kid: fixture.sensor.signing.kid, name: 'porch' },
    number: 42,
    frameId: label.frameId,
    sensorTime: label.sensorTime,
    model: device.model,
    results: label.results,
  });
  expect(host.client.stats).toMatchObject({ labels: 1, doubles: 0, stale: 0, missed: 0, refused: 0 });
});

test('does not answer a device that the roster does not name', async () => {
  const host = await startHost();
  await fixture.retain(topics.roster, fixture.roster(1, undefined));
  await fixture.retain(topics.hello, device.hello());
  await until(() => host.refused.includes('hello UNTRUSTED_DEVICE'), 'the refusal');
  expect(host.hellos).toEqual([]);
  await expect(host.client.ready(10)).rejects.toMatchObject({ code: 'UNTRUSTED_DEVICE' });
});

test('times in rules hellos rise over restarts, each with its own nonce and prekey', async () => {
  const seenPath = join(folder, 'seen.json');
  const first = await readyHost({ seenPath, clock: () => 5_000_000 });
  await first.client.close();
  // The clock went back.
  const second = await startHost({ seenPath, clock: () => 1_000_000 });
  await until(() => second.hellos.length > 0, 'a rules hello');
  const open = (message: Uint8Array | undefined) =>
    verifyRulesHello(message ?? new Uint8Array(0), fixture.rules.signing.publicKey);
  const [a, b] = [open(first.hellos[0]), open(second.hellos[0])];
  expect(b.time).toBeGreaterThan(a.time);
  expect(b.freshNonce).not.toEqual(a.freshNonce);
  expect(b.prekey).not.toEqual(a.prekey);
});

test('a whole earlier boot, replayed to a restarted host, yields nothing', async () => {
  const seenPath = join(folder, 'seen.json');
  const first = await readyHost({ seenPath });
  const hello = device.hello();
  const offer = offerFor(first.hellos[0]);
  const labels = [1, 2, 3].map((frameNumber) =>
    device.sealLabel(device.label(fixture.sensor.signing.kid, { frameNumber })),
  );
  for (const label of labels) await fixture.adversary.publish(labelTopic(), label);
  await until(() => first.labels.length === 3, 'three labels');
  await first.client.close();

  for (const options of [{ seenPath }, {}]) {
    const restarted = await startHost(options);
    await fixture.retain(topics.hello, hello);
    await fixture.retain(offerTopic(), offer);
    for (const label of labels) await fixture.adversary.publish(labelTopic(), label);
    await until(() => restarted.refused.includes('label-offer DECRYPT_FAILED'), 'the refused offer');
    await until(() => restarted.client.stats.held === 3, 'the held labels');
    expect(restarted.labels).toEqual([]);
    await restarted.client.close();
  }
});

test('a restart within an epoch does not act again on what was acted on', async () => {
  const seenPath = join(folder, 'seen.json');
  const first = await readyHost({ seenPath });
  const label = device.sealLabel(device.label(fixture.sensor.signing.kid));
  await fixture.adversary.publish(labelTopic(), label);
  await until(() => first.labels.length === 1, 'the label');
  await first.client.close();
  const second = await startHost({ seenPath });
  await until(() => second.hellos.length > 0, 'a rules hello');
  await fixture.retain(offerTopic(), offerFor(second.hellos[0]));
  await second.client.ready(5000);
  expect(await sendThenGood(second, label)).toEqual([]);
  expect(second.client.stats.doubles).toBe(1);
});

test('doubles are dropped: the same record, the same frame under another number, the same frame after a new boot', async () => {
  const host = await readyHost();
  const label = device.label(fixture.sensor.signing.kid);
  const record = device.sealLabel(label);
  const again = device.sealLabel(label);
  const sameNumber = device.sealLabel({ ...label, frameId: new Uint8Array(8) });
  expect(await sendThenGood(host, record, record, again, sameNumber)).toHaveLength(1);
  expect(host.client.stats.doubles).toBe(3);

  device.reboot();
  await fixture.retain(topics.hello, device.hello());
  await until(() => host.hellos.length > 1, 'a rules hello for the new boot');
  await fixture.retain(offerTopic(), offerFor(host.hellos.at(-1)));
  await until(() => host.client.stats.labels === 2 && host.client.epoch === device.epoch, 'the new epoch');
  const resealed = device.sealLabel({ ...label, bootNonce: device.bootNonce, frameNumber: 1 });
  expect(await sendThenGood(host, resealed)).toEqual([]);
  expect(host.client.stats.doubles).toBe(4);
});

test('a label held back, or from a clock far ahead, is counted and not acted on', async () => {
  const host = await readyHost();
  const hour = 3_600_000;
  const old = device.sealLabel(device.label(fixture.sensor.signing.kid, { sensorTime: Date.now() - hour }));
  const early = device.sealLabel(device.label(fixture.sensor.signing.kid, { sensorTime: Date.now() + hour }));
  expect(await sendThenGood(host, old, early)).toEqual([]);
  expect(host.client.stats.stale).toBe(2);
});

test('another rules host, which knows the epoch secret, can neither forge nor renumber labels', async () => {
  const host = await readyHost();
  const sensor = fixture.sensor.signing.kid;
  const forged = device.sealLabel(device.label(sensor), { signer: fixture.rules.signing });
  const impostor = device.sealLabel(device.label(sensor), { signer: SigningKey.generate(), number: 500 });
  expect(await sendThenGood(host, forged, impostor)).toEqual([]);
  expect(host.refused.filter((each) => each === 'label UNKNOWN_SENDER')).toHaveLength(2);
  // A genuine label sealed anew under a high number must not shut out the labels that follow.
  const genuine = device.label(sensor, { frameNumber: 7 });
  expect(
    await sendThenGood(host, device.sealLabel(genuine), device.sealLabel(genuine, { number: 5000 })),
  ).toHaveLength(1);
});

test.each([
  ['another device', { device: unknownKid }, 'WRONG_DEVICE'],
  ['another boot', { bootNonce: new Uint8Array(16) }, 'STALE_NONCE'],
  ['another sensor than the topic', { sensor: unknownKid }, 'BAD_TAG'],
])('a label for %s is refused', async (_what, change, code) => {
  const host = await readyHost();
  const record = device.sealLabel(device.label(fixture.sensor.signing.kid, change));
  expect(await sendThenGood(host, record)).toEqual([]);
  expect(host.refused).toContain(`label ${code}`);
});

test('a label of a sensor that is not in the roster is refused', async () => {
  const host = await readyHost();
  const stranger = SigningKey.generate().kid;
  await fixture.adversary.publish(topics.label(stranger), device.sealLabel(device.label(stranger)));
  expect(await sendThenGood(host)).toEqual([]);
  expect(host.refused).toContain('label UNKNOWN_SENDER');
});

test('a label of a model that was not asked for is refused', async () => {
  const host = await readyHost({ models: [device.model] });
  const record = device.sealLabel(device.label(fixture.sensor.signing.kid, { model: new Uint8Array(32) }));
  expect(await sendThenGood(host, record)).toEqual([]);
  expect(host.refused).toContain('label MODEL_UNKNOWN');
});

test('damaged records are refused and change nothing', async () => {
  const host = await readyHost();
  const record = device.sealLabel(device.label(fixture.sensor.signing.kid));
  const flipped = Uint8Array.from(record);
  flipped[flipped.length - 1] = (flipped[flipped.length - 1] ?? 0) ^ 1;
  const trailing = Uint8Array.of(...record, 0);
  expect(
    await sendThenGood(host, flipped, trailing, record.subarray(0, 40), new Uint8Array(0), record),
  ).toHaveLength(1);
  expect(host.refused).toEqual([
    'label BAD_TAG',
    'label TRAILING_BYTES',
    'label TRUNCATED',
    'label TRUNCATED',
  ]);
});

test('labels that come before their offer wait for it, boundedly', async () => {
  const host = await startHost({ heldRecords: 2 });
  await fixture.retain(topics.roster, fixture.roster(1, device));
  await fixture.retain(topics.hello, device.hello());
  await until(() => host.hellos.length > 0, 'a rules hello');
  for (const frameNumber of [1, 2, 3])
    await fixture.adversary.publish(
      labelTopic(),
      device.sealLabel(device.label(fixture.sensor.signing.kid, { frameNumber })),
    );
  await until(() => host.client.stats.held === 2 && host.client.stats.unopened === 1, 'two held');
  await fixture.retain(offerTopic(), offerFor(host.hellos[0]));
  await until(() => host.labels.length === 2, 'the labels');
  expect(host.labels.map(({ number }) => number)).toEqual([2, 3]);
});

test('gaps in the numbers are counted', async () => {
  const host = await readyHost();
  const gaps: number[] = [];
  host.client.on('gap', ({ missed }) => gaps.push(missed));
  const records = [1, 2, 3, 4, 5].map((frameNumber) =>
    device.sealLabel(device.label(fixture.sensor.signing.kid, { frameNumber })),
  );
  const [one, , , four, five] = records;
  if (one === undefined || four === undefined || five === undefined) throw new Error('no records');
  expect(await sendThenGood(host, one, four, five)).toHaveLength(3);
  expect(gaps).toEqual([2]);
  expect(host.client.stats.missed).toBe(2);
});

test('labels of the epoch before are still opened; an older epoch does not come back', async () => {
  const host = await readyHost();
  const oldOffer = offerFor(host.hellos[0]);
  const late = device.sealLabel(device.label(fixture.sensor.signing.kid, { frameNumber: 9 }));
  device.nextEpoch();
  await fixture.retain(offerTopic(), offerFor(host.hellos[0]));
  await until(() => host.client.epoch === 2, 'epoch 2');
  await fixture.retain(offerTopic(), oldOffer);
  await until(() => host.refused.includes('label-offer STALE_COUNTER'), 'the refused offer');
  expect((await sendThenGood(host, late)).map(({ number }) => number)).toEqual([9]);
});

test('an offer that another device made, or for another boot, is refused', async () => {
  const host = await startHost();
  await fixture.retain(topics.roster, fixture.roster(1, device));
  await fixture.retain(topics.hello, device.hello());
  await until(() => host.hellos.length > 0, 'a rules hello');
  const other = new MessageDevice();
  const { signing } = fixture.rules;
  await fixture.retain(
    offerTopic(),
    other.labelOffer(host.hellos[0] ?? new Uint8Array(0), signing.publicKey, signing.kid),
  );
  await fixture.retain(offerTopic(), offerFor(host.hellos[0], { bootNonce: new Uint8Array(16) }));
  await until(() => host.refused.length === 2, 'two refusals');
  expect(host.refused).toEqual(['label-offer UNKNOWN_SENDER', 'label-offer STALE_NONCE']);
  expect(host.client.epoch).toBeUndefined();
});

test('telemetry is opened too, each once', async () => {
  const host = await readyHost();
  const seen: unknown[] = [];
  host.client.on('telemetry', ({ name, counters }) => seen.push([name, counters.get('frames')]));
  const context = { purpose: 'telemetry', device: device.kid, sender: device.kid } as const;
  const writer = new RecordWriter(device.epochSecret, context, device.epochChannel, device.epoch);
  const record = writer.seal(
    signTelemetry(
      {
        device: device.kid,
        bootNonce: device.bootNonce,
        uptime: 1,
        counters: new Map([['frames', 3]]),
        stages: new Map(),
        memory: new Map(),
        agent: new Map(),
      },
      device.signing,
      512,
    ),
  );
  await fixture.adversary.publish(topics.telemetry, record);
  await fixture.adversary.publish(topics.telemetry, record);
  await until(() => host.client.stats.doubles === 1, 'the double');
  expect(seen).toEqual([['pi', 3]]);
});

test('labels() iterates, and ends with the client', async () => {
  const host = await readyHost();
  const numbers: number[] = [];
  const reading = (async () => {
    for await (const { number } of host.client.labels()) numbers.push(number);
  })();
  await sendThenGood(host, device.sealLabel(device.label(fixture.sensor.signing.kid, { frameNumber: 5 })));
  await until(() => numbers.length === 2, 'two labels read');
  await host.client.close();
  await reading;
  expect(numbers).toEqual([5, 1_000_000]);
});

test('takes only keys with the role rules', async () => {
  await expect(startHost({ keys: fixture.sensor })).rejects.toMatchObject({ code: 'WRONG_ROLE' });
  expect(toHex(unknownKid)).toHaveLength(16);
});
