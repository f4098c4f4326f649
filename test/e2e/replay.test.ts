/** A broker that repeats, holds back or forges: nothing of it is acted on. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { generateKeys, publicOf, type PartyKeys } from '../../clients/keys/index.js';
import { BrokerLink } from '../../clients/link/index.js';
import { RulesClient, type LabelEvent, type RulesOptions } from '../../clients/rules/index.js';
import {
  AgreementKey,
  asChannelId,
  openLabelOffer,
  openRecord,
  parseRecord,
  recordKey,
  RecordWriter,
  signLabel,
  SigningKey,
  signRulesHello,
  unpad,
  verifyHello,
  verifyLabel,
  type Label,
  type LabelOffer,
  type VerifiedHello,
} from '../../protocol/index.js';
import { ManInTheMiddle } from './man-in-the-middle.js';
import type { Recorded } from './recorder.js';
import { theScenes, until, World } from './world.js';

let world: World;
let frame: Uint8Array;
/** A rules host beside the world's own: two processes with one key would take each other's label offers away. */
let second: PartyKeys;
const middles: ManInTheMiddle[] = [];
const hosts: { client: RulesClient; link: BrokerLink }[] = [];

beforeAll(async () => {
  world = await World.create();
  second = generateKeys('rules', 'second server');
  await enrol(second);
  const [scene] = await theScenes();
  if (scene === undefined) throw new Error('no scene');
  frame = world.frameOf(scene);
});
afterEach(async () => {
  for (const { client, link } of hosts.splice(0)) {
    await client.close();
    await link.close(200);
  }
  for (const middle of middles.splice(0)) await middle.close();
});
afterAll(() => world?.close());

const settle = (milliseconds = 300): Promise<void> =>
  new Promise((resolve) => setTimeout(resolve, milliseconds));

const middle = async (connected: boolean): Promise<ManInTheMiddle> => {
  const made = await ManInTheMiddle.start(world.topics, connected ? world.broker : undefined);
  middles.push(made);
  return made;
};

const hello = (): VerifiedHello =>
  verifyHello(world.recorder.of(world.topics.hello).at(-1)?.payload ?? new Uint8Array());

/** Enrols a rules host; done when the device has taken the roster and the world's rules host its new epoch. */
const enrol = async (keys: PartyKeys): Promise<void> => {
  let epochs = 0;
  const count = (): void => void (epochs += 1);
  world.rules.on('epoch', count);
  const version = await world.home.owner.enrol(
    await world.home.link(`owner of ${keys.name}`),
    publicOf(keys),
  );
  await until(
    () => hello().rosterVersion === version && epochs > 0,
    () => `roster ${version}, the device has ${hello().rosterVersion}; ${epochs} new epochs`,
  );
  world.rules.off('epoch', count);
};

/** A rules host as a new process: nothing in memory. */
const host = async (
  at: ManInTheMiddle,
  options: Partial<RulesOptions> = {},
): Promise<{ client: RulesClient; acted: LabelEvent[]; refused: string[] }> => {
  const link = await BrokerLink.connect({ url: at.broker.url, clientId: 'home-server-2', protocol: 4 });
  const acted: LabelEvent[] = [];
  const refused: string[] = [];
  const client = await RulesClient.open({
    link,
    keys: second,
    owner: publicOf(world.home.ownerKeys),
    prefix: world.topics.prefix,
    ...options,
  });
  client.on('label', (label) => acted.push(label));
  client.on('refused', ({ what, error }) => refused.push(`${what} ${error.code}`));
  hosts.push({ client, link });
  return { client, acted, refused };
};

const isRetained = (topic: string): boolean => /\/(hello|roster|offer)$/.test(topic);
/** What rules hosts say is the device's to hear: said again, it would take their label offers away, and test something else. */
const toHosts = (messages: readonly Recorded[]): Recorded[] =>
  messages.filter(({ topic }) => !/\/rules\/[^/]+\/hello$/.test(topic));

test('a whole earlier boot, said again to a restarted rules host, with and without what it has seen', async () => {
  for (let i = 0; i < 6; i += 1) await world.labelOf(world.sensor.sendFrame(frame));
  const past = toHosts(world.recorder.messages);
  const labels = past.filter(({ topic }) => topic.includes('/label/')).length;
  expect(labels).toBe(6);
  for (const seenPath of [undefined, join(world.folder, 'keys', 'rules.seen.json')]) {
    const evil = await middle(false);
    await evil.say(past, isRetained);
    const { client, acted, refused } = await host(evil, {
      keys: world.home.rulesKeys,
      ...(seenPath !== undefined && { seenPath }),
    });
    await settle();
    await evil.say(past, isRetained);
    await settle();
    // The device is believed: its hello is genuine. But nothing it said to the earlier process can be opened.
    expect(client.device).toBeDefined();
    expect(client.epoch).toBeUndefined();
    expect(acted).toEqual([]);
    expect(refused).toContain('label-offer DECRYPT_FAILED');
    expect(client.stats.held).toBeGreaterThanOrEqual(labels);
  }
});

test('an earlier boot said again while a later one runs', async () => {
  const evil = await middle(true);
  const { client, acted, refused } = await host(evil);
  await client.ready();
  const retained = world.recorder.messages.filter(({ topic }) => isRetained(topic));
  const from = world.recorder.messages.length;
  for (let i = 0; i < 6; i += 1) await world.labelOf(world.sensor.sendFrame(frame));
  await world.sensor.idle();
  await until(
    () => acted.length === 6,
    () => `${acted.length} of 6 labels of the earlier boot`,
  );
  const past = toHosts([...retained, ...world.recorder.messages.slice(from)]);
  const { ta } = world.agent.teePids;
  if (ta === undefined) throw new Error('no TA process');
  const offers = world.sensor.stats.offers;
  let epochs = 0;
  client.on('epoch', () => (epochs += 1));
  process.kill(ta, 'SIGKILL');
  await until(
    () => world.sensor.stats.offers > offers,
    () => 'the device has not come back',
  );
  // Until the device has answered in its new boot, the host cannot know which boot is over.
  await until(
    () => epochs > 0 && toHex(client.device?.hello.bootNonce) === toHex(world.sensor.device?.hello.bootNonce),
    () => 'the host has no epoch of the new boot',
  );
  const before = acted.length;
  await evil.say(past, isRetained);
  await settle();
  expect(acted).toHaveLength(before);
  expect(client.stats.doubles).toBeGreaterThanOrEqual(6);
  expect(refused).toContain('hello STALE_NONCE');
  expect(toHex(client.device?.hello.bootNonce)).toBe(toHex(world.sensor.device?.hello.bootNonce));
  world.sensor.sendFrame(frame);
  await until(
    () => acted.length === before + 1,
    () => `no label of the new boot; refused: ${refused.join(', ')}`,
  );
});

test('labels that are held back for an hour', async () => {
  let ahead = 0;
  const evil = await middle(true);
  const { client, acted } = await host(evil, { clock: () => Date.now() + ahead });
  await client.ready();
  const sent = world.sensor.sendFrame(frame);
  await until(
    () => acted.length === 1,
    () => 'no label before anything is held back',
  );
  expect(acted[0]?.frameId).toEqual(sent);
  evil.holds = (topic) => topic.includes('/label/');
  for (let i = 0; i < 3; i += 1) world.sensor.sendFrame(frame);
  await until(
    () => evil.held.length === 3,
    () => `${evil.held.length} of 3 labels are held back`,
  );
  ahead = 3600_000;
  await evil.release();
  await until(
    () => client.stats.stale === 3,
    () => `stale: ${client.stats.stale}`,
  );
  expect(acted).toHaveLength(1);
  ahead = 0;
  world.sensor.sendFrame(frame);
  await until(
    () => acted.length === 2,
    () => 'no label after the held ones',
  );
});

test('an older hello of a rules host, put in place of its own, does not silence it for good', async () => {
  // The host's clock stands still: it asks again by itself after ten seconds, which a busy machine may take for all this.
  const start = Date.now();
  let ahead = 0;
  const evil = await middle(true);
  const { client, acted } = await host(evil, { clock: () => start + ahead });
  await client.ready();
  const topic = world.topics.rulesHello(second.signing.kid);
  const [older] = world.recorder.of(topic);
  if (older === undefined) throw new Error('no hello was heard');
  await world.recorder.publish(topic, older.payload, true);
  // The agent forgets the good one with its process; the next epoch is then not offered to the host.
  await world.agent.kill();
  const from = world.agent.log.length;
  world.agent.restart();
  await world.agent.logged('ready', { from });
  await enrol(generateKeys('rules', 'attic server'));
  const labels = acted.length;
  world.sensor.sendFrame(frame);
  await until(
    () => client.stats.held > 0,
    () => `nothing is held; ${JSON.stringify(client.stats)}`,
  );
  expect(acted).toHaveLength(labels);
  // Ten seconds later it asks again.
  ahead = 11_000;
  await until(
    () => acted.length === labels + 1,
    () => `still no label; ${JSON.stringify(client.stats)}`,
  );
});

test('an offer said again within a boot does not bring its numbers back', async () => {
  const kid = world.home.sensorKeys.signing.kid;
  const heard = world.recorder.of(world.topics.sensorFrame(kid)).length;
  for (let i = 0; i < 10; i += 1) await world.labelOf(world.sensor.sendFrame(frame));
  const records = world.recorder.of(world.topics.sensorFrame(kid)).slice(heard);
  const offer = world.recorder.of(world.topics.sensorOffer(kid)).at(-1)?.payload;
  if (offer === undefined) throw new Error('no offer was heard');
  await world.sensor.idle();
  // A restarted agent knows no offer; the TA has not restarted. The broker gives it the offer anew.
  await world.agent.kill();
  const from = world.agent.log.length;
  world.agent.restart();
  await world.agent.logged('ready', { from });
  await world.agent.logged('accepted a channel offer', { from });
  await world.recorder.publish(world.topics.sensorOffer(kid), offer, true);
  const labels = world.recorder.of(world.topics.label(kid)).length;
  const first = records[0]?.payload;
  if (first === undefined) throw new Error('no record was heard');
  const refusedFrom = world.agent.log.length;
  await world.recorder.publish(world.topics.sensorFrame(kid), first);
  const { code } = await world.agent.logged('a frame gets no label', { from: refusedFrom });
  expect(code).toBe('STALE_NUMBER');
  expect(world.recorder.of(world.topics.label(kid))).toHaveLength(labels);
  // And the channel goes on where it was.
  const { offers } = world.sensor.stats;
  await world.labelOf(world.sensor.sendFrame(frame));
  expect(world.sensor.stats.offers).toBe(offers);
});

describe('another rules host, which has the same epoch secret', () => {
  let forger: { offer: LabelOffer; writer: RecordWriter };
  let genuine: Label;
  let size: number;

  beforeAll(async () => {
    const keys = generateKeys('rules', 'neighbour');
    await enrol(keys);
    const device = hello();
    const prekey = AgreementKey.generate();
    const freshNonce = new Uint8Array(randomBytes(16));
    const message = signRulesHello(
      {
        device: device.device,
        freshNonce,
        prekey: prekey.publicKey,
        time: Date.now(),
        rosterVersion: device.rosterVersion,
        modelSequence: device.modelSequence,
      },
      keys.signing,
    );
    const { kid } = keys.signing;
    await world.recorder.publish(world.topics.rulesHello(kid), message, true);
    await until(
      () => world.recorder.of(world.topics.rulesOffer(kid)).length > 0,
      () => 'no label offer for the neighbour',
    );
    const sealed = world.recorder.of(world.topics.rulesOffer(kid)).at(-1)?.payload ?? new Uint8Array();
    const offer = openLabelOffer(sealed, device.signingKey, { id: kid, freshness: freshNonce }, prekey);
    const sender = world.home.sensorKeys.signing.kid;
    const context = { purpose: 'label', device: device.device, sender } as const;
    // It can read what is said, which is its right.
    await world.labelOf(world.sensor.sendFrame(frame));
    await until(
      () => toHex(lastLabel().channel) === toHex(offer.channel),
      () => 'the last label is of another epoch',
    );
    const plaintext = openRecord(lastLabel(), recordKey(offer.secret, context, offer.epoch), context);
    genuine = verifyLabel(plaintext, device.signingKey);
    expect(genuine.results.kind).toBe('detections');
    size = plaintext.length;
    genuinePlaintext = Uint8Array.from(plaintext);
    forger = { offer, writer: new RecordWriter(offer.secret, context, offer.channel, offer.epoch) };
    while (forger.writer.lastNumber < lastLabel().number + 5) forger.writer.seal(new Uint8Array(1));
  });

  let genuinePlaintext: Uint8Array;
  const lastLabel = () =>
    parseRecord(
      world.recorder.of(world.topics.label(world.home.sensorKeys.signing.kid)).at(-1)?.payload ??
        new Uint8Array(),
    );
  const say = async (plaintext: Uint8Array): Promise<void> => {
    const record = forger.writer.seal(plaintext);
    await world.recorder.publish(world.topics.label(world.home.sensorKeys.signing.kid), record);
    await settle(100);
  };
  const invented = (): Label => ({
    ...genuine,
    frameChannel: asChannelId(randomBytes(8)),
    frameId: randomBytes(8),
    sensorTime: Date.now(),
  });

  test('cannot make a label that the first one acts on', async () => {
    const acted = world.labels.length;
    const refused = world.rules.stats.refused;
    await say(signLabel(invented(), SigningKey.generate(), size));
    await say(signLabel(invented(), world.home.rulesKeys.signing, size));
    // The device's signature, on something else than it signed.
    const altered = Uint8Array.from(genuinePlaintext);
    const at = Buffer.from(altered).indexOf(genuine.frameId);
    altered[at] = (altered[at] ?? 0) ^ 1;
    await say(altered);
    expect(world.rules.stats.refused).toBe(refused + 3);
    expect(world.labels).toHaveLength(acted);
  });

  test('cannot have a genuine one acted on again under another number, nor use up numbers', async () => {
    const acted = world.labels.length;
    const doubles = world.rules.stats.doubles;
    expect(unpad(genuinePlaintext).length).toBeLessThan(size);
    await say(genuinePlaintext);
    expect(world.rules.stats.doubles).toBe(doubles + 1);
    expect(world.labels).toHaveLength(acted);
    // Its numbers are far ahead of the device's: the device's next label counts all the same.
    await world.labelOf(world.sensor.sendFrame(frame));
    expect(world.labels).toHaveLength(acted + 1);
  });
});

const toHex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');
