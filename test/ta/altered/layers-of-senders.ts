/** What owner, sensors, rules hosts and publishers send, each as its rightful sender makes it. */
import { readPackage, signPackage, wrapFor } from '../../../clients/publisher/index.js';
import { believeAnnouncement } from '../../../agent/models/push-trust.js';
import { offerCodec, type Offer } from '../../../protocol/messages/offer.js';
import { encodeWith } from '../../../protocol/schema.js';
import {
  AgreementKey,
  asChannelId,
  decodeGoldenTest,
  decodeStrict,
  encodeContainerHeader,
  encodeDeterministic,
  encodeFrame,
  encodeGoldenTest,
  openSegment,
  sealSegment,
  sealSign1,
  segmentEntry,
  signModelAnnouncement,
  signOwners,
  signRulesHello,
  SigningKey,
  Tag,
  verifyModelOffer,
  verifyRoster,
  type CborMap,
  type CborValue,
} from '../../../protocol/index.js';
import { createHash } from 'node:crypto';
import { DeviceUnderTest } from '../device-under-test.js';
import { TaHost } from '../ta-host.js';
import {
  payloadOf,
  recordLayers,
  sealedLayers,
  sealedMessage,
  signedLayer,
  signer,
  type Layer,
  type SealedContent,
} from './layers.js';
import { code, read, type Village } from './village.js';

const fill = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);
const sha256 = (bytes: Uint8Array): Uint8Array => new Uint8Array(createHash('sha256').update(bytes).digest());

type Receiver = Pick<Layer, 'receive' | 'ta'>;
const command = (ta: TaHost, name: Parameters<TaHost['call']>[0]): Receiver => ({
  ta,
  receive: async (message) => code(await ta.call(name, message)),
});

/** @param unclaimed another device, that nobody owns */
export const layersOfSenders = async (village: Village, unclaimed: TaHost): Promise<Layer[]> => [
  ...(await ownersLayers(village, unclaimed)),
  ...(await sensorsLayers(village)),
  ...(await publishersLayers(village)),
];

const ownersLayers = async (village: Village, unclaimed: TaHost): Promise<Layer[]> => {
  const { device, rules } = village;
  const { ta, owner } = device;
  const by = signer('owner', owner);
  const statement = async (action: Parameters<DeviceUnderTest['statement']>[0]): Promise<Layer> =>
    signedLayer(
      'owner-statement',
      await device.statement(action, { counter: device.ownerCounter + 10 }),
      by,
      command(ta, 'OWNER'),
      `owner-statement: ${action.type}`,
    );
  const claimed = new DeviceUnderTest(unclaimed);
  const claim = await claimed.statement({ type: 'claim', owners: [owner.publicKey] }, {}, owner);
  const successor = SigningKey.generate();
  const link = signOwners({ generation: 2, keys: [successor.publicKey] }, owner);
  const rosterWith = async (succession: Uint8Array): Promise<Uint8Array> => {
    const unsigned = payloadOf(await village.roster(2, { succession: [succession] }));
    return signer('roster', successor)(unsigned);
  };
  const hello = await device.hello();
  const rulesHello = signRulesHello(
    {
      device: hello.device,
      freshNonce: fill(16, 7),
      prekey: AgreementKey.generate().publicKey,
      time: device.counter() + 60_000,
      rosterVersion: 1,
      modelSequence: 1,
    },
    rules.signing,
  );
  return [
    signedLayer('owner-statement', claim, by, command(unclaimed, 'OWNER'), 'owner-statement: claim'),
    await statement({ type: 'reset' }),
    await statement({ type: 'rebase', floor: 9 }),
    await statement({ type: 'rotate' }),
    signedLayer(
      'roster',
      await village.roster(2),
      signer('roster', owner),
      command(ta, 'ROSTER'),
      'roster, to the TA',
    ),
    {
      name: "roster, a link of its owners' succession",
      rule: 'owners',
      bytes: link,
      within: 'owners[2]<<',
      seal: async (whole) => rosterWith(await signer('owners', owner)(payloadOf(whole))),
      ...command(ta, 'ROSTER'),
    },
    signedLayer('rules-hello', rulesHello, signer('rules-hello', rules.signing), command(ta, 'RULES_HELLO')),
  ];
};

const sensorsLayers = async (village: Village): Promise<Layer[]> => {
  const { device, sensor, zone, model, channel } = village;
  const { ta } = device;
  const hello = await device.hello();
  const { input } = model.header;
  const offer: Offer = {
    channel: asChannelId(fill(8, 5)),
    secret: fill(32, 6),
    inputShape: input,
    counter: device.counter(),
    rosterVersion: 1,
    modelSequence: 1,
    time: 1_800_000_000,
  };
  const toDevice: SealedContent = {
    purpose: 'offer',
    rule: 'offer-plaintext',
    plaintext: encodeWith(offerCodec, offer),
    sender: sensor.signing.kid,
    to: { id: hello.device, freshness: hello.bootNonce, publicKey: hello.prekey },
    wrap: signer('offer', sensor.signing),
  };
  const toZone: SealedContent = {
    ...toDevice,
    purpose: 'zone-offer',
    to: { ...toDevice.to, id: zone },
    wrap: (sealed) =>
      signer(
        'zone-offer',
        sensor.signing,
      )(
        encodeDeterministic(
          new Map<number, CborValue>([
            [1, zone],
            [2, sealed],
          ]),
        ),
      ),
  };
  const offers = await Promise.all(
    [
      { content: toDevice, receiver: command(ta, 'OFFER') },
      { content: toZone, receiver: command(ta, 'ZONE_OFFER') },
    ].map(async ({ content, receiver }) => [
      signedLayer(
        content.purpose,
        await sealedMessage(content),
        signer(content.purpose, sensor.signing),
        receiver,
      ),
      ...sealedLayers(content, receiver),
    ]),
  );
  const data = fill(4 * (input.dims[0] ?? 0), 1);
  const frame = encodeFrame({ ...input, id: fill(8, 2), time: 2, data });
  const seal = {
    secret: channel.secret,
    context: { purpose: 'frame', device: hello.device, sender: sensor.signing.kid } as const,
    epoch: 0,
  };
  const inner = { rule: 'frame', bytes: frame, seal: (bytes: Uint8Array) => bytes };
  return [...offers.flat(), ...recordLayers(channel.writer.seal(frame), seal, inner, command(ta, 'FRAME'))];
};

/** Puts another manifest into an envelope, with its digest, signed by the publisher. */
const envelopeOf = (whole: Uint8Array, key: SigningKey, digest?: Uint8Array): Uint8Array => {
  const body = ((decodeStrict(whole) as Tag).value as CborMap).get(3) as Uint8Array;
  const named = digest ?? encodeDeterministic([-16, sha256(encodeDeterministic(body))]);
  const signature = sealSign1(named, key, new Uint8Array(0), { detached: true });
  return encodeDeterministic(
    new Tag(
      107,
      new Map<number, CborValue>([
        [2, encodeDeterministic([named, signature])],
        [3, body],
      ]),
    ),
  );
};

/** The encoded suit-digest in an envelope. */
const namedDigest = (envelope: Uint8Array): Uint8Array => {
  const authentication = ((decodeStrict(envelope) as Tag).value as CborMap).get(2) as Uint8Array;
  return (decodeStrict(authentication) as readonly CborValue[])[0] as Uint8Array;
};

const publishersLayers = async (village: Village): Promise<Layer[]> => {
  const { device, publisher, model } = village;
  const { ta } = device;
  const hello = await device.hello();
  const signed = signPackage(model, publisher.signing, 2);
  const to = { kid: hello.device, agreementKey: hello.agreementKey };
  const seen = { rosterVersion: hello.rosterVersion, modelSequence: hello.modelSequence };
  const offer = wrapFor(to, signed, model.contentKey, publisher.signing, seen);
  const { segments } = readPackage(signed.bytes);
  /** Loads all of it, with an offer for just this manifest. */
  const install = (parts: readonly Uint8Array[]): Receiver => ({
    ta,
    receive: async (envelope) => {
      const digest = (decodeStrict(namedDigest(envelope)) as readonly CborValue[])[1];
      const named = digest instanceof Uint8Array && digest.length === 32 ? digest : fill(32, 0);
      const wrapped = wrapFor(to, { digest: named }, model.contentKey, publisher.signing, seen);
      return code(await device.load({ envelope, segments: parts }, wrapped));
    },
  });
  const offered: Receiver = {
    ta,
    receive: async (message) => code(await device.load({ envelope: signed.envelope, segments }, message)),
  };
  const read_ = verifyModelOffer(offer, publisher.signing.publicKey);
  return [
    {
      name: 'suit-envelope, manifest',
      rule: 'suit-envelope',
      bytes: signed.envelope,
      within: 'suit-envelope.3<<',
      seal: (whole) => envelopeOf(whole, publisher.signing),
      ...install(segments),
    },
    {
      name: 'suit-envelope, digest',
      rule: 'suit-envelope',
      bytes: signed.envelope,
      within: 'suit-envelope.2<<[0]<<',
      seal: (whole) => envelopeOf(whole, publisher.signing, namedDigest(whole)),
      ...install(segments),
    },
    ...containerLayers(village, install),
    signedLayer('model-offer', offer, signer('model-offer', publisher.signing), offered),
    ...sealedLayers(
      {
        purpose: 'model-offer',
        rule: 'bstr',
        plaintext: model.contentKey,
        sender: publisher.signing.kid,
        to: { id: hello.device, freshness: signed.digest, publicKey: hello.agreementKey },
        wrap: (sealed) =>
          signer(
            'model-offer',
            publisher.signing,
          )(
            encodeDeterministic(
              new Map<number, CborValue>([
                [1, read_.manifestDigest],
                [2, sealed],
                [3, read_.rosterVersion],
                [4, read_.modelSequence],
              ]),
            ),
          ),
      },
      offered,
    ),
    await announcementLayer(village, signed.envelope),
  ];
};

/** What the content key seals: header and golden test, each in a package that the publisher signs anew. */
const containerLayers = (
  { publisher, model }: Village,
  install: (segments: readonly Uint8Array[]) => Receiver,
): Layer[] => {
  const last = model.segments.length - 1;
  const repacked = (segments: readonly Uint8Array[]) => ({
    envelope: signPackage({ ...model, segments }, publisher.signing, 2).envelope,
    segments,
  });
  const withHeader = (header: Uint8Array, rest = model.segments.slice(1)) =>
    repacked([sealSegment(model.contentKey, 0, header), ...rest]);
  const withGolden = (plaintext: Uint8Array) => {
    const golden = sealSegment(model.contentKey, last, plaintext);
    const header = encodeContainerHeader({ ...model.header, golden: segmentEntry(golden) });
    return withHeader(header, [...model.segments.slice(1, last), golden]);
  };
  /** The message is the whole package; only its envelope is signed. */
  const layer = (
    rule: string,
    bytes: Uint8Array,
    make: (bytes: Uint8Array) => { envelope: Uint8Array; segments: readonly Uint8Array[] },
  ): Layer => {
    let made: ReturnType<typeof make> | undefined;
    return {
      name: rule,
      rule,
      bytes,
      seal: (content) => (made = make(content)).envelope,
      ...install([]),
      receive: (envelope) => install(made?.segments ?? []).receive(envelope),
    };
  };
  const golden = openSegment(model.contentKey, last, model.segments[last] ?? new Uint8Array(0));
  return [
    layer('container-header', encodeContainerHeader(model.header), (header) => withHeader(header)),
    layer('golden', encodeGoldenTest(decodeGoldenTest(golden)), withGolden),
  ];
};

const announcementLayer = async (village: Village, envelope: Uint8Array): Promise<Layer> => {
  const { device, publisher, model } = village;
  const announcement = signModelAnnouncement(
    {
      envelope,
      segments: model.segments.map((segment) => {
        const { size, digest } = segmentEntry(segment);
        return [size, digest] as const;
      }),
    },
    publisher.signing,
  );
  const roster = verifyRoster(await village.roster(1), [device.owner.publicKey]);
  return signedLayer('model-package', announcement, signer('model-package', publisher.signing), {
    receive: (message) => read(() => believeAnnouncement(message, roster)),
  });
};
