/**
 * Zones on real TAs: one channel to several devices, numbers that are dealt out to them, devices that come and go.
 */
import { randomBytes } from 'node:crypto';
import {
  asChannelId,
  asKid,
  type ChannelId,
  codeName,
  equalBytes,
  type Kid,
  receiptCovers,
  RecordWriter,
  sealZoneOffer,
  signRoster,
  verifyReceipt,
  type Zone,
} from '../../protocol/index.js';
import {
  type DeviceUnderTest,
  expectOk,
  frame,
  type Party,
  party,
  readyDevice,
  seconds,
} from './device-under-test.js';
import type { TaReply } from './ta-host.js';

const zone = asKid(new Uint8Array(randomBytes(8)));
const otherZone = asKid(new Uint8Array(randomBytes(8)));
const sensor = party('sensor');

let devices: DeviceUnderTest[] = [];
let kids: Kid[] = [];
let publisher: Party;
let version = 1;

const at = (index: number): DeviceUnderTest => devices[index]!;
const status = (reply: TaReply): string => {
  expect(reply.result).toBe(0);
  return reply.a === 0 ? 'OK' : codeName(reply.a)!;
};

/** Puts one roster in force everywhere: zones as lists of indices. */
const publish = async (lists: readonly (readonly number[])[], members: readonly Party[] = [sensor]) => {
  version++;
  const hellos = await Promise.all(devices.map((device) => device.hello()));
  const zones: Zone[] = lists.map((list, i) => ({
    id: [zone, otherZone][i]!,
    devices: list.map((index) => kids[index]!),
    name: `zone ${i}`,
  }));
  for (const device of devices) {
    const roster = signRoster(
      {
        version,
        issued: seconds(),
        members: [...members, publisher].map(({ role, signing, agreement }, i) => ({
          signingKey: signing.publicKey,
          agreementKey: agreement.publicKey,
          role,
          name: `member ${i}`,
        })),
        devices: hellos.map(({ signingKey, agreementKey }, i) => ({
          signingKey,
          agreementKey,
          securityLevel: 0,
          name: `device ${i}`,
        })),
        zones,
      },
      device.owner,
    );
    expectOk(await device.ta.call('ROSTER', roster));
  }
};

interface ZoneChannel {
  readonly id: ChannelId;
  readonly secret: Uint8Array;
  readonly offer: Uint8Array;
  readonly writer: RecordWriter;
}

const seal = async (
  to: readonly number[],
  { id = zone, from = sensor, roster = version }: { id?: Kid; from?: Party; roster?: number } = {},
): Promise<ZoneChannel> => {
  const hellos = await Promise.all(to.map((index) => at(index).hello()));
  const channel = asChannelId(new Uint8Array(randomBytes(8)));
  const secret = new Uint8Array(randomBytes(32));
  const offer = sealZoneOffer(
    {
      channel,
      secret,
      inputShape: { format: 'u8', dims: [128, 128, 3] },
      counter: at(0).counter(),
      rosterVersion: roster,
      modelSequence: 1,
      time: seconds(),
    },
    id,
    from.signing,
    hellos,
  );
  const writer = new RecordWriter(
    secret,
    { purpose: 'frame', device: id, sender: from.signing.kid },
    channel,
  );
  return { id: channel, secret, offer, writer };
};

const offer = async (index: number, { offer }: ZoneChannel): Promise<string> =>
  status(await at(index).ta.call('ZONE_OFFER', offer));
const open = async (to: readonly number[]): Promise<ZoneChannel> => {
  const channel = await seal(to);
  for (const index of to) expect(await offer(index, channel)).toBe('OK');
  return channel;
};
const send = async (index: number, record: Uint8Array): Promise<string> =>
  status(await at(index).ta.call('FRAME', record));
const taken = async (index: number, { id }: Pick<ZoneChannel, 'id'>, most: number): Promise<number[]> => {
  const receipt = verifyReceipt(
    expectOk(await at(index).ta.call('RECEIPT', id)).out,
    (await at(index).hello()).signingKey,
  );
  expect(equalBytes(receipt.device, kids[index]!)).toBe(true);
  expect(receipt.window).toHaveLength(16);
  return Array.from({ length: most }, (_, i) => i + 1).filter((number) => receiptCovers(receipt, number));
};

beforeAll(async () => {
  const ready = [];
  for (let i = 0; i < 3; i++) ready.push(await readyDevice());
  devices = ready.map(({ device }) => device);
  kids = (await Promise.all(devices.map((device) => device.hello()))).map(({ device }) => device);
  ({ publisher } = ready[0]!);
}, 240_000);
afterAll(async () => {
  for (const device of devices) await device.stop();
});
beforeEach(() => publish([[0, 1]]));

test('one channel, its frames dealt out to two devices; each receipts its own numbers', async () => {
  const channel = await open([0, 1]);
  for (const index of [0, 1, 1, 0, 0, 1]) expect(await send(index, channel.writer.seal(frame()))).toBe('OK');
  expect(await taken(0, channel, 9)).toEqual([1, 4, 5]);
  expect(await taken(1, channel, 9)).toEqual([2, 3, 6]);
});

test('a number that comes late is taken once, and then repeats its label', async () => {
  const { ta } = at(0);
  const channel = await open([0, 1]);
  const records = Array.from({ length: 131 }, () => channel.writer.seal(frame()));
  // In pairs the wrong way round, as when one was handed back.
  for (const number of [2, 1, 4, 3]) expect(await send(0, records[number - 1]!)).toBe('OK');
  const label = expectOk(await ta.call('FRAME', records[2])).out;
  expect(equalBytes(expectOk(await ta.call('FRAME', records[2])).out, label)).toBe(true);
  // The other device never saw it: at most one label per device.
  expect(await send(1, records[2]!)).toBe('OK');
  // Another frame under a number that was taken is a replay.
  const forged = records[2]!.slice();
  forged[forged.length - 1]! ^= 1;
  expect(await send(0, forged)).toBe('STALE_NUMBER');
  expect(await send(0, records[130]!)).toBe('OK');
  // 131 - 127 is the oldest that the device can tell apart.
  expect(await send(0, records[4]!)).toBe('OK');
  for (let i = 0; i < 8; i++) expect(await send(0, records[120 + i]!)).toBe('OK');
  expect(await send(0, records[3]!)).toBe('STALE_NUMBER');
  expect(await taken(0, channel, 140)).toEqual([4, 5, 121, 122, 123, 124, 125, 126, 127, 128, 131]);
  const next = await open([0, 1]);
  const skipped = Array.from({ length: 200 }, () => next.writer.seal(new Uint8Array(1))).at(-1)!;
  expect(await send(0, skipped)).toBe('BAD_FRAME'); // authentic: its number is used up
  expect(await send(0, skipped)).toBe('STALE_NUMBER');
  expect(await taken(0, next, 200)).toEqual([200]);
});

test("a device's own channel takes higher numbers only, and its receipt leaves out what it passed over", async () => {
  const channel = await at(0).openChannel(sensor);
  const records = Array.from({ length: 133 }, () => channel.writer.seal(frame()));
  expect(await taken(0, channel, 140)).toEqual([]);
  expect(await send(0, records[1]!)).toBe('OK');
  expect(await send(0, records[0]!)).toBe('STALE_NUMBER');
  expect(await send(0, records[4]!)).toBe('OK');
  expect(await taken(0, channel, 140)).toEqual([2, 5]);
  expect(await send(0, records[2]!)).toBe('STALE_NUMBER');
  expect(await send(0, channel.writer.seal(new Uint8Array(1)))).toBe('BAD_FRAME');
  // 134 - 127 is the oldest that a receipt tells of.
  expect(await taken(0, channel, 140)).toEqual([134]);
});

test('what is for one audience does not open for another', async () => {
  await publish([
    [0, 1],
    [0, 2],
  ]);
  // Device 1 is not in the second zone, device 2 not in the first.
  expect(await offer(2, await seal([0, 1, 2]))).toBe('NOT_IN_ZONE');
  expect(await offer(1, await seal([0, 1, 2], { id: otherZone }))).toBe('NOT_IN_ZONE');
  expect(await offer(1, await seal([0]))).toBe('STALE_NONCE');
  expect(await offer(0, await seal([0], { from: party('sensor') }))).toBe('UNKNOWN_SENDER');
  expect(await offer(0, await seal([0], { from: publisher }))).toBe('WRONG_ROLE');
  // An offer to the device is none to its zone, and the other way round.
  const own = await at(0).sealOffer(sensor);
  expect(status(await at(0).ta.call('ZONE_OFFER', own.offer))).toBe('BAD_SIGNATURE');
  const zoned = await seal([0]);
  expect(status(await at(0).ta.call('OFFER', zoned.offer))).toBe('BAD_SIGNATURE');
  // A frame sealed for the device under a channel of the zone.
  expect(await offer(0, zoned)).toBe('OK');
  const context = { purpose: 'frame', device: kids[0]!, sender: sensor.signing.kid } as const;
  expect(await send(0, new RecordWriter(zoned.secret, context, zoned.id).seal(frame()))).toBe('BAD_TAG');
  expect(await send(0, zoned.writer.seal(frame()))).toBe('OK');
});

test('a zone offer altered in every byte is refused', async () => {
  const good = await seal([0, 1]);
  const codes = new Set<string>();
  for (let i = 0; i < good.offer.length; i++) {
    const bad = good.offer.slice();
    bad[i]! ^= 1 << (i % 8);
    codes.add(await offer(0, { ...good, offer: bad }));
  }
  expect(codes.has('OK')).toBe(false);
  expect(await offer(0, good)).toBe('OK');
});

test('a device that joins changes nothing for those that are there', async () => {
  const channel = await open([0, 1]);
  expect(await send(0, channel.writer.seal(frame()))).toBe('OK');
  await publish([[0, 1, 2]]);
  expect(await send(0, channel.writer.seal(frame()))).toBe('OK');
  expect(await send(1, channel.writer.seal(frame()))).toBe('OK');
  const next = await open([0, 1, 2]);
  for (const index of [2, 0, 1]) expect(await send(index, next.writer.seal(frame()))).toBe('OK');
  // The successor's first frame closed the channel before it.
  expect(await send(0, channel.writer.seal(frame()))).toBe('NO_CHANNEL');
});

test('a device that leaves takes the keys with it: the others close the channel, and take no older offer', async () => {
  const channel = await open([0, 1]);
  const older = await seal([0, 1]);
  expect(await send(0, channel.writer.seal(frame()))).toBe('OK');
  await publish([[0]]);
  const frames = [channel.writer.seal(frame()), channel.writer.seal(frame())];
  expect(await send(0, frames[0]!)).toBe('NO_CHANNEL');
  expect(await send(1, frames[1]!)).toBe('NO_CHANNEL');
  expect(await offer(0, older)).toBe('STALE_ROSTER');
  expect(await offer(1, older)).toBe('NOT_IN_ZONE');
  const next = await open([0]);
  expect(await send(0, next.writer.seal(frame()))).toBe('OK');
  // It comes back: nothing of before opens again.
  await publish([[0, 1]]);
  expect(await send(0, next.writer.seal(frame()))).toBe('OK');
  expect(await send(1, frames[1]!)).toBe('NO_CHANNEL');
  expect(await offer(1, older)).toBe('STALE_ROSTER');
});

test('a zone that is gone, and a sensor that is gone, close its channels', async () => {
  const channel = await open([0, 1]);
  const own = await at(1).openChannel(sensor);
  await publish([]);
  expect(await send(0, channel.writer.seal(frame()))).toBe('NO_CHANNEL');
  expect(await send(1, own.writer.seal(frame()))).toBe('OK');
  await publish([[0, 1]]);
  const next = await open([0, 1]);
  await publish([[0, 1]], []);
  expect(await send(0, next.writer.seal(frame()))).toBe('NO_CHANNEL');
});

test('a zone with no device, with too many, without a name, or twice, is refused with its roster', async () => {
  const device = at(0);
  const hello = await device.hello();
  const roster = (zones: readonly Zone[]): Uint8Array =>
    signRoster({ version: version + 1, issued: seconds(), members: [], devices: [], zones }, device.owner);
  const one: Zone = { id: zone, devices: [hello.device], name: 'porch' };
  expect(() => roster([{ ...one, devices: [] }])).toThrow('items');
  expect(() => roster([{ ...one, devices: Array.from({ length: 17 }, () => hello.device) }])).toThrow(
    'items',
  );
  expect(() => roster([{ ...one, name: '' }])).toThrow('text');
  expect(status(await device.ta.call('ROSTER', roster([one, one])))).toBe('MALFORMED');
  expect(status(await device.ta.call('ROSTER', roster([one])))).toBe('NOT_IN_ROSTER');
});
