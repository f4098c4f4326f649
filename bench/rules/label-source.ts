/**
 * One device with many sensors: seals and signs labels as a TA does, at a steady rate, and the lamps that they switch. A process
 * of its own, so that what it costs is not counted with the rules host. Arguments: folder, labels a second, how many in all,
 * sensors; the address of a broker, without which it starts aedes.
 */
import { randomBytes } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startBroker } from '../../broker-dev/broker.js';
import {
  generateKeys,
  publicLine,
  publicOf,
  writeKeyFile,
  type PartyKeys,
} from '../../clients/keys/index.js';
import { BrokerLink } from '../../clients/link/index.js';
import { AgreementKey, SigningKey } from '../../protocol/keys.js';
import { asChannelId } from '../../protocol/kid.js';
import { signHello } from '../../protocol/messages/hello.js';
import { sealLabelOffer } from '../../protocol/messages/label-offer.js';
import { signLabel } from '../../protocol/messages/label.js';
import { RecordWriter } from '../../protocol/messages/record.js';
import { signRoster } from '../../protocol/messages/roster.js';
import { verifyRulesHello } from '../../protocol/messages/rules-hello.js';
import { Topics } from '../../protocol/topics.js';
import { BRIDGE, LAMPS, type SourceResult } from './load.js';

const [folder = '', perSecond = '', total = '', sensorCount = '', given] = process.argv.slice(2);
const bytes = (length: number): Uint8Array => new Uint8Array(randomBytes(length));

const owner = generateKeys('owner', 'me');
const rules = generateKeys('rules', 'home server');
const sensors = Array.from({ length: Number(sensorCount) }, (_, i) => generateKeys('sensor', `sensor ${i}`));
const [signing, agreement, prekey] = [
  SigningKey.generate(),
  AgreementKey.generate(),
  AgreementKey.generate(),
];
const [bootNonce, secret, model, channel] = [bytes(16), bytes(32), bytes(32), asChannelId(bytes(8))];
const topics = new Topics('smartzone/home');

const member = (keys: PartyKeys) => {
  const { signing: signingKey, agreement: agreementKey, name } = publicOf(keys);
  return { signingKey, agreementKey: agreementKey ?? new Uint8Array(32), name };
};

const url = given ?? (await startBroker({ port: 0 })).url;
const link = await BrokerLink.connect({ url, clientId: 'device', protocol: 4 });
const lamps = await BrokerLink.connect({ url, clientId: 'lamps', protocol: 4 });
const roster = signRoster(
  {
    version: 1,
    issued: 1,
    members: [
      { ...member(rules), role: 'rules' },
      ...sensors.map((keys) => ({ ...member(keys), role: 'sensor' as const })),
    ],
    devices: [
      {
        signingKey: signing.publicKey,
        agreementKey: agreement.publicKey,
        securityLevel: 0,
        name: 'home',
      },
    ],
    zones: [],
  },
  owner.signing,
);
const hello = signHello(
  {
    signingKey: signing.publicKey,
    agreementKey: agreement.publicKey,
    bootNonce,
    prekey: prekey.publicKey,
    rosterVersion: 1,
    modelSequence: 1,
    taVersion: '0.1.0',
    securityLevel: 0,
    packingTarget: 'ref',
  },
  signing,
);
await link.publish(topics.roster, roster, { retain: true });
await link.publish(topics.hello, hello, { retain: true });
writeKeyFile(join(folder, 'rules.key.json'), rules);
writeFileSync(join(folder, 'owner.pub'), publicLine(publicOf(owner)));

const host = rules.signing.kid;
await link.subscribe(topics.rulesHello(host), ({ payload }) => {
  const { freshNonce, prekey: publicKey } = verifyRulesHello(payload, rules.signing.publicKey);
  const offer = sealLabelOffer(
    { channel, secret, epoch: 1, bootNonce, rosterVersion: 1, modelSequence: 1 },
    signing,
    { id: host, freshness: freshNonce, publicKey },
  );
  void link.publish(topics.rulesOffer(host), offer, { retain: true });
});

/** Of each lamp: milliseconds from the sealing of the label to the message that switches it. */
const latencies: number[] = [];
let states = 0;
await lamps.subscribe(`${LAMPS}/+`, ({ payload }) => {
  latencies.push(Date.now() - Date.parse(Buffer.from(payload).toString()));
});
await lamps.subscribe(`${BRIDGE}/+/+/score`, ({ retained }) => {
  if (!retained) states += 1;
});
console.log(JSON.stringify({ url }));

const writers = sensors.map(({ signing: { kid: sender } }) => {
  const context = { purpose: 'label', device: signing.kid, sender } as const;
  return new RecordWriter(secret, context, channel, 1);
});
const CLASSES = ['person', 'dog', 'car', 'bicycle', 'parcel'];

/** A label of three things, of the size that a TA gives all of its labels. */
function send(count: number): void {
  const at = count % sensors.length;
  const sensor = sensors[at]?.signing.kid;
  if (sensor === undefined) return;
  const detections = [0, 1, 2].map((i) => ({
    index: (count + i) % 5,
    name: CLASSES[(count + i) % 5] ?? '',
    // Another one with each label, so that the bridge has something to say.
    score: 0.5 + ((count * 7 + Math.floor(count / sensors.length) * 3 + i) % 50) / 100,
    box: { x: (count % 10) / 12, y: 0.1 * i, width: 0.1, height: 0.2 },
  }));
  const label = {
    frameChannel: channel,
    frameNumber: 1 + Math.floor(count / sensors.length),
    frameTag: bytes(16),
    frameId: bytes(8),
    sensorTime: Date.now(),
    sensor,
    device: signing.kid,
    bootNonce,
    model,
    results: { kind: 'detections', detections } as const,
  };
  const record = writers[at]?.seal(signLabel(label, signing, 1024));
  if (record !== undefined) void link.publish(topics.label(sensor), record).catch(() => undefined);
}

function run(): void {
  const start = performance.now();
  let sent = 0;
  const tick = setInterval(() => {
    const due = Math.min(Number(total), Math.floor(((performance.now() - start) / 1000) * Number(perSecond)));
    // Where this machine cannot keep the rate, labels go later instead of all at once.
    for (const end = Math.min(due, sent + 100); sent < end; sent += 1) send(sent);
    if (sent >= Number(total)) clearInterval(tick);
  }, 5);
}

process.on('message', (message) => {
  if (message === 'start') run();
  else process.send?.({ latencies, states } satisfies SourceResult);
});
process.once('disconnect', () => process.exit());
