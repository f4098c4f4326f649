/** The TA and messages that other people's COSE, HPKE and CBOR made, and the other way round. */
import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { AgreementKey, codeName, SigningKey } from '../../protocol/index.js';
import { type DeviceUnderTest, expectOk, type Party, party, readyDevice } from './device-under-test.js';
import {
  type CborMap,
  fromCbor,
  kidOf,
  openedOffer,
  openedRecord,
  record,
  type RecordSide,
  sealed,
  signed,
  toCbor,
  unpadded,
  verified,
} from './other-implementation.js';

const U8 = 1;
const SHAPE = [U8, [128, 128, 3]] as const;
const bytes = (length: number): Uint8Array => new Uint8Array(randomBytes(length));
const map = (...entries: [number, unknown][]): CborMap => new Map(entries);
const raw = (value: unknown): Uint8Array => new Uint8Array(value as Uint8Array);

let device: DeviceUnderTest;
let rules: Party;
const sensorSeed = bytes(32);
const rulesSeed = bytes(32);
let sensorKid: Uint8Array;
let rulesKid: Uint8Array;

/** A party that the owner enrols with our tools, and that then speaks with the other implementation. */
const partyOf = (role: 'sensor' | 'rules', seed: Uint8Array): Party => ({
  role,
  signing: SigningKey.fromSeed(seed),
  agreement: AgreementKey.generate(),
});

beforeAll(async () => {
  ({ device } = await readyDevice());
  const sensor = partyOf('sensor', sensorSeed);
  rules = partyOf('rules', rulesSeed);
  await device.enrol(sensor, rules, party('publisher'));
  sensorKid = kidOf('ed25519', sensor.signing.publicKey);
  rulesKid = kidOf('ed25519', rules.signing.publicKey);
});
afterAll(() => device.stop());

/** The device's hello, verified by the other implementation with the key that it names. */
const readHello = async (): Promise<{ hello: CborMap; signingKey: Uint8Array; kid: Uint8Array }> => {
  const { out } = expectOk(await device.ta.call('HELLO'));
  const { signingKey } = await device.hello(); // only to know which key to verify with
  const hello = await verified(out, 'hello', signingKey);
  expect(raw(hello.get(2))).toEqual(signingKey);
  return { hello, signingKey, kid: kidOf('ed25519', signingKey) };
};

interface Channel {
  readonly id: Uint8Array;
  readonly side: RecordSide;
}

const offer = async (change: (message: Uint8Array) => Uint8Array = (message) => message) => {
  const { hello, kid } = await readHello();
  const id = bytes(8);
  const secret = bytes(32);
  const plaintext = toCbor(
    map(
      [1, id],
      [2, secret],
      [3, SHAPE],
      [4, device.counter()],
      [5, hello.get(6)],
      [6, hello.get(7)],
      [7, Math.floor(Date.now() / 1000)],
    ),
  );
  const context = { purpose: 'offer', sender: sensorKid, receiver: kid, freshness: raw(hello.get(4)) };
  const message = signed(change(await sealed(plaintext, raw(hello.get(5)), context)), 'offer', sensorSeed);
  const reply = await device.ta.call('OFFER', message);
  const side = { purpose: 1, device: kid, sender: sensorKid, secret, epoch: 0 };
  return { reply, channel: { id, side } satisfies Channel };
};

const frame = (id: Uint8Array): Uint8Array =>
  toCbor(map([1, id], [2, Date.now()], [3, U8], [4, SHAPE[1]], [5, bytes(128 * 128 * 3)]));

/** The secret of the present label epoch, asked for and opened by the other implementation. */
const labelSide = async () => {
  const { hello, signingKey, kid } = await readHello();
  const { publicKey, privateKey } = generateKeyPairSync('x25519');
  const prekey = {
    publicKey: raw(Buffer.from(publicKey.export({ format: 'jwk' }).x!, 'base64url')),
    scalar: raw(Buffer.from(privateKey.export({ format: 'jwk' }).d!, 'base64url')),
  };
  const fresh = bytes(16);
  const payload = map(
    [1, kid],
    [2, fresh],
    [3, prekey.publicKey],
    [4, device.counter()],
    [5, hello.get(6)],
    [6, hello.get(7)],
  );
  const { out } = expectOk(
    await device.ta.call('RULES_HELLO', signed(toCbor(payload), 'rules-hello', rulesSeed)),
  );
  const context = { purpose: 'label-offer', sender: kid, receiver: rulesKid, freshness: fresh };
  const opened = await openedOffer(out, signingKey, prekey, context);
  expect(raw(opened.get(4))).toEqual(raw(hello.get(4)));
  const side = {
    purpose: 2,
    device: kid,
    sender: sensorKid,
    secret: raw(opened.get(2)),
    epoch: Number(opened.get(3)),
  };
  return { side, signingKey, hello };
};

test('an offer and a frame of another implementation get a label that it can open', async () => {
  const { reply, channel } = await offer();
  expectOk(reply);
  const { side, signingKey, hello } = await labelSide();
  const frameId = bytes(8);
  const sent = await record(frame(frameId), channel.id, 1, channel.side);
  const { out } = expectOk(await device.ta.call('FRAME', sent));

  const { number, plaintext } = await openedRecord(out, side);
  expect(number).toBe(1);
  const label = await verified(unpadded(plaintext), 'label', signingKey);
  expect(raw(label.get(1))).toEqual(channel.id);
  expect(label.get(2)).toBe(1);
  expect(raw(label.get(3))).toEqual(sent.slice(-16));
  expect(raw(label.get(4))).toEqual(frameId);
  expect(raw(label.get(6))).toEqual(sensorKid);
  expect(raw(label.get(8))).toEqual(raw(hello.get(4)));
  expect((label.get(10) as unknown[])[0]).toBe(2);

  const receipt = await verified(
    expectOk(await device.ta.call('RECEIPT', channel.id)).out,
    'receipt',
    signingKey,
  );
  expect(receipt.get(3)).toBe(1);
});

test('evidence, model status and telemetry verify and open elsewhere', async () => {
  const { signingKey, kid } = await readHello();
  const nonce = bytes(16);
  const evidence = await verified(
    expectOk(await device.ta.call('EVIDENCE', nonce)).out,
    'evidence',
    signingKey,
  );
  expect(raw(evidence.get(10))).toEqual(nonce);
  const status = await verified(
    expectOk(await device.ta.call('MODEL_STATUS')).out,
    'model-status',
    signingKey,
  );
  expect(raw(status.get(1))).toEqual(kid);

  const { side } = await labelSide();
  const { out } = expectOk(await device.ta.call('TELEMETRY', toCbor(new Map([['lost', 3]]))));
  const { plaintext } = await openedRecord(out, { ...side, purpose: 3, sender: kid });
  const telemetry = await verified(unpadded(plaintext), 'telemetry', signingKey);
  expect(telemetry.get(7)).toEqual(new Map([['lost', 3]]));
});

test('one byte more or other in what another implementation made is refused', async () => {
  const flipped = await offer((message) => {
    const altered = message.slice();
    altered[altered.length - 1]! ^= 1;
    return altered;
  });
  expect(codeName(flipped.reply.a)).toBe('DECRYPT_FAILED');
  const longer = await offer((message) => new Uint8Array([...message, 0]));
  expect(codeName(longer.reply.a)).toBe('TRAILING_BYTES');

  const { channel } = await offer();
  const sent = await record(frame(bytes(8)), channel.id, 1, { ...channel.side, epoch: 1 });
  expect(codeName((await device.ta.call('FRAME', sent)).a)).toBe('BAD_TAG');
});

test('the other decoder takes our messages as deterministic CBOR', async () => {
  const { out } = expectOk(await device.ta.call('HELLO'));
  expect(toCbor(fromCbor(out))).toEqual(out);
});
