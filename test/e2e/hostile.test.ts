/**
 * Whoever controls the broker sends what it likes: each kind is refused with its own stable code (read from the agent's log),
 * nothing else changes, and the next good frame works. Bit by bit, and under sanitizers: test/ta/hostile.test.ts.
 */
import { randomBytes } from 'node:crypto';
import { generateKeys, publicOf, type PartyKeys } from '../../clients/keys/index.js';
import {
  asChannelId,
  BUFFER,
  encodeDeterministic,
  encodeFrame,
  inputBytes,
  RecordWriter,
  sealOffer,
  toHex,
  verifyHello,
  type VerifiedHello,
} from '../../protocol/index.js';
import { theScenes, until, World } from './world.js';

let world: World;
let member: PartyKeys;
let picture: Uint8Array;
let writer: RecordWriter;

beforeAll(async () => {
  world = await World.create({ agent: { 'log.level': 'debug' } });
  member = generateKeys('sensor', 'garage camera');
  await world.home.owner.enrol(await world.home.link('owner-2'), publicOf(member));
  const [scene] = await theScenes();
  if (scene === undefined) throw new Error('no scene');
  picture = world.frameOf(scene);
  await until(
    () => hello().rosterVersion === world.home.owner.rosterVersion,
    () => 'the device has not taken the new roster',
  );
  writer = await openChannel(member);
});
afterAll(() => world?.close());

const hello = (): VerifiedHello => {
  const last = world.recorder.of(world.topics.hello).at(-1);
  if (last === undefined) throw new Error('no hello was heard');
  return verifyHello(last.payload);
};

const sealed = (
  keys: PartyKeys,
  to = hello(),
  secret = new Uint8Array(randomBytes(32)),
): [Uint8Array, RecordWriter] => {
  const channel = asChannelId(randomBytes(8));
  const offer = sealOffer(
    {
      channel,
      secret,
      inputShape: world.model.header.input,
      counter: (counter = Math.max(counter + 1, Date.now())),
      rosterVersion: to.rosterVersion,
      modelSequence: to.modelSequence,
      time: Math.floor(Date.now() / 1000),
    },
    keys.signing,
    [{ id: to.device, freshness: to.bootNonce, publicKey: to.prekey }],
  );
  const context = { purpose: 'frame', device: to.device, sender: keys.signing.kid } as const;
  return [offer, new RecordWriter(secret, context, channel)];
};
let counter = 0;

/** The next line of the agent's log with this message. */
const said = async (
  message: string,
  act: () => Promise<void>,
): Promise<Readonly<Record<string, unknown>>> => {
  const from = world.agent.log.length;
  await act();
  return world.agent.logged(message, { from, timeout: 5_000 });
};

const openChannel = async (keys: PartyKeys): Promise<RecordWriter> => {
  const [offer, made] = sealed(keys);
  const topic = world.topics.sensorOffer(keys.signing.kid);
  await said('accepted a channel offer', () => world.recorder.publish(topic, offer));
  return made;
};

const codes = new Map<string, number>();
const codeOf = (line: Readonly<Record<string, unknown>>): string => {
  const code = String(line['code']);
  codes.set(code, (codes.get(code) ?? 0) + 1);
  return code;
};

/** Sends what is no good frame; the code it is refused with. */
const refused = async (record: Uint8Array): Promise<string> => {
  const topic = world.topics.sensorFrame(member.signing.kid);
  return codeOf(await said('a frame gets no label', () => world.recorder.publish(topic, record)));
};

const refusedOffer = async (keys: PartyKeys, offer: Uint8Array): Promise<string> => {
  const topic = world.topics.sensorOffer(keys.signing.kid);
  return codeOf(await said('refused a channel offer', () => world.recorder.publish(topic, offer)));
};

const labelsHeard = (): Uint8Array[] =>
  world.recorder.of(world.topics.label(member.signing.kid)).map(({ payload }) => payload);

/** Sends a record; the label record that comes back. */
const answered = async (record: Uint8Array): Promise<Uint8Array> => {
  const before = labelsHeard().length;
  await world.recorder.publish(world.topics.sensorFrame(member.signing.kid), record);
  await until(
    () => labelsHeard().length > before,
    () => `no label; the agent said ${JSON.stringify(world.agent.log.at(-1))}`,
  );
  return labelsHeard()[before] as Uint8Array;
};

const plaintext = (): Uint8Array =>
  encodeFrame({
    id: new Uint8Array(randomBytes(8)),
    time: Date.now(),
    ...world.model.header.input,
    data: picture,
  });
const good = (): Uint8Array => writer.seal(plaintext());
const flipped = (bytes: Uint8Array, at: number): Uint8Array => {
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
};

let before: { hello: string; refusedByClients: number; labels: number };
beforeEach(() => {
  before = {
    hello: toHex(world.recorder.of(world.topics.hello).at(-1)?.payload ?? new Uint8Array()),
    refusedByClients: world.trouble.length,
    labels: world.labels.length,
  };
});
/** What the device says of itself is as before; both cameras' next frames get their labels; nothing else was acted on. */
afterEach(async () => {
  const own = world.labels.length;
  await answered(good());
  await world.labelOf(world.sensor.sendFrame(picture));
  await until(
    () => world.labels.length === own + 2,
    () => `${world.labels.length - own} of 2 labels`,
  );
  expect(toHex(world.recorder.of(world.topics.hello).at(-1)?.payload ?? new Uint8Array())).toBe(before.hello);
  expect(world.trouble).toHaveLength(before.refusedByClients);
  expect(world.rules.stats.missed).toBe(0);
});

test('truncated', async () => {
  const record = good();
  for (const length of [0, 1, 5, 20, 40, 1000, record.length - 1])
    expect([length, await refused(record.subarray(0, length))]).toEqual([length, 'TRUNCATED']);
  await answered(record);
});

test('bits flipped in ciphertext and tag', async () => {
  const record = good();
  for (const at of [60, 1000, record.length - 17, record.length - 16, record.length - 1])
    expect([at, await refused(flipped(record, at))]).toEqual([at, 'BAD_TAG']);
  // Its number was not used up.
  await answered(record);
});

test('replayed: the last ones get the same label again, older ones none', async () => {
  const records = Array.from({ length: 10 }, good);
  const labels: Uint8Array[] = [];
  for (const record of records) labels.push(await answered(record));
  const acted = world.labels.length;
  expect(await answered(records[9] as Uint8Array)).toEqual(labels[9]);
  expect(await answered(records[3] as Uint8Array)).toEqual(labels[3]);
  expect(await refused(records[0] as Uint8Array)).toBe('STALE_NUMBER');
  expect(await refused(flipped(records[9] as Uint8Array, 3000))).toBe('STALE_NUMBER');
  await until(
    () => world.rules.stats.doubles >= 2,
    () => 'the rules host has not seen the doubles',
  );
  expect(world.labels).toHaveLength(acted);
});

test('reordered', async () => {
  const [first, second] = [good(), good()];
  await answered(second);
  expect(await refused(first)).toBe('STALE_NUMBER');
});

test('from nobody: in a channel that was never opened, or under another key', async () => {
  const [, stranger] = sealed(generateKeys('sensor', 'stranger'));
  expect(await refused(stranger.seal(plaintext()))).toBe('NO_CHANNEL');
  const device = hello().device;
  const context = { purpose: 'frame', device, sender: member.signing.kid } as const;
  const forger = new RecordWriter(randomBytes(32), context, writer.channel);
  while (forger.lastNumber <= writer.lastNumber) forger.seal(new Uint8Array(1));
  expect(await refused(forger.seal(plaintext()))).toBe('BAD_TAG');
});

test('offers of strangers, and of members with another role', async () => {
  const stranger = generateKeys('sensor', 'stranger');
  expect(await refusedOffer(stranger, sealed(stranger)[0])).toBe('UNKNOWN_SENDER');
  expect(await refusedOffer(world.home.rulesKeys, sealed(world.home.rulesKeys)[0])).toBe('WRONG_ROLE');
  expect(await refusedOffer(world.home.publisherKeys, sealed(world.home.publisherKeys)[0])).toBe(
    'WRONG_ROLE',
  );
});

test('an offer that was altered, and one for another boot', async () => {
  const [offer] = sealed(member);
  expect(await refusedOffer(member, flipped(offer, offer.length - 1))).toBe('BAD_SIGNATURE');
  const now = hello();
  const otherNonce = sealed(member, { ...now, bootNonce: randomBytes(16) })[0];
  expect(await refusedOffer(member, otherNonce)).toBe('DECRYPT_FAILED');
  const otherPrekey = sealed(member, {
    ...now,
    prekey: generateKeys('sensor', 'x').agreement?.publicKey ?? now.prekey,
  });
  expect(await refusedOffer(member, otherPrekey[0])).toBe('STALE_NONCE');
});

test('over-long: more than the buffer, more than the model takes', async () => {
  expect(await refused(randomBytes(BUFFER.in + 1))).toBe('TOO_LONG');
  const size = inputBytes(world.model.header.input);
  expect(await refused(writer.seal(randomBytes(10 * size)))).toBe('TOO_LONG');
});

test('trailing bytes, duplicate keys, no CBOR at all', async () => {
  expect(await refused(Buffer.concat([good(), Buffer.from([0])]))).toBe('TRAILING_BYTES');
  // {1: 1, 1: 1, 4: channel} as the protected header, then {} and an empty ciphertext.
  const header = Buffer.concat([Buffer.from('a3010101010448', 'hex'), writer.channel]);
  const twice = Buffer.concat([
    Buffer.from([0xd0, 0x83, 0x40 + header.length]),
    header,
    Buffer.from([0xa0, 0x50]),
  ]);
  expect(await refused(Buffer.concat([twice, Buffer.alloc(16)]))).toBe('DUPLICATE_KEY');
  expect(await refused(Buffer.alloc(200, 0xff))).toBe('MALFORMED');
});

test('authentic, but no frame: refused, and its number is used up', async () => {
  const odd = [
    new Uint8Array(0),
    encodeDeterministic('frame'),
    Buffer.concat([plaintext(), Buffer.from([0])]),
  ];
  for (const content of odd) {
    const record = writer.seal(content);
    expect(await refused(record)).toBe('BAD_FRAME');
    expect(await refused(record)).toBe('STALE_NUMBER');
  }
});

test('frames of an earlier boot', async () => {
  const old = good();
  const { ta } = world.agent.teePids;
  if (ta === undefined) throw new Error('no TA process');
  const epoch = world.rules.epoch;
  const offers = world.sensor.stats.offers;
  process.kill(ta, 'SIGKILL');
  await until(
    () => world.sensor.stats.offers > offers && world.rules.epoch !== undefined,
    () => `the device has not come back; epoch ${epoch}`,
  );
  writer = await openChannel(member);
  await answered(good());
  expect(await refused(old)).toBe('NO_CHANNEL');
  // Another boot has another hello; nothing else has changed.
  before.hello = toHex(world.recorder.of(world.topics.hello).at(-1)?.payload ?? new Uint8Array());
  console.log('refused in all:', Object.fromEntries(codes));
});
