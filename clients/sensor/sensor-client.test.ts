import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Frame } from '../../protocol/messages/frame.js';
import type { Offer } from '../../protocol/messages/offer.js';
import { MessageDevice } from '../../test/support/message-device.js';
import { PartyFixture, PREFIX, topics, until } from '../../test/support/party-fixture.js';
import { publicOf } from '../keys/index.js';
import { SensorClient, type SensorOptions } from './index.js';

let fixture: PartyFixture;
let device: MessageDevice;
let folder: string;
const clients: SensorClient[] = [];
/** What arrived at the device's side. */
let offers: Offer[];
let frames: (Frame & { number: number; channel: number })[];
let unreadable: number;

beforeEach(async () => {
  fixture = await PartyFixture.create();
  device = new MessageDevice();
  device.rosterVersion = 1;
  folder = mkdtempSync(join(tmpdir(), 'smart-zone-sensor-'));
  offers = [];
  frames = [];
  unreadable = 0;
  const { kid, publicKey } = fixture.sensor.signing;
  await fixture.adversary.subscribe(topics.sensorOffer(kid), ({ payload, retained }) => {
    if (!retained) offers.push(device.openOffer(payload, publicKey));
  });
  await fixture.adversary.subscribe(topics.sensorFrame(kid), ({ payload }) => {
    for (const [channel, offer] of [...offers.entries()].reverse()) {
      try {
        frames.push({ ...device.openFrame(payload, offer, kid), channel });
        return;
      } catch {
        // Of an earlier channel.
      }
    }
    unreadable++;
  });
});
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
  await fixture.close();
  rmSync(folder, { recursive: true });
});

let sensors = 0;
async function startSensor(options: Partial<SensorOptions> = {}) {
  const link = await fixture.link(`sensor-${sensors++}`);
  const client = await SensorClient.open({
    link,
    keys: fixture.sensor,
    owner: publicOf(fixture.owner),
    prefix: PREFIX,
    ...options,
  });
  clients.push(client);
  const dropped: string[] = [];
  const refused: string[] = [];
  client.on('dropped', ({ reason }) => dropped.push(reason));
  client.on('refused', ({ what, error }) => refused.push(`${what} ${error.code}`));
  return { client, dropped, refused };
}

async function readySensor(options: Partial<SensorOptions> = {}) {
  const started = await startSensor(options);
  await fixture.retain(topics.roster, fixture.roster(1, device));
  await fixture.retain(topics.hello, device.hello());
  await started.client.ready(5000);
  return started;
}

const receipt = (
  channel: number,
  last: number,
  change: { bootNonce?: Uint8Array; without?: readonly number[] } = {},
): Promise<void> => {
  const offer = offers[channel];
  if (offer === undefined) throw new Error('no such channel');
  return fixture.retain(
    topics.sensorReceipt(fixture.sensor.signing.kid),
    device.receipt(offer, last, change),
  );
};
const data = (n: number): Uint8Array => Uint8Array.of(n, n, n, n);

test('offers a channel to the device of the roster, and seals frames that it can open', async () => {
  const { client } = await readySensor();
  const id = client.sendFrame(data(7), 1234.7);
  await until(() => frames.length === 1, 'the frame');
  expect(frames[0]).toMatchObject({
    id,
    number: 1,
    time: 1234,
    format: 'u8',
    dims: [2, 2, 1],
    data: data(7),
  });
  expect(offers[0]).toMatchObject({
    inputShape: { format: 'u8', dims: [2, 2, 1] },
    rosterVersion: 1,
    modelSequence: 1,
  });
  expect(client.stats).toMatchObject({ frames: 1, sent: 1, receipted: 0, queued: 1, offers: 1 });
});

test('decodes a picture and brings it to the input size', async () => {
  device.inputShape = { format: 'u8', dims: [1, 1, 1] };
  const { client } = await readySensor();
  await client.sendPicture({ width: 2, height: 1, channels: 1, data: Uint8Array.of(100, 200) });
  await until(() => frames.length === 1, 'the frame');
  expect(frames[0]?.data).toEqual(Uint8Array.of(150));
  await expect(client.sendPicture(Uint8Array.of(1, 2, 3))).rejects.toMatchObject({ code: 'PICTURE_INVALID' });
});

test('a picture for a device that takes none, and a frame of the wrong size, are refused', async () => {
  device.inputShape = { format: 'f32', dims: [3] };
  const { client } = await readySensor();
  const picture = { width: 1, height: 1, channels: 1, data: Uint8Array.of(1) } as const;
  await expect(client.sendPicture(picture)).rejects.toMatchObject({ code: 'BAD_FRAME' });
  expect(() => client.sendFrame(new Uint8Array(11))).toThrow('f32 3 takes 12');
  client.sendFrame(new Uint8Array(12));
  await until(() => frames.length === 1, 'the frame');
});

test('receipts take frames out; forged ones and those of another boot do not', async () => {
  const { client, refused } = await readySensor();
  for (const n of [1, 2, 3]) client.sendFrame(data(n));
  await until(() => frames.length === 3, 'three frames');
  const stranger = new MessageDevice();
  const [offer] = offers;
  if (offer === undefined) throw new Error('no offer');
  await fixture.retain(topics.sensorReceipt(fixture.sensor.signing.kid), stranger.receipt(offer, 3));
  await receipt(0, 3, { bootNonce: new Uint8Array(16) });
  await until(() => refused.length === 1, 'the refusal');
  expect(refused).toEqual(['receipt UNKNOWN_SENDER']);
  expect(client.stats.queued).toBe(3);
  await receipt(0, 2);
  await until(() => client.stats.receipted === 2, 'two receipts');
  await receipt(0, 3);
  await client.idle(5000);
  expect(client.stats).toMatchObject({ receipted: 3, queued: 0, dropped: 0 });
});

test('after a new boot: a new channel, and unreceipted frames again under their ids', async () => {
  const { client } = await readySensor();
  const ids = [1, 2, 3].map((n) => client.sendFrame(data(n)));
  await until(() => frames.length === 3, 'three frames');
  await receipt(0, 1);
  await until(() => client.stats.receipted === 1, 'one receipt');
  device.reboot();
  await fixture.retain(topics.hello, device.hello());
  await until(() => frames.length === 5, 'two frames again');
  expect(offers).toHaveLength(2);
  expect(offers[1]?.counter).toBeGreaterThan(offers[0]?.counter ?? Infinity);
  expect(offers[1]?.secret).not.toEqual(offers[0]?.secret);
  expect(frames.slice(3).map(({ id, number, channel }) => ({ id, number, channel }))).toEqual([
    { id: ids[1], number: 1, channel: 1 },
    { id: ids[2], number: 2, channel: 1 },
  ]);
  await receipt(1, 2);
  await client.idle(5000);
});

test('the same hello again does not make a new channel', async () => {
  const { client } = await readySensor();
  await fixture.retain(topics.hello, device.hello());
  client.sendFrame(data(1));
  await until(() => frames.length === 1, 'the frame');
  expect(offers).toHaveLength(1);
});

test('waits for a device that has not taken the newest roster', async () => {
  const { client } = await startSensor();
  await fixture.retain(topics.roster, fixture.roster(2, device));
  await fixture.retain(topics.hello, device.hello());
  await expect(client.ready(100)).rejects.toThrow('has not taken roster 2 yet');
  expect(offers).toEqual([]);
  device.rosterVersion = 2;
  await fixture.retain(topics.hello, device.hello());
  await client.ready(5000);
});

test.each([
  ['no roster', () => Promise.resolve(), 'no roster'],
  ['no hello', async () => fixture.retain(topics.roster, fixture.roster(1, device)), 'no hello'],
  [
    'a roster without this sensor',
    async () => {
      await fixture.retain(topics.roster, fixture.roster(1, device, { members: [] }));
      await fixture.retain(topics.hello, device.hello());
    },
    'the sender is not in the roster (porch',
  ],
  [
    'a device without a model',
    async () => {
      device.inputShape = undefined;
      await fixture.retain(topics.roster, fixture.roster(1, device));
      await fixture.retain(topics.hello, device.hello());
    },
    'no model is active',
  ],
])('%s: not ready, and the error says why', async (_what, prepare, why) => {
  const { client } = await startSensor();
  await prepare();
  await expect(client.ready(200)).rejects.toThrow(why);
  expect(offers).toEqual([]);
});

test('when the queue is full the oldest frame is dropped and counted', async () => {
  const { client, dropped } = await readySensor({ queueCapacity: 2 });
  for (const n of [1, 2, 3]) client.sendFrame(data(n));
  await until(() => frames.length === 3, 'three frames');
  expect(dropped).toEqual(['overflow']);
  expect(client.stats).toMatchObject({ frames: 3, queued: 2, dropped: 1 });
});

test('another input shape: a new channel; frames of the old shape are dropped', async () => {
  const { client, dropped } = await readySensor();
  client.sendFrame(data(1));
  await until(() => frames.length === 1, 'the frame');
  device.inputShape = { format: 'u8', dims: [1, 1, 3] };
  device.modelSequence = 2;
  await fixture.retain(topics.hello, device.hello());
  await until(() => offers.length === 2, 'a new offer');
  expect(dropped).toEqual(['shape']);
  expect(offers[1]).toMatchObject({ inputShape: { dims: [1, 1, 3] }, modelSequence: 2 });
  client.sendFrame(Uint8Array.of(1, 2, 3));
  await until(() => frames.length === 2, 'a frame of the new shape');
});

test('without a receipt for a while the sensor offers a new channel, and gives up a frame that is never answered', async () => {
  const { client, dropped } = await readySensor({ offerAgainAfter: 50 });
  const id = client.sendFrame(data(1));
  await until(() => dropped.length === 1, 'the frame given up');
  expect(dropped).toEqual(['unanswered']);
  expect(frames.map((frame) => frame.id)).toEqual([id, id, id, id]);
  expect(new Set(frames.map(({ channel }) => channel)).size).toBe(4);
});

test('a device that takes longer for a frame than the sensor waits at first gets the time', async () => {
  let now = 1_000_000;
  const { client } = await readySensor({ clock: () => now, maxAge: 120_000 });
  client.sendFrame(data(1));
  await until(() => frames.length === 1, 'the frame');
  now += 10_000;
  await until(() => frames.length === 2, 'the frame in a second channel');
  // Two looks at the clock of the sensor, which has every 500 ms.
  const twoLooks = () => new Promise((resolve) => setTimeout(resolve, 1100));
  now += 15_000;
  await twoLooks();
  expect(offers).toHaveLength(2);
  await receipt(1, 1);
  await client.idle(5000);
  client.sendFrame(data(2));
  await until(() => frames.length === 3, 'the second frame');
  now += 15_000;
  await twoLooks();
  expect(offers).toHaveLength(2);
  now += 5_000;
  await until(() => offers.length === 3, 'a third channel');
});

test('frames that are too old to count are dropped instead of sent again', async () => {
  let now = 1_000_000;
  const { client, dropped } = await readySensor({ clock: () => now });
  client.sendFrame(data(1));
  now += 31_000;
  await until(() => dropped.length === 1, 'the dropped frame');
  expect(dropped).toEqual(['too-old']);
});

test('offer counters rise over restarts even when the clock goes back, and no secret reaches the disk', async () => {
  const seenPath = join(folder, 'porch.seen.json');
  const first = await readySensor({ seenPath, clock: () => 5_000_000 });
  await first.client.close();
  await startSensor({ seenPath, clock: () => 1_000_000 });
  await until(() => offers.length === 2, 'a second offer');
  expect(offers[1]?.counter).toBeGreaterThan(offers[0]?.counter ?? Infinity);
  const text = readFileSync(seenPath, 'utf8');
  for (const { secret } of offers)
    for (const encoding of ['hex', 'base64url', 'base64'] as const)
      expect(text).not.toContain(Buffer.from(secret).toString(encoding));
});

test('takes only keys with the role sensor', async () => {
  await expect(startSensor({ keys: fixture.rules })).rejects.toMatchObject({ code: 'WRONG_ROLE' });
  expect(unreadable).toBe(0);
});

test('a frame between two others that the device did not take goes again under another number, once', async () => {
  const { client } = await readySensor();
  const ids = [1, 2, 3].map((n) => client.sendFrame(data(n)));
  await until(() => frames.length === 3, 'three frames');
  await receipt(0, 3, { without: [2] });
  await until(() => frames.length === 4, 'the lost frame again');
  expect(frames[3]).toMatchObject({ id: ids[1], number: 4, channel: 0, data: data(2) });
  expect(client.stats).toMatchObject({ receipted: 2, queued: 1, sent: 4, offers: 1 });
  // What is retained comes again with every connection: number 4 is above it, and nothing is lost now.
  await receipt(0, 3, { without: [2] });
  const later = client.sendFrame(data(4));
  await until(() => frames.length === 5, 'a later frame');
  expect(frames[4]).toMatchObject({ id: later, number: 5 });
  await receipt(0, 5, { without: [2] });
  await client.idle(5000);
  expect(client.stats).toMatchObject({ receipted: 4, queued: 0, dropped: 0, sent: 5 });
});

test('what an overloaded device let go waits for newer frames and for room, and is given up in the end', async () => {
  const { client, dropped } = await readySensor({ window: 2 });
  const ids = [1, 2, 3, 4].map((n) => client.sendFrame(data(n)));
  await until(() => frames.length === 4, 'four frames');
  // 3 and 4 are still on their way: that is all the room.
  await receipt(0, 2, { without: [1] });
  await until(() => client.stats.receipted === 1, 'the receipt');
  ids.push(client.sendFrame(data(5)));
  await until(() => frames.length === 5, 'the newer frame');
  expect(frames[4]).toMatchObject({ id: ids[4], number: 5 });
  await receipt(0, 4, { without: [1] });
  await until(() => frames.length === 6, 'the lost frame');
  expect(frames[5]).toMatchObject({ id: ids[0], number: 6 });
  for (const number of [7, 9]) {
    client.sendFrame(data(number));
    await until(() => frames.length === number, 'a newer frame');
    await receipt(0, number, { without: [1, number - 1] });
    await until(() => frames.length === number + 1, 'the lost frame again');
    expect(frames[number]).toMatchObject({ id: ids[0], number: number + 1 });
  }
  client.sendFrame(data(11));
  await until(() => frames.length === 11, 'one more');
  await receipt(0, 11, { without: [1, 6, 8, 10] });
  await client.idle(5000);
  expect(dropped).toEqual(['unanswered']);
  expect(frames).toHaveLength(11);
});

test('a number too far back for any receipt to tell of is sealed again', async () => {
  const { client } = await readySensor({ queueCapacity: 200 });
  const ids = Array.from({ length: 130 }, (_, n) => client.sendFrame(data(n)));
  await until(() => frames.length === 130, 'all frames');
  await receipt(0, 130);
  await until(() => frames.length === 132, 'two again');
  expect(frames.slice(130).map(({ id, number }) => ({ id, number }))).toEqual([
    { id: ids[0], number: 131 },
    { id: ids[1], number: 132 },
  ]);
});

test('seals again what has no receipt when the agent comes back', async () => {
  const agentState = (state: string, session: unknown): Promise<void> =>
    fixture.retain(topics.state, Buffer.from(JSON.stringify({ state, session })));
  await agentState('online', 1);
  const { client } = await readySensor();
  const ids = [client.sendFrame(data(1)), client.sendFrame(data(2))];
  await until(() => frames.length === 2, 'both frames');
  await fixture.retain(topics.state, Buffer.from('not JSON'));
  await agentState('offline', 1);
  await agentState('degraded', 'x');
  await agentState('online', 2);
  await until(() => frames.length === 4, 'both frames again');
  expect(frames.slice(2).map(({ id, number }) => ({ id, number }))).toEqual([
    { id: ids[0], number: 3 },
    { id: ids[1], number: 4 },
  ]);
  await receipt(0, 3);
  await until(() => client.stats.receipted === 1, 'the receipt');
  expect(client.stats).toMatchObject({ queued: 1, sent: 4, offers: 1 });
});
