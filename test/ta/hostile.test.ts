/**
 * Hostile input: each kind is refused with its own stable code, nothing else changes, and the next good message works.
 * The TA runs under AddressSanitizer and UndefinedBehaviorSanitizer.
 */
import { randomBytes } from 'node:crypto';
import {
  AgreementKey,
  asChannelId,
  cborMap,
  Code,
  codeName,
  Command,
  encodeDeterministic,
  encodeModelBegin,
  RecordWriter,
  sealOffer,
  sealSign1,
  signOwnerStatement,
  signRulesHello,
  SigningKey,
  Tag,
  purposeAad,
} from '../../protocol/index.js';
import { signPackage, wrapFor } from '../../clients/publisher/index.js';
import {
  type DeviceUnderTest,
  faceModel,
  frame,
  oddFrame,
  type Party,
  party,
  readyDevice,
  seconds,
  type SensorChannel,
} from './device-under-test.js';
import type { TaReply } from './ta-host.js';

let device: DeviceUnderTest;
let sensor: Party;
let rules: Party;
let publisher: Party;
let channel: SensorChannel;

beforeAll(async () => {
  ({ device, sensor, rules, publisher } = await readyDevice());
  channel = await device.openChannel(sensor);
});
afterAll(() => device.stop());

const status = (reply: TaReply): string => {
  expect(reply.result).toBe(0);
  return reply.a === 0 ? 'OK' : codeName(reply.a)!;
};
const send = async (record: Uint8Array): Promise<string> => status(await device.ta.call('FRAME', record));
/** The next good frame works, and what the device says of itself is as before. */
const stillWorks = async (): Promise<void> => expect(await send(channel.writer.seal(frame()))).toBe('OK');
const flipped = (bytes: Uint8Array, at: number): Uint8Array => {
  const copy = bytes.slice();
  copy[at]! ^= 1;
  return copy;
};

describe('frame records', () => {
  afterEach(stillWorks);

  test('truncated anywhere: no acceptance, no crash', async () => {
    const record = channel.writer.seal(frame());
    const seen = new Map<string, number>();
    const lengths = [
      ...Array(80).keys(),
      ...Array.from({ length: 40 }, (_, i) => Math.floor((record.length * i) / 40)),
    ];
    for (const length of lengths) {
      const code = await send(record.subarray(0, length));
      seen.set(code, (seen.get(code) ?? 0) + 1);
    }
    expect([...seen.keys()]).toEqual(['TRUNCATED']);
    expect(await send(record)).toBe('OK'); // its number was not used up
  });

  test('flipped bits: refused, and the number stays free', async () => {
    const record = channel.writer.seal(frame());
    const head = record.length - 49_152;
    const codes = new Set<string>();
    for (let at = 0; at < head; at++) codes.add(await send(flipped(record, at)));
    for (let i = 0; i < 40; i++) codes.add(await send(flipped(record, head + Math.floor((49_151 * i) / 40))));
    codes.delete('BAD_TAG');
    for (const code of codes)
      expect([
        'MALFORMED',
        'TRUNCATED',
        'TRAILING_BYTES',
        'UNKNOWN_ALGORITHM',
        'NO_CHANNEL',
        'STALE_NUMBER',
        'DUPLICATE_KEY',
      ]).toContain(code);
    expect(await send(record)).toBe('OK');
  });

  test('replayed beyond the last labels, reordered', async () => {
    const records = Array.from({ length: 11 }, () => channel.writer.seal(frame()));
    for (const record of records.slice(1)) expect(await send(record)).toBe('OK');
    expect(await send(records[0]!)).toBe('STALE_NUMBER'); // overtaken
    expect(await send(records[1]!)).toBe('STALE_NUMBER'); // its label is no longer kept
    expect(await send(records[10]!)).toBe('OK'); // its label is
  });

  test('trailing bytes, too long, not a record, unknown channel', async () => {
    const record = channel.writer.seal(frame());
    expect(await send(Buffer.concat([record, Buffer.from([0])]))).toBe('TRAILING_BYTES');
    expect(await send(randomBytes(0))).toBe('TRUNCATED');
    expect(await send(encodeDeterministic('hello'))).toBe('MALFORMED');
    const long = channel.writer.seal(oddFrame(1_000_000));
    expect(await send(long)).toBe('TOO_LONG');
    const hello = await device.hello();
    const context = { purpose: 'frame', device: hello.device, sender: sensor.signing.kid } as const;
    const stranger = new RecordWriter(randomBytes(32), context, asChannelId(randomBytes(8)));
    expect(await send(stranger.seal(frame()))).toBe('NO_CHANNEL');
    const forged = new RecordWriter(randomBytes(32), context, channel.id);
    for (let i = 0; i < channel.writer.lastNumber + 2; i++) forged.seal(new Uint8Array(1));
    expect(await send(forged.seal(frame()))).toBe('BAD_TAG');
  });

  test('a reply buffer that does not take the label: refused, and the number stays free', async () => {
    const record = channel.writer.seal(frame());
    for (const capacity of [0, 100, 600]) {
      const reply = await device.ta.send(Command.FRAME, { input: record, capacity });
      expect(status(reply)).toBe('BUFFER_TOO_SMALL');
      expect(reply.out).toHaveLength(0);
    }
    expect(await send(record)).toBe('OK');
    expect(status(await device.ta.send(Command.FRAME, { input: record, capacity: 100 }))).toBe(
      'BUFFER_TOO_SMALL',
    );
    expect(await send(record)).toBe('OK'); // the label is still there
  });

  test('duplicate keys in the protected header', async () => {
    const header = Buffer.concat([Buffer.from('a3010101010448', 'hex'), channel.id]);
    const record = Buffer.concat([
      Buffer.from([0xd0, 0x83, 0x40 + header.length]),
      header,
      Buffer.from([0xa0, 0x50]),
      Buffer.alloc(16),
    ]);
    expect(await send(record)).toBe('DUPLICATE_KEY');
  });

  test('authentic but not a frame: refused, its number is used up', async () => {
    for (const plaintext of [
      new Uint8Array(0),
      encodeDeterministic(7),
      oddFrame(128 * 128 * 3 - 1),
      oddFrame(0),
      Buffer.concat([frame(), Buffer.from([0])]),
      encodeDeterministic(
        cborMap([
          [1, new Uint8Array(8)],
          [2, Date.now()],
          [3, 2 ** 32 + 1], // u8 once it is cut to 32 bits
          [4, [128, 128, 3]],
          [5, new Uint8Array(128 * 128 * 3)],
        ]),
      ),
    ]) {
      const record = channel.writer.seal(plaintext);
      expect(await send(record)).toBe('BAD_FRAME');
      expect(await send(record)).toBe('STALE_NUMBER');
    }
  });
});

describe('offers', () => {
  afterEach(stillWorks);
  const offer = async (bytes: Uint8Array): Promise<string> => status(await device.ta.call('OFFER', bytes));

  test('from somebody who is not in the roster, from a member in another role, expired', async () => {
    expect(await offer((await device.sealOffer(party('sensor'))).offer)).toBe('UNKNOWN_SENDER');
    expect(await offer((await device.sealOffer(rules)).offer)).toBe('WRONG_ROLE');
    const late = party('sensor', 1_700_000_000);
    await device.enrol(late);
    channel = await device.openChannel(sensor);
    expect(await offer((await device.sealOffer(late)).offer)).toBe('EXPIRED');
  });

  test('every byte altered: refused', async () => {
    const { offer: good } = await device.sealOffer(sensor);
    const codes = new Map<string, number>();
    for (let at = 0; at < good.length; at++) {
      const code = await offer(flipped(good, at));
      codes.set(code, (codes.get(code) ?? 0) + 1);
    }
    expect(codes.has('OK')).toBe(false);
    console.log('offer bytes altered:', Object.fromEntries(codes));
  });

  test('for another boot, an older counter, again, from one who has seen newer state', async () => {
    const hello = await device.hello();
    const content = {
      channel: asChannelId(randomBytes(8)),
      secret: randomBytes(32),
      inputShape: { format: 'u8', dims: [128, 128, 3] },
      counter: device.counter(),
      rosterVersion: 0,
      modelSequence: 0,
      time: seconds(),
    } as const;
    const to = (prekey: Uint8Array, nonce: Uint8Array): Uint8Array =>
      sealOffer(content, sensor.signing, [{ id: hello.device, freshness: nonce, publicKey: prekey }]);
    expect(await offer(to(AgreementKey.generate().publicKey, hello.bootNonce))).toBe('STALE_NONCE');
    expect(await offer(to(hello.prekey, randomBytes(16)))).toBe('DECRYPT_FAILED');
    expect(await offer((await device.sealOffer(sensor, { counter: channel.counter - 1 })).offer)).toBe(
      'STALE_COUNTER',
    );
    expect(await offer((await device.sealOffer(sensor, { counter: channel.counter })).offer)).toBe(
      'STALE_COUNTER',
    );
    expect(await offer((await device.sealOffer(sensor, { rosterVersion: 99 })).offer)).toBe(
      'STATE_ROLLED_BACK',
    );
    expect(await offer((await device.sealOffer(sensor, { dims: [64, 64, 3] })).offer)).toBe('BAD_FRAME');
  });

  test('the same offer again does not reset the numbers of its channel', async () => {
    const record = channel.writer.seal(frame());
    expect(await send(record)).toBe('OK');
    for (let i = 0; i < 8; i++) expect(await send(channel.writer.seal(frame()))).toBe('OK');
    expect(await offer(channel.offer)).toBe('OK');
    expect(await send(record)).toBe('STALE_NUMBER');
  });

  test('a successor takes over with its first good record', async () => {
    const next = await device.openChannel(sensor);
    expect(await send(channel.writer.seal(frame()))).toBe('OK');
    expect(await send(next.writer.seal(frame()))).toBe('OK');
    expect(await send(channel.writer.seal(frame()))).toBe('NO_CHANNEL');
    channel = next;
  });
});

describe('owner, roster, rules hosts', () => {
  afterEach(stillWorks);

  test('a second claim, a stranger, an old nonce, an old counter', async () => {
    const hello = await device.hello();
    const owner = async (
      action: 'claim' | 'reset',
      key: SigningKey,
      nonce: Uint8Array,
      counter: number,
    ): Promise<string> =>
      status(
        await device.ta.call(
          'OWNER',
          signOwnerStatement(
            {
              device: hello.device,
              counter,
              nonce,
              time: seconds(),
              action: action === 'claim' ? { type: 'claim', owners: [key.publicKey] } : { type: 'reset' },
            },
            key,
          ),
        ),
      );
    expect(await owner('claim', SigningKey.generate(), hello.bootNonce, 9)).toBe('ALREADY_CLAIMED');
    expect(await owner('claim', device.owner, hello.bootNonce, 9)).toBe('ALREADY_CLAIMED');
    expect(await owner('reset', SigningKey.generate(), hello.bootNonce, 9)).toBe('NOT_OWNER');
    expect(await owner('reset', device.owner, randomBytes(16), 9)).toBe('STALE_NONCE');
    expect(await owner('reset', device.owner, hello.bootNonce, device.ownerCounter)).toBe('STALE_COUNTER');
  });

  test('rosters: older, conflicting, not by the owner, without this device', async () => {
    const roster = async (bytes: Uint8Array): Promise<string> =>
      status(await device.ta.call('ROSTER', bytes));
    const now = await device.signedRoster(device.members, device.rosterVersion + 1);
    expect(await roster(now)).toBe('OK');
    device.rosterVersion++;
    channel = await device.openChannel(sensor);
    expect(await roster(now)).toBe('OK'); // the same again
    expect(await roster(await device.signedRoster([], device.rosterVersion))).toBe('ROSTER_CONFLICT');
    expect(await roster(await device.signedRoster(device.members, device.rosterVersion - 1))).toBe(
      'STALE_ROSTER',
    );
    expect(await roster(flipped(now, now.length - 1))).toBe('BAD_SIGNATURE');
    const body = encodeDeterministic(
      new Map<number, unknown>([
        [1, 99],
        [2, 1],
        [3, []],
        [4, []],
        [5, []],
      ]) as never,
    );
    expect(await roster(sealSign1(body, device.owner, purposeAad('roster')))).toBe('NOT_IN_ROSTER');
    expect(await roster(sealSign1(body, device.owner, purposeAad('owner')))).toBe('BAD_SIGNATURE'); // another purpose
    expect(await roster(sealSign1(body, SigningKey.generate(), purposeAad('roster')))).toBe('NOT_OWNER');
    const many = await device.signedRoster(
      Array.from({ length: 129 }, () => party('sensor')),
      99,
    );
    expect(await roster(many)).toBe('LIMIT_REACHED');
  });

  test('rules hellos: wrong role, another device, older, low-order prekey', async () => {
    const reader = await device.labelReader(rules);
    const hello = await device.hello();
    const say = async (change: object, key = rules.signing): Promise<string> =>
      status(
        await device.ta.call(
          'RULES_HELLO',
          signRulesHello(
            {
              device: hello.device,
              freshNonce: randomBytes(16),
              prekey: AgreementKey.generate().publicKey,
              time: device.counter(),
              rosterVersion: 0,
              modelSequence: 0,
              ...change,
            },
            key,
          ),
        ),
      );
    expect(status(await device.ta.call('RULES_HELLO', reader.message))).toBe('OK'); // retained: comes again
    expect(await say({}, sensor.signing)).toBe('WRONG_ROLE');
    expect(await say({ device: sensor.signing.kid })).toBe('WRONG_DEVICE');
    expect(await say({ time: 1 })).toBe('STALE_COUNTER');
    expect(await say({ modelSequence: 5 })).toBe('STATE_ROLLED_BACK');
    expect(await say({ prekey: new Uint8Array(32) })).toBe('BAD_KEY');
  });
});

describe('models', () => {
  test('altered in every byte of envelope and offer: refused, the running model goes on', async () => {
    const model = await faceModel();
    const hello = await device.hello();
    const signed = signPackage(model, publisher.signing, 2);
    const offer = wrapFor(
      { kid: hello.device, agreementKey: hello.agreementKey },
      signed,
      model.contentKey,
      publisher.signing,
    );
    const codes = new Map<string, number>();
    const begin = async (envelope: Uint8Array, wrapped: Uint8Array): Promise<string> => {
      const code = status(await device.ta.call('MODEL_BEGIN', encodeModelBegin(envelope, wrapped)));
      codes.set(code, (codes.get(code) ?? 0) + 1);
      return code;
    };
    for (let at = 0; at < signed.envelope.length; at++)
      expect(await begin(flipped(signed.envelope, at), offer)).not.toBe('OK');
    for (let at = 0; at < offer.length; at++)
      expect(await begin(signed.envelope, flipped(offer, at))).not.toBe('OK');
    console.log('envelope and offer bytes altered:', Object.fromEntries(codes));

    for (const [i, segment] of model.segments.entries()) {
      const segments = model.segments.map((s, k) =>
        k === i ? flipped(segment, Math.floor(segment.length / 2)) : s,
      );
      const reply = await device.load({ envelope: signed.envelope, segments }, offer);
      expect(status(reply)).toBe('MODEL_DIGEST');
    }
    expect((await device.hello()).modelSequence).toBe(1);
    await stillWorks();

    expect(status(await device.install(sensor, model, 2))).toBe('WRONG_ROLE');
    expect(status(await device.install(party('publisher'), model, 2))).toBe('UNKNOWN_SENDER');
    expect(status(await device.install(publisher, model, 1))).toBe('MODEL_SEQUENCE');
    expect(status(await device.install(publisher, model, 1 + 65_537))).toBe('MODEL_SEQUENCE');
    expect(status(await device.install(publisher, { ...model, target: 'neon' }, 2))).toBe('MODEL_TARGET');
    expect(status(await device.install(publisher, { ...model, memory: 2 ** 30 }, 2))).toBe('MODEL_MEMORY');
    expect(status(await device.install(publisher, { ...model, leastTaVersion: 2 ** 24 }, 2))).toBe(
      'MODEL_VERSION',
    );
    expect(status(await device.install(publisher, model, 2))).toBe('OK');
    expect((await device.hello()).modelSequence).toBe(2);
  });
});

test("a load is its session's alone: others are told BUSY, its end wipes it", async () => {
  const model = await faceModel();
  const hello = await device.hello();
  const signed = signPackage(model, publisher.signing, hello.modelSequence + 1);
  const offer = wrapFor(
    { kid: hello.device, agreementKey: hello.agreementKey },
    signed,
    model.contentKey,
    publisher.signing,
  );
  const begin = encodeModelBegin(signed.envelope, offer);
  expect(status(await device.ta.call('MODEL_BEGIN', begin))).toBe('OK');
  await device.ta.session(2);
  expect(status(await device.ta.call('MODEL_BEGIN', begin))).toBe('BUSY');
  expect(status(await device.ta.call('MODEL_SEGMENT', model.segments[0], 0))).toBe('BUSY');
  await stillWorks(); // frames are not a job of that kind
  await device.ta.endSession(2);
  await device.ta.session(1);
  expect(status(await device.ta.call('MODEL_SEGMENT', model.segments[0], 0))).toBe('OK');
  expect(status(await device.ta.call('MODEL_SEGMENT', model.segments[0], 0))).toBe('MODEL_ORDER');
  await device.ta.endSession(1);
  expect(status(await device.ta.call('MODEL_SEGMENT', model.segments[1], 1))).toBe('MODEL_UNKNOWN');
});

test('wrong parameter types, unknown commands and over-long requests, for every command', async () => {
  for (const command of Object.values(Command)) {
    for (const types of [0x1, 0x5555, 0x7777, 0x2364, 0x12365]) {
      const { result } = await device.ta.send(command, { types });
      expect(result).toBe(0xffff0006); // TEE_ERROR_BAD_PARAMETERS
    }
  }
  for (const command of [0, Math.max(...Object.values(Command)) + 1, 99, 0xfffffff0])
    expect((await device.ta.send(command)).result).toBe(0xffff000a); // TEE_ERROR_NOT_SUPPORTED
  expect(status(await device.ta.call('EVIDENCE', randomBytes(65)))).toBe('TOO_LONG');
  expect(status(await device.ta.call('EVIDENCE', randomBytes(7)))).toBe('BAD_REQUEST');
  expect(status(await device.ta.send(Command.HELLO, { capacity: 8 }))).toBe('BUFFER_TOO_SMALL');
  expect(status(await device.ta.call('RECEIPT', randomBytes(8)))).toBe('NO_CHANNEL');
  expect(status(await device.ta.call('TELEMETRY', encodeDeterministic(new Tag(1, 1))))).toBe('BAD_REQUEST');
  expect(Code.OK).toBe(0);
});
