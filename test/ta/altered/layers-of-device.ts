/** What a device says, as a TA with another opinion would sign it, to the whole clients that hear it. */
import { appraise, uuidText, type Policy } from '../../../clients/owner/index.js';
import { Witness } from '../../../clients/keys/index.js';
import { DeviceTrust } from '../../../clients/trust/index.js';
import {
  AgreementKey,
  encodeAgentCounters,
  encodeFrame,
  openLabelOffer,
  openRecord,
  pad,
  parseRecord,
  readModelStatus,
  recordKey,
  SmartZoneError,
  unpad,
  verifyEvidence,
  verifyHello,
  type Evidence,
  type Purpose,
  type RecordContext,
} from '../../../protocol/index.js';
import { labelOfferCodec } from '../../../protocol/messages/label-offer.js';
import { encodeWith } from '../../../protocol/schema.js';
import { expectOk } from '../device-under-test.js';
import {
  payloadOf,
  recordLayers,
  sealedLayers,
  signedLayer,
  signer,
  type Layer,
  type Sealer,
} from './layers.js';
import {
  EVIDENCE_NONCE,
  ownerHears,
  ownerIsShown,
  rulesHost,
  sendingSensor,
  topics,
  type Running,
  type Setting,
} from './wire.js';
import { read, type Village } from './village.js';

const fill = (length: number, value: number): Uint8Array => new Uint8Array(length).fill(value);
const once = async (client: Running, topic: string, message: Uint8Array): Promise<string> => {
  const heard = client.deliver(topic, message);
  await client.close();
  return heard;
};

export const layersOfDevice = async (village: Village): Promise<Layer[]> => {
  const { device } = village;
  const { ta } = device;
  const helloBytes = (await ta.call('HELLO')).out;
  const hello = verifyHello(helloBytes);
  const setting: Setting = { owner: device.owner, roster: await village.roster(1), hello: helloBytes };
  const by =
    (purpose: Purpose): Sealer =>
    (payload) =>
      ta.sign(purpose, payload);
  const status = (await ta.call('MODEL_STATUS')).out;
  const evidence = (await ta.call('EVIDENCE', EVIDENCE_NONCE)).out;
  const policy = policyOf(verifyEvidence(evidence, hello.signingKey, EVIDENCE_NONCE));
  const statement = await device.statement({ type: 'rotate' }, { counter: device.ownerCounter + 10 });
  const reply = await ta.rehearse(async () => expectOk(await ta.call('OWNER', statement)).out);
  return [
    signedLayer('hello', helloBytes, by('hello'), { receive: (message) => trusts(setting, message) }),
    signedLayer(
      'roster',
      await village.roster(1),
      signer('roster', device.owner),
      { receive: (message) => trusts({ ...setting, roster: message }, helloBytes) },
      'roster, to clients',
    ),
    signedLayer('evidence', evidence, by('evidence'), {
      receive: (message) =>
        ownerIsShown(message, hello.signingKey, (said) => {
          const failed = appraise(said, policy, { generation: 1, version: 1 }).checks.find(
            ({ passed }) => !passed,
          );
          if (failed !== undefined) throw new SmartZoneError('EVIDENCE_REJECTED', failed.item);
        }),
    }),
    signedLayer('owner-reply', reply, by('owner-reply'), {
      receive: (message) => ownerHears(message, statement, hello.signingKey),
    }),
    signedLayer('model-status', status, by('model-status'), {
      receive: (message) => read(() => readModelStatus(message, hello)),
    }),
    ...(await labelLayers(village, setting)),
    await receiptLayer(village, setting),
  ];
};

/** Both messages to a client that knows the owner alone. */
const trusts = ({ owner, roster }: Setting, hello: Uint8Array): Promise<string> => {
  const trust = new DeviceTrust(owner.publicKey, Witness.open(undefined, owner.kid));
  const refusals: string[] = [];
  trust.on('refused', ({ error }) => refusals.push(error.code));
  trust.receiveRoster(roster);
  trust.receiveHello(hello);
  return Promise.resolve(trust.device === undefined ? (refusals[0] ?? 'ignored') : 'OK');
};

/** Reference values: all that the device says now. */
const policyOf = (evidence: Evidence): Policy => ({
  level: evidence.securityLevel,
  uuid: [uuidText(evidence.taUuid)],
  version: evidence.softwareVersion,
  debug: evidence.debug,
  roster: 'newest',
  model: evidence.modelSequence,
  items: new Map(
    [...evidence.items].map(([name, { value, measured }]) => [
      name,
      { oneOf: [value], ...(measured && { measured: true as const }) },
    ]),
  ),
});

const labelLayers = async (village: Village, setting: Setting): Promise<Layer[]> => {
  const { device, sensor, rules, model, channel } = village;
  const { ta } = device;
  const hello = await device.hello();
  const now = device.counter() + 120_000;
  const models = [readModelStatus((await ta.call('MODEL_STATUS')).out, hello).committed?.[1] ?? fill(32, 0)];
  /** Every one of them is the same process. */
  const host = (): Promise<Running> => rulesHost(rules, setting, now, models);

  const first = await host();
  const asked = first.wire.published.get(topics.rulesHello(rules.signing.kid));
  const [nonce, prekey] = [16, 32].map((size) => first.drawn.find(({ length }) => length === size));
  if (asked === undefined || nonce === undefined || prekey === undefined)
    throw new Error('nothing was asked');
  await first.close();
  const own = AgreementKey.fromScalar(prekey);
  /** What the TA answers, and no more comes of it: it is asked again by others. */
  const said = (name: 'RULES_HELLO' | 'FRAME' | 'TELEMETRY', message: Uint8Array): Promise<Uint8Array> =>
    ta.rehearse(async () => expectOk(await ta.call(name, message)).out);
  const offer = await said('RULES_HELLO', asked);
  const receiver = { id: rules.signing.kid, freshness: nonce };
  const epoch = openLabelOffer(offer, hello.signingKey, receiver, own);
  const sign = (purpose: Purpose) => (payload: Uint8Array) => ta.sign(purpose, payload);
  const hears = {
    receive: async (message: Uint8Array) => once(await host(), topics.rulesOffer(rules.signing.kid), message),
  };
  const { input } = model.header;
  const frame = encodeFrame({ ...input, id: fill(8, 3), time: now, data: fill(4 * (input.dims[0] ?? 0), 1) });
  const label = await said('FRAME', channel.writer.seal(frame));
  const counters = encodeAgentCounters(new Map([['queue', 1]]));
  const telemetry = await said('TELEMETRY', counters);

  const recordOf = (
    bytes: Uint8Array,
    topic: string,
    context: RecordContext & { purpose: 'label' | 'telemetry' },
  ): Layer[] => {
    const { purpose } = context;
    const seal = { secret: epoch.secret, context, epoch: epoch.epoch };
    const opened = openRecord(parseRecord(bytes), recordKey(epoch.secret, context, epoch.epoch), context);
    const inner = {
      rule: purpose,
      bytes: unpad(opened),
      within: `${purpose}[2]<<`,
      seal: async (whole: Uint8Array) => {
        const signed = await sign(purpose)(payloadOf(whole));
        return pad(signed, Math.max(opened.length, signed.length + 1));
      },
    };
    return recordLayers(bytes, seal, inner, {
      receive: async (message) => {
        const client = await host();
        client.deliver(topics.rulesOffer(rules.signing.kid), offer);
        return once(client, topic, message);
      },
    });
  };
  return [
    signedLayer('label-offer', offer, sign('label-offer'), hears),
    ...sealedLayers(
      {
        purpose: 'label-offer',
        rule: 'label-offer-plaintext',
        plaintext: encodeWith(labelOfferCodec, epoch),
        sender: hello.device,
        to: { ...receiver, publicKey: own.publicKey },
        wrap: sign('label-offer'),
      },
      hears,
    ),
    ...recordOf(label, topics.label(sensor.signing.kid), {
      purpose: 'label',
      device: hello.device,
      sender: sensor.signing.kid,
    }),
    ...recordOf(telemetry, topics.telemetry, {
      purpose: 'telemetry',
      device: hello.device,
      sender: hello.device,
    }),
  ];
};

/** To a sensor whose first frame of its first channel is under way. */
const receiptLayer = async (village: Village, setting: Setting): Promise<Layer> => {
  const { device, sensor, model } = village;
  const { ta } = device;
  const now = device.counter() + 240_000;
  const data = fill(4 * (model.header.input.dims[0] ?? 0), 1);
  const sending = (): Promise<Running> => sendingSensor(sensor, setting, now, data);
  const first = await sending();
  const published = (topic: string): Uint8Array => {
    const message = first.wire.published.get(topic);
    if (message === undefined) throw new Error(`nothing on ${topic}`);
    return message;
  };
  const offer = published(topics.sensorOffer(sensor.signing.kid));
  const frame = published(topics.sensorFrame(sensor.signing.kid));
  await first.close();
  const receipt = await ta.rehearse(async () => {
    expectOk(await ta.call('OFFER', offer));
    expectOk(await ta.call('FRAME', frame));
    return expectOk(await ta.call('RECEIPT', parseRecord(frame).channel)).out;
  });
  return signedLayer('receipt', receipt, (payload) => ta.sign('receipt', payload), {
    receive: async (message) => once(await sending(), topics.sensorReceipt(sensor.signing.kid), message),
  });
};
