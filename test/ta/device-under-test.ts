import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import {
  AgreementKey,
  asChannelId,
  cborMap,
  type ChannelId,
  type Command,
  encodeDeterministic,
  encodeFrame,
  encodeModelBegin,
  type Format,
  type Hello,
  type Label,
  type OwnerAction,
  type OwnerStatement,
  openLabelOffer,
  openRecord,
  parseRecord,
  recordKey,
  RecordWriter,
  type Role,
  sealOffer,
  signOwnerStatement,
  signRoster,
  signRulesHello,
  SigningKey,
  verifyHello,
  verifyLabel,
  verifyOwnerReply,
  type Kid,
  type Zone,
} from '../../protocol/index.js';
import {
  importTflite,
  pack,
  readPackage,
  type SealedModel,
  signPackage,
  type SignedPackage,
  wrapFor,
} from '../../clients/publisher/index.js';
import { TaHost, type TaReply } from './ta-host.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const FACE_MODEL = `${root}node_modules/@mediapipe/face_detection/face_detection_short_range.tflite`;

export const seconds = (): number => Math.floor(Date.now() / 1000);

/** A party with fresh keys. */
export interface Party {
  readonly role: Role;
  readonly signing: SigningKey;
  readonly agreement: AgreementKey;
  readonly notAfter?: number;
}

export const party = (role: Role, notAfter?: number): Party => ({
  role,
  signing: SigningKey.generate(),
  agreement: AgreementKey.generate(),
  ...(notAfter !== undefined && { notAfter }),
});

/** What a roster says of a device. */
export type DeviceKeys = Pick<Hello, 'signingKey' | 'agreementKey'>;

/** A sensor's open channel. */
export interface SensorChannel {
  readonly id: ChannelId;
  readonly writer: RecordWriter;
  readonly offer: Uint8Array;
  readonly counter: number;
  /** What a sensor keeps to itself: for tests that seal in its name what it would not. */
  readonly secret: Uint8Array;
}

/** The face detector as MediaPipe publishes it. */
export const faceNetwork = async (): Promise<Uint8Array> => new Uint8Array(await readFile(FACE_MODEL));

let faces: Promise<SealedModel> | undefined;
/** The real face detector of the demo, packed once. */
export const faceModel = (): Promise<SealedModel> =>
  (faces ??= faceNetwork().then((bytes) =>
    pack(importTflite(bytes, 'face_detection_short_range.tflite'), {
      name: 'faces',
      preset: 'face-detection-short-range',
    }),
  ));

/** Whatever carries commands to a TA. */
export interface TaCalls {
  call(command: keyof typeof Command, input?: Uint8Array, a?: number): Promise<TaReply>;
  stop(): Promise<void>;
}

/** The TA with an owner and members, everything done through its commands. */
export class DeviceUnderTest<Ta extends TaCalls = TaHost> {
  readonly owner = SigningKey.generate();
  readonly members: Party[] = [];
  ownerCounter = 0;
  rosterVersion = 0;
  #lastCounter = 0;

  constructor(readonly ta: Ta) {}

  /** Strictly increasing, as milliseconds are. */
  counter(): number {
    return (this.#lastCounter = Math.max(this.#lastCounter + 1, Date.now()));
  }

  async hello(): Promise<Hello & { device: Kid }> {
    const reply = await this.ta.call('HELLO');
    return verifyHello(reply.out);
  }

  async claim(owners: readonly Uint8Array[] = [this.owner.publicKey]): Promise<TaReply> {
    const reply = await this.ta.call('OWNER', await this.statement({ type: 'claim', owners }));
    if (reply.a === 0) verifyOwnerReply(reply.out);
    return reply;
  }

  /** An owner's statement with the right device, counter and nonce, unless told otherwise. */
  async statement(
    action: OwnerAction,
    change: Partial<OwnerStatement> = {},
    key: SigningKey = this.owner,
  ): Promise<Uint8Array> {
    const hello = await this.hello();
    const counter = change.counter ?? ++this.ownerCounter;
    const nonce = hello.claimNonce ?? hello.bootNonce;
    return signOwnerStatement(
      { device: hello.device, nonce, time: seconds(), ...change, counter, action },
      key,
    );
  }

  /** Signs and installs the next roster with these members. */
  async roster(members: readonly Party[] = this.members, lease?: number): Promise<TaReply> {
    return this.ta.call('ROSTER', await this.signedRoster(members, ++this.rosterVersion, lease));
  }

  async signedRoster(
    members: readonly Party[],
    version: number,
    lease?: number,
    {
      key = this.owner,
      issued = seconds(),
      devices,
      succession,
      zones = [],
    }: {
      key?: SigningKey;
      issued?: number;
      /** Default: the keys that the device has now. */
      devices?: readonly DeviceKeys[];
      succession?: readonly Uint8Array[];
      zones?: readonly Zone[];
    } = {},
  ): Promise<Uint8Array> {
    const listed = devices ?? [await this.hello()];
    return signRoster(
      {
        version,
        issued,
        members: members.map(({ role, signing, agreement, notAfter }, i) => ({
          signingKey: signing.publicKey,
          agreementKey: agreement.publicKey,
          role,
          name: `member ${i}`,
          ...(notAfter !== undefined && { notAfter }),
        })),
        devices: listed.map(({ signingKey, agreementKey }) => ({
          signingKey,
          agreementKey,
          securityLevel: 0,
          name: 'device',
        })),
        zones,
        ...(lease !== undefined && { lease }),
        ...(succession !== undefined && { succession }),
      },
      key,
    );
  }

  async enrol(...parties: Party[]): Promise<void> {
    this.members.push(...parties);
    expectOk(await this.roster());
  }

  async install(publisher: Party, model: SealedModel, sequence: number): Promise<TaReply> {
    const { signed, offer } = await this.package(publisher, model, sequence);
    return this.load(readPackage(signed.bytes), offer);
  }

  /** A signed package, this device's offer, and both as MODEL_BEGIN takes them. */
  async package(
    publisher: Party,
    model: SealedModel,
    sequence: number,
  ): Promise<{ signed: SignedPackage; offer: Uint8Array; begin: Uint8Array }> {
    const hello = await this.hello();
    const signed = signPackage(model, publisher.signing, sequence);
    const offer = wrapFor(
      { kid: hello.device, agreementKey: hello.agreementKey },
      signed,
      model.contentKey,
      publisher.signing,
    );
    return { signed, offer, begin: encodeModelBegin(signed.envelope, offer) };
  }

  /** MODEL_BEGIN and all segments; the reply of the first trouble or of the last segment. */
  async load(
    { envelope, segments }: { envelope: Uint8Array; segments: readonly Uint8Array[] },
    offer: Uint8Array | null,
  ): Promise<TaReply> {
    let reply = await this.ta.call('MODEL_BEGIN', encodeModelBegin(envelope, offer));
    while (reply.a === 0 && reply.b !== 0xffffffff) {
      reply = await this.ta.call('MODEL_SEGMENT', segments[reply.b], reply.b);
    }
    return reply;
  }

  async sealOffer(
    sensor: Party,
    options: {
      counter?: number;
      rosterVersion?: number;
      ownerGeneration?: number;
      modelSequence?: number;
      format?: Format;
      dims?: readonly number[];
      time?: number;
    } = {},
  ): Promise<SensorChannel> {
    const hello = await this.hello();
    const id = asChannelId(randomBytes(8));
    const secret = new Uint8Array(randomBytes(32));
    const counter = options.counter ?? this.counter();
    const offer = sealOffer(
      {
        channel: id,
        secret,
        inputShape: { format: options.format ?? 'u8', dims: options.dims ?? [128, 128, 3] },
        counter,
        rosterVersion: options.rosterVersion ?? hello.rosterVersion,
        ...(options.ownerGeneration !== undefined && { ownerGeneration: options.ownerGeneration }),
        modelSequence: options.modelSequence ?? hello.modelSequence,
        time: options.time ?? seconds(),
      },
      sensor.signing,
      [{ id: hello.device, freshness: hello.bootNonce, publicKey: hello.prekey }],
    );
    const writer = new RecordWriter(
      secret,
      { purpose: 'frame', device: hello.device, sender: sensor.signing.kid },
      id,
    );
    return { id, writer, offer, counter, secret };
  }

  async openChannel(sensor: Party): Promise<SensorChannel> {
    const channel = await this.sealOffer(sensor);
    expectOk(await this.ta.call('OFFER', channel.offer));
    return channel;
  }

  /** A rules host's view: the present epoch's secret. */
  async labelReader(host: Party): Promise<LabelReader> {
    const hello = await this.hello();
    const prekey = AgreementKey.generate();
    const freshNonce = new Uint8Array(randomBytes(16));
    const message = signRulesHello(
      {
        device: hello.device,
        freshNonce,
        prekey: prekey.publicKey,
        time: this.counter(),
        rosterVersion: hello.rosterVersion,
        modelSequence: hello.modelSequence,
      },
      host.signing,
    );
    const reply = expectOk(await this.ta.call('RULES_HELLO', message));
    const offer = openLabelOffer(
      reply.out,
      hello.signingKey,
      { id: host.signing.kid, freshness: freshNonce },
      prekey,
    );
    return {
      message,
      offer,
      open: (sealed, sensor) => {
        const context = { purpose: 'label', device: hello.device, sender: sensor.signing.kid } as const;
        const record = parseRecord(sealed);
        return verifyLabel(
          openRecord(record, recordKey(offer.secret, context, offer.epoch), context),
          hello.signingKey,
        );
      },
    };
  }

  stop(): Promise<void> {
    return this.ta.stop();
  }
}

export interface LabelReader {
  readonly message: Uint8Array;
  readonly offer: ReturnType<typeof openLabelOffer>;
  open(sealed: Uint8Array, sensor: Party): Label;
}

export const expectOk = (reply: TaReply): TaReply => {
  expect({ result: reply.result, status: reply.a }).toEqual({ result: 0, status: 0 });
  return reply;
};

/** A frame's plaintext for the face detector. */
export const frame = (
  data: Uint8Array = new Uint8Array(randomBytes(128 * 128 * 3)),
  id = new Uint8Array(randomBytes(8)),
): Uint8Array => encodeFrame({ id, time: Date.now(), format: 'u8', dims: [128, 128, 3], data });

/** A frame's plaintext with data of any size: what encodeFrame() refuses to make. */
export const oddFrame = (bytes: number): Uint8Array =>
  encodeDeterministic(
    cborMap([
      [1, new Uint8Array(8)],
      [2, Date.now()],
      [3, 1],
      [4, [128, 128, 3]],
      [5, new Uint8Array(bytes)],
    ]),
  );

interface ReadyDevice<Ta extends TaCalls> {
  readonly device: DeviceUnderTest<Ta>;
  readonly sensor: Party;
  readonly rules: Party;
  readonly publisher: Party;
}

/** A device with an owner, one party of each role and the face detector. */
export const readyDevice = (): Promise<ReadyDevice<TaHost>> => readyDeviceOn(TaHost.create());

export const readyDeviceOn = async <Ta extends TaCalls>(ta: Ta): Promise<ReadyDevice<Ta>> => {
  const device = new DeviceUnderTest(ta);
  const [sensor, rules, publisher] = [party('sensor'), party('rules'), party('publisher')];
  expectOk(await device.claim());
  await device.enrol(sensor, rules, publisher);
  expectOk(await device.install(publisher, await faceModel(), 1));
  return { device, sensor, rules, publisher };
};
