/**
 * Trusted storage put back to an older copy, and the agent started on it, against whole clients over a broker: what each of them says,
 * that nothing is sent to the device and nothing of it is acted on, and how its owner brings it back.
 */
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Agent } from '../../agent/agent.js';
import { generateKeys, publicOf, Witness } from '../../clients/keys/index.js';
import type { BrokerLink } from '../../clients/link/index.js';
import { deviceStates, type Owner } from '../../clients/owner/index.js';
import { ModelPush, signPackage, type TargetReport } from '../../clients/publisher/index.js';
import { RulesClient, type LabelEvent } from '../../clients/rules/index.js';
import { SensorClient } from '../../clients/sensor/index.js';
import {
  asChannelId,
  equalBytes,
  isSmartZoneError,
  sealOffer,
  toHex,
  Topics,
  verifyHello,
  type SmartZoneError,
  type VerifiedHello,
} from '../../protocol/index.js';
import { ended } from '../support/soft-tee.js';
import { until } from '../support/party-fixture.js';
import { brokers } from './brokers.js';
import { DeviceFixture, frameOf, PREFIX } from './device-fixture.js';

const [broker] = brokers;
if (broker === undefined) throw new Error('no broker');
const topics = new Topics(PREFIX);

let device: DeviceFixture;
let agent: Agent;
let owner: Owner;
let link: BrokerLink;
let sensor: SensorClient;
let rules: RulesClient;
let publisher: Witness;
let hello: VerifiedHello;
const labels: LabelEvent[] = [];
/** What the clients said of what they did not believe. */
let said: string[] = [];

const path = (...names: string[]): string => join(device.folder, ...names);
const refused =
  (who: string) =>
  ({ what, error }: { what: string; error: SmartZoneError }): void => {
    const line = `${who}: ${what} ${error.code}: ${error.message}`;
    if (!said.includes(line)) said.push(line);
  };
const failure = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
  } catch (error) {
    if (isSmartZoneError(error)) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'accepted';
};

let processes = 0;
/** A process of the party that knows what those before it had seen. */
const startSensor = async (): Promise<SensorClient> => {
  const client = await SensorClient.open({
    link: await device.link(`sensor-${(processes += 1)}`),
    keys: device.sensor,
    owner: publicOf(device.owner),
    prefix: PREFIX,
    seenPath: path('sensor.seen.json'),
  });
  client.on('refused', refused('sensor'));
  return client;
};
const startRules = async (): Promise<RulesClient> => {
  const client = await RulesClient.open({
    link: await device.link(`rules-${(processes += 1)}`),
    keys: device.rules,
    owner: publicOf(device.owner),
    prefix: PREFIX,
    seenPath: path('rules.seen.json'),
  });
  client.on('refused', refused('rules'));
  client.on('label', (label) => labels.push(label));
  return client;
};
const newProcesses = async (): Promise<void> => {
  await sensor.close();
  await rules.close();
  [sensor, rules] = [await startSensor(), await startRules()];
};

const taken = (): Promise<void> =>
  until(() => hello.rosterVersion === owner.rosterVersion, `roster ${owner.rosterVersion}`);
const labelled = async (): Promise<void> => {
  await Promise.all([sensor.ready(10_000), rules.ready(10_000)]);
  const before = labels.length;
  await until(() => {
    if (sensor.stats.queued === 0) sensor.sendFrame(frameOf(1, 2, 3, 4));
    return labels.length > before;
  }, 'a label');
  await sensor.idle(5_000);
  await until(
    () =>
      [sensor, rules].every(
        ({ device: known }) =>
          equalBytes(known?.hello.bootNonce ?? new Uint8Array(0), hello.bootNonce) &&
          known?.hello.rosterVersion === hello.rosterVersion &&
          known.hello.modelSequence === hello.modelSequence,
      ),
    'what both clients know',
  );
};

const copy = (name: string): void => cpSync(path('tee', 'storage'), path(name), { recursive: true });
/** Somebody with the Pi in their hands. @param name of a copy; undefined: erased */
const putBack = async (name?: string): Promise<void> => {
  await agent.stop();
  const tee = device.teeSupervisor();
  process.kill(tee, 'SIGTERM');
  await ended(tee);
  rmSync(path('tee', 'storage'), { recursive: true });
  rmSync(path('models', 'roster'), { force: true }); // the agent would give the TA what it lacks
  if (name !== undefined) cpSync(path(name), path('tee', 'storage'), { recursive: true });
  said = [];
  const before = toHex(hello.bootNonce);
  agent = await device.agent();
  await agent.start();
  await until(() => toHex(hello.bootNonce) !== before, 'the hello of another boot');
};

/** Neither the clients that run, nor new processes of theirs, have anything to do with it. */
const shunned = async (code: string, words: string): Promise<void> => {
  const [before, records] = [labels.length, frames.length];
  await until(
    () => ['sensor', 'rules'].every((who) => said.some((line) => line.startsWith(`${who}: hello ${code}`))),
    `${code} of both`,
  );
  await newProcesses();
  for (const why of await Promise.all([sensor, rules].map((client) => failure(client.ready(200)))))
    expect(why).toMatch(new RegExp(`^${code}: .*${words}`));
  expect(() => sensor.sendFrame(frameOf(1, 1, 1, 1))).toThrow();
  expect([sensor.stats.sent, frames.length - records, labels.length - before]).toEqual([0, 0, 0]);
};

const push = async (sequence: number, timeoutMs = 10_000): Promise<TargetReport | undefined> => {
  const model = await device.packModel(sequence);
  const signed = signPackage(model, device.publisher.signing, sequence);
  const { targets } = await ModelPush.create({
    link,
    key: device.publisher.signing,
    owner: device.owner.signing.publicKey,
    witness: publisher,
    packages: [{ bytes: signed.bytes, contentKey: model.contentKey }],
    prefixes: [PREFIX],
    timeoutMs,
  }).run();
  return targets[0];
};
const trouble = async (): Promise<readonly string[]> =>
  (await deviceStates(owner, link, 500)).flatMap((state) => state.trouble);

/** Frames that went to the broker. */
const frames: Uint8Array[] = [];
beforeAll(async () => {
  device = DeviceFixture.create(await broker.start());
  agent = await device.agent();
  await agent.start();
  link = await device.link('owner at work');
  await link.subscribe(topics.hello, ({ payload }) => void (hello = verifyHello(payload)));
  await link.subscribe(topics.sensorFrame(device.sensor.signing.kid), ({ payload, retained }) => {
    if (!retained) frames.push(payload);
  });
  owner = await device.claim();
  await taken();
  publisher = Witness.open(path('publisher.seen.json'), device.owner.signing.kid);
  expect(await push(1)).toMatchObject({ state: 'committed' });
  [sensor, rules] = [await startSensor(), await startRules()];
  await labelled();
}, 60_000);
afterAll(async () => {
  await sensor.close();
  await rules.close();
  await device.close();
});

test('from before a roster change, by a Linux that withholds the newest', async () => {
  copy('roster');
  await owner.enrol(link, publicOf(generateKeys('rules', 'guest')));
  await taken();
  await labelled();
  await link.publish(topics.roster, '', { retain: true });
  await putBack('roster');
  await shunned('STATE_ROLLED_BACK', `storage was put back \\(test: roster ${hello.rosterVersion}, had `);
  expect(await trouble()).toEqual(['its roster is 1 behind: smart-zone owner roster --publish']);
  // Nothing of the hardware prevents it, and the device says so.
  const { items } = await owner.evidence(link, 'test');
  expect(items.get('anti-rollback-level')).toEqual({ value: 100, measured: true });
  await owner.publishRoster(link);
  await taken();
  await labelled();
  expect(await trouble()).toEqual([]);
}, 30_000);

test('from before a model: the TA says so itself where somebody speaks to it', async () => {
  copy('model');
  expect(await push(2)).toMatchObject({ state: 'committed' });
  await until(() => hello.modelSequence === 2, 'the hello with it');
  await labelled();
  await putBack('model');
  expect(hello.modelSequence).toBe(1);
  await shunned('STATE_ROLLED_BACK', 'storage was put back \\(test: model 1, had 2');
  const { bootNonce, prekey, inputShape } = hello;
  if (inputShape === undefined) throw new Error('it has no model');
  const offer = sealOffer(
    {
      channel: asChannelId(new Uint8Array(8)),
      secret: new Uint8Array(32),
      inputShape,
      counter: Date.now(),
      rosterVersion: hello.rosterVersion,
      modelSequence: 2,
      time: 1,
    },
    device.sensor.signing,
    [{ id: hello.device, freshness: bootNonce, publicKey: prekey }],
  );
  const lines = device.logLines.length;
  await link.publish(topics.sensorOffer(device.sensor.signing.kid), offer, { retain: true });
  await until(
    () => device.logLines.slice(lines).some((line) => line.includes('STATE_ROLLED_BACK')),
    "the TA's refusal",
  );
  // The publisher does not believe it either.
  expect(await push(3, 1000)).toMatchObject({ state: 'timed out' });
  await owner.rebaseModels(link, 'test', 2);
  expect(await push(3)).toMatchObject({ state: 'committed' });
  await labelled();
}, 30_000);

test('from before a rotation of its keys: another device, until its storage is erased and it is claimed anew', async () => {
  copy('keys');
  const former = hello.device;
  await owner.rotateDevice(link, 'test');
  await taken();
  await labelled();
  await putBack('keys');
  expect(toHex(hello.device)).toBe(toHex(former));
  await shunned('UNTRUSTED_DEVICE', toHex(former));
  expect(await trouble()).toEqual(['another device answers in its place: claim it, or find out who that is']);
  expect(await failure(owner.rebaseModels(link, 'test', 9, 500))).toMatch(/^UNTRUSTED_DEVICE: .*answers/);
  const claim = { link, prefix: PREFIX, name: 'test', accept: 0 } as const;
  expect(await failure(owner.claim(claim))).toMatch(/^ALREADY_CLAIMED/);

  await putBack();
  copy('unclaimed');
  await owner.claim(claim);
  await taken();
  expect(await push(1)).toMatchObject({ state: 'committed' });
  await labelled();
}, 30_000);

test('from before the claim: a different device, that anybody can claim', async () => {
  const before = hello.device;
  await putBack('unclaimed');
  expect(hello.claimNonce).toBeDefined();
  await shunned('UNTRUSTED_DEVICE', toHex(hello.device));
  expect(await trouble()).toEqual(['another device answers in its place: claim it, or find out who that is']);
  expect(await failure(owner.evidence(link, 'test', 500))).toMatch(/^TIMED_OUT/);
  await owner.claim({ link, prefix: PREFIX, name: 'test', accept: 0 });
  await taken();
  expect([toHex(before)]).not.toContain(toHex(hello.device));
  expect(owner.devices).toHaveLength(1);
  expect(await push(1)).toMatchObject({ state: 'committed' });
  await labelled();
}, 30_000);
