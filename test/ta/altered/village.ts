/** A device with everybody around it, and one valid message of every kind that anyone receives, not yet delivered. */
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Witness } from '../../../clients/keys/index.js';
import { readPackage, type SealedModel } from '../../../clients/publisher/index.js';
import { DeviceTrust } from '../../../clients/trust/index.js';
import {
  AgreementKey,
  answers,
  asChannelId,
  Code,
  codeName,
  decodeModelPackage,
  encodeAgentCounters,
  encodeFrame,
  encodeModelBegin,
  equalBytes,
  isSmartZoneError,
  openLabelOffer,
  openRecord,
  parseRecord,
  recordKey,
  sealZoneOffer,
  segmentEntry,
  signModelAnnouncement,
  signRoster,
  signRulesHello,
  SmartZoneError,
  verifyEvidence,
  verifyHello,
  verifyLabel,
  verifyModelAnnouncement,
  verifyModelEnvelope,
  verifyModelStatus,
  verifyOwnerReply,
  verifyReceipt,
  verifyRoster,
  verifyTelemetry,
  type Purpose,
  type RecordContext,
  type Roster,
} from '../../../protocol/index.js';
import { asKid } from '../../../protocol/kid.js';
import { DeviceUnderTest, expectOk, party, type SensorChannel } from '../device-under-test.js';
import { tinyModels } from '../model/tiny-models.js';
import { TaHost, type TaReply } from '../ta-host.js';

/** A message and whoever receives it. */
export interface Kind {
  readonly name: string;
  /** Of smart-zone.cddl. */
  readonly rule: string;
  readonly bytes: Uint8Array;
  /** OK, or the code with which it is refused. */
  readonly receive: (bytes: Uint8Array) => Promise<string>;
  /** What is signed is for this, where it is a COSE_Sign1. */
  readonly purpose?: Purpose;
}

const PURPOSES: readonly Purpose[] = [
  'hello',
  'evidence',
  'owner',
  'owner-reply',
  'roster',
  'offer',
  'zone-offer',
  'rules-hello',
  'label-offer',
  'receipt',
  'model-offer',
  'model-package',
  'model-status',
];

const fill = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);
export const code = ({ a, result }: TaReply): string =>
  result !== 0 ? `result ${result}` : a === 0 ? 'OK' : (codeName(a) ?? `${a}`);

/** What a reader does: OK or the code of its error; anything else that is thrown is a failure of the reader. */
export const read = (what: () => unknown): Promise<string> => {
  try {
    what();
    return Promise.resolve('OK');
  } catch (error) {
    if (isSmartZoneError(error)) return Promise.resolve(error.code);
    throw error;
  }
};
const demand = (
  holds: boolean,
  refusal: 'WRONG_DEVICE' | 'STALE_NONCE' | 'NO_CHANNEL' | 'UNTRUSTED_DEVICE',
): void => {
  if (!holds) throw new SmartZoneError(refusal);
};

export class Village {
  readonly sensor = party('sensor');
  readonly rules = party('rules');
  readonly publisher = party('publisher');
  /** Members, too, with rights of their own and designs on the others'. */
  readonly others = [party('sensor'), party('rules'), party('publisher')];
  readonly zone = asKid(fill(8, 77));
  readonly kinds: Kind[] = [];

  private constructor(
    readonly device: DeviceUnderTest,
    readonly model: SealedModel,
  ) {}

  /** @param which of the two tiny models that take the same frames */
  static async create(which: 0 | 1 = 0): Promise<Village> {
    const model = (await tinyModels())[which];
    if (!model) throw new Error('a model');
    const village = new Village(new DeviceUnderTest(TaHost.create()), model);
    await village.#settle();
    return village;
  }

  stop(): Promise<void> {
    return this.device.stop();
  }

  /** All that a message could have changed: storage, hello, epoch, channel, models. @param numbers those of its frames, too */
  async state(numbers = true): Promise<string> {
    const { ta } = this.device;
    const hash = createHash('sha256');
    for (const name of readdirSync(ta.storage)) hash.update(readFileSync(join(ta.storage, name)));
    for (const command of ['HELLO', 'PING'] as const) {
      const { a, b, c, d, out } = await ta.call(command);
      // A load that was begun and refused may have ended the one before it.
      hash.update(JSON.stringify([a, b, c & 3, d, Buffer.from(out).toString('hex')]));
    }
    const receipt = await ta.call('RECEIPT', this.channelId);
    if (numbers) hash.update(receipt.out);
    const { floor, committed, trial, previous, loaded } = verifyModelStatus(
      (await ta.call('MODEL_STATUS')).out,
      (await this.device.hello()).signingKey,
    );
    hash.update(JSON.stringify([floor, committed?.[0], trial, previous, loaded]));
    return hash.digest('hex');
  }

  channelId: Uint8Array = fill(8, 0);
  #channel: SensorChannel | undefined;

  /** The sensor's, to the device; one frame of it was taken, another waits among the kinds. */
  get channel(): SensorChannel {
    if (this.#channel === undefined) throw new Error('not settled');
    return this.#channel;
  }

  /** Everybody, and what clients need of it. */
  roster(version: number, change: Partial<Roster> = {}): Promise<Uint8Array> {
    return this.#roster(version, change);
  }

  get #data(): Uint8Array {
    return fill(4 * (this.model.header.input.dims[0] ?? 0), 1);
  }

  async #roster(version: number, change: Partial<Roster> = {}): Promise<Uint8Array> {
    const { device, sensor, rules, publisher, zone } = this;
    const hello = await device.hello();
    const { signingKey, agreementKey } = hello;
    return signRoster(
      {
        version,
        issued: 1_800_000_000,
        members: [sensor, rules, publisher, ...this.others].map(({ role, signing, agreement }) => ({
          signingKey: signing.publicKey,
          agreementKey: agreement.publicKey,
          role,
          name: role,
          ...(role === 'sensor' && { notAfter: 1_900_000_000 }),
        })),
        devices: [{ signingKey, agreementKey, securityLevel: 0, name: 'device' }],
        zones: [{ id: zone, devices: [hello.device], name: 'zone' }],
        lease: 100_000,
        ...change,
      },
      device.owner,
    );
  }

  async #settle(): Promise<void> {
    const { device, sensor, publisher, model } = this;
    expectOk(await device.claim());
    expectOk(await device.ta.call('ROSTER', await this.#roster(1)));
    expectOk(await device.install(publisher, model, 1));
    const channel = await device.sealOffer(sensor, model.header.input);
    expectOk(await device.ta.call('OFFER', channel.offer));
    this.channelId = channel.id;
    this.#channel = channel;
    const frame = (): Uint8Array =>
      channel.writer.seal(encodeFrame({ ...model.header.input, id: fill(8, 1), time: 1, data: this.#data }));
    const reader = await device.labelReader(this.rules);
    const label = expectOk(await device.ta.call('FRAME', frame())).out;
    await this.#forDevice(frame());
    await this.#models();
    await this.#fromDevice(label, reader.offer);
  }

  #add(name: string, rule: string, bytes: Uint8Array, receive: Kind['receive']): void {
    const signed = PURPOSES.find((purpose) => purpose === (rule === 'owner-statement' ? 'owner' : rule));
    this.kinds.push({ name, rule, bytes, receive, ...(signed && { purpose: signed }) });
  }

  #command(name: Parameters<TaHost['call']>[0]): Kind['receive'] {
    return async (bytes) => code(await this.device.ta.call(name, bytes));
  }

  async #forDevice(frame: Uint8Array): Promise<void> {
    const { device, sensor, rules, zone, model } = this;
    const hello = await device.hello();
    this.#add(
      'owner-statement',
      'owner-statement',
      await device.statement({ type: 'reset' }),
      this.#command('OWNER'),
    );
    this.#add('roster, to the TA', 'roster', await this.#roster(2), this.#command('ROSTER'));
    const offer = await device.sealOffer(sensor, model.header.input);
    this.#add('offer', 'offer', offer.offer, this.#command('OFFER'));
    const content = {
      channel: asChannelId(fill(8, 5)),
      secret: fill(32, 6),
      inputShape: model.header.input,
      counter: device.counter(),
      rosterVersion: 1,
      modelSequence: 1,
      time: 1_800_000_000,
    };
    this.#add(
      'zone-offer',
      'zone-offer',
      sealZoneOffer(content, zone, sensor.signing, [hello]),
      this.#command('ZONE_OFFER'),
    );
    const rulesHello = signRulesHello(
      {
        device: hello.device,
        freshNonce: fill(16, 7),
        prekey: AgreementKey.generate().publicKey,
        time: device.counter() + 60_000, // after all that is asked before it is delivered
        rosterVersion: 1,
        modelSequence: 1,
      },
      rules.signing,
    );
    this.#add('rules-hello', 'rules-hello', rulesHello, this.#command('RULES_HELLO'));
    this.#add('frame record', 'record', frame, this.#command('FRAME'));
  }

  async #models(): Promise<void> {
    const { device, publisher, model } = this;
    const { ta } = device;
    const { signed, offer } = await device.package(publisher, model, 2);
    const begin = (envelope: Uint8Array, wrapped: Uint8Array | null) =>
      ta.call('MODEL_BEGIN', encodeModelBegin(envelope, wrapped));
    this.#add('suit-envelope', 'suit-envelope', signed.envelope, async (bytes) =>
      code(await begin(bytes, offer)),
    );
    this.#add('model-offer', 'model-offer', offer, async (bytes) =>
      code(await begin(signed.envelope, bytes)),
    );
    for (const [i, segment] of model.segments.entries()) {
      const name = ['container header', 'weights', 'golden test'][i] ?? 'segment';
      this.#add(`container segment: ${name}`, 'bstr', segment, async (bytes) => {
        expectOk(await begin(signed.envelope, offer));
        for (let at = 0; at < i; at++) expectOk(await ta.call('MODEL_SEGMENT', model.segments[at], at));
        return code(await ta.call('MODEL_SEGMENT', bytes, i));
      });
    }
    const another = await device.package(publisher, model, 3);
    this.#add('package file', 'package', another.signed.bytes, async (bytes) => {
      const readable = await read(() =>
        verifyModelEnvelope(decodeModelPackage(bytes).envelope, publisher.signing.publicKey),
      );
      return readable === 'OK' ? code(await device.load(readPackage(bytes), another.offer)) : readable;
    });
    const announcement = signModelAnnouncement(
      {
        envelope: signed.envelope,
        segments: model.segments
          .map((segment) => segmentEntry(segment))
          .map(({ size, digest }) => [size, digest] as const),
      },
      publisher.signing,
    );
    this.#add('model-package', 'model-package', announcement, (bytes) =>
      read(() =>
        verifyModelAnnouncement(bytes, (kid) => {
          const all = [publisher, ...this.others.filter(({ role }) => role === 'publisher')];
          const found = all.find(({ signing }) => equalBytes(kid, signing.kid));
          if (!found) throw new SmartZoneError('UNKNOWN_SENDER');
          return found.signing.publicKey;
        }),
      ),
    );
  }

  async #fromDevice(label: Uint8Array, epoch: ReturnType<typeof openLabelOffer>): Promise<void> {
    const { device, sensor, rules } = this;
    const { ta } = device;
    const helloBytes = (await ta.call('HELLO')).out;
    const hello = verifyHello(helloBytes);
    const rosterBytes = await this.#roster(1);
    const trusting = (): { trust: DeviceTrust; refusals: string[] } => {
      const trust = new DeviceTrust(device.owner.publicKey, Witness.open(undefined, device.owner.kid));
      const refusals: string[] = [];
      trust.on('refused', ({ error }) => refusals.push(error.code));
      return { trust, refusals };
    };
    this.#add('hello', 'hello', helloBytes, (bytes) => {
      const { trust, refusals } = trusting();
      trust.receiveRoster(rosterBytes);
      trust.receiveHello(bytes);
      return Promise.resolve(trust.device === undefined ? (refusals[0] ?? 'ignored') : 'OK');
    });
    this.#add('roster, to clients', 'roster', rosterBytes, (bytes) => {
      const { trust, refusals } = trusting();
      trust.receiveRoster(bytes);
      return Promise.resolve(trust.roster === undefined ? (refusals[0] ?? 'ignored') : 'OK');
    });
    expect(verifyRoster(rosterBytes, [device.owner.publicKey]).version).toBe(1);
    const nonce = fill(16, 9);
    this.#add('evidence', 'evidence', (await ta.call('EVIDENCE', nonce)).out, (bytes) =>
      read(() => verifyEvidence(bytes, hello.signingKey, nonce)),
    );
    // A statement that the device refuses: its reply is signed all the same.
    const statement = await device.statement({ type: 'reset' }, { counter: 0 });
    const reply = await ta.call('OWNER', statement);
    expect(reply.a).toBe(Code.STALE_COUNTER);
    this.#add('owner-reply', 'owner-reply', reply.out, (bytes) =>
      read(() => {
        const said = verifyOwnerReply(bytes);
        demand(answers(said, statement), 'STALE_NONCE');
        demand(equalBytes(said.signingKey, hello.signingKey), 'UNTRUSTED_DEVICE');
      }),
    );
    const prekey = AgreementKey.generate();
    const fresh = fill(16, 10);
    const asked = signRulesHello(
      {
        device: hello.device,
        freshNonce: fresh,
        prekey: prekey.publicKey,
        time: device.counter(),
        rosterVersion: 1,
        modelSequence: 1,
      },
      rules.signing,
    );
    const labelOffer = expectOk(await ta.call('RULES_HELLO', asked)).out;
    this.#add('label-offer', 'label-offer', labelOffer, (bytes) =>
      read(() =>
        openLabelOffer(bytes, hello.signingKey, { id: rules.signing.kid, freshness: fresh }, prekey),
      ),
    );
    const opened = (bytes: Uint8Array, context: RecordContext): Uint8Array => {
      const record = parseRecord(bytes);
      demand(equalBytes(record.channel, epoch.channel), 'NO_CHANNEL');
      return openRecord(record, recordKey(epoch.secret, context, epoch.epoch), context);
    };
    const labels: RecordContext = { purpose: 'label', device: hello.device, sender: sensor.signing.kid };
    this.#add('label record', 'record', label, (bytes) =>
      read(() => verifyLabel(opened(bytes, labels), hello.signingKey)),
    );
    // Another rules host knows the epoch's secret, and can seal what it likes.
    this.#add('label, sealed again by a rules host', 'label', opened(label, labels), (bytes) =>
      read(() => verifyLabel(bytes, hello.signingKey)),
    );
    const telemetry = expectOk(await ta.call('TELEMETRY', encodeAgentCounters(new Map([['queue', 1]])))).out;
    const telling: RecordContext = { purpose: 'telemetry', device: hello.device, sender: hello.device };
    this.#add('telemetry record', 'record', telemetry, (bytes) =>
      read(() => verifyTelemetry(opened(bytes, telling), hello.signingKey)),
    );
    this.#add('telemetry, sealed again by a rules host', 'telemetry', opened(telemetry, telling), (bytes) =>
      read(() => verifyTelemetry(bytes, hello.signingKey)),
    );
    this.#add('receipt', 'receipt', (await ta.call('RECEIPT', this.channelId)).out, (bytes) =>
      read(() => verifyReceipt(bytes, hello.signingKey)),
    );
    this.#add('model-status', 'model-status', (await ta.call('MODEL_STATUS')).out, (bytes) =>
      read(() => verifyModelStatus(bytes, hello.signingKey)),
    );
  }
}
