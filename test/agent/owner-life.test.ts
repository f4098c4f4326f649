/**
 * A device's life in its owner's hands, over a broker and a real agent with the real TA: keys that give way to others while frames go
 * on, an owner who loses everything, members who are out with the next message, and devices that were away meanwhile.
 */
import { renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import type { Agent } from '../../agent/agent.js';
import { generateKeys, publicOf, type PartyKeys } from '../../clients/keys/index.js';
import type { BrokerLink } from '../../clients/link/index.js';
import { deviceStates, isSmartZoneError, Owner } from '../../clients/owner/index.js';
import { RulesClient, type LabelEvent } from '../../clients/rules/index.js';
import { SensorClient } from '../../clients/sensor/index.js';
import { toHex } from '../../protocol/bytes.js';
import { verifyHello, type VerifiedHello } from '../../protocol/messages/hello.js';
import { parseProfiledSign1 } from '../../protocol/cose/sign1.js';
import { readRoster, signRoster } from '../../protocol/messages/roster.js';
import { Topics } from '../../protocol/topics.js';
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
const labels: LabelEvent[] = [];
const hellos: VerifiedHello[] = [];
const recovery = generateKeys('owner', 'recovery');
const more: (() => Promise<void>)[] = [];

const bookPath = (): string => join(device.folder, 'book.json');
const hello = (): VerifiedHello => {
  const last = hellos.at(-1);
  if (last === undefined) throw new Error('no hello');
  return last;
};
/** The device has taken the owner's newest roster. */
const taken = (): Promise<void> =>
  until(() => hello().rosterVersion === owner.rosterVersion, `roster ${owner.rosterVersion}`);
const labelled = async (count = 3, from = sensor): Promise<void> => {
  const before = labels.length;
  for (let i = 0; i < count; i += 1) from.sendFrame(frameOf(i, 0, -i, 1));
  await until(() => labels.length >= before + count, `${count} labels`);
  await from.idle(5_000);
};
/** A sensor that is new: ready once the device has taken its offer, since a frame that is there before that has no channel. */
const newSensor = async (keys: PartyKeys): Promise<SensorClient> => {
  const made = await SensorClient.open({
    link: await device.link(keys.name),
    keys,
    owner: publicOf(device.owner),
    prefix: PREFIX,
  });
  more.push(() => made.close());
  const kid = toHex(keys.signing.kid);
  await until(
    () => device.logLines.some((line) => line.includes('accepted a channel offer') && line.includes(kid)),
    'its channel',
  );
  return made;
};
const codeOf = async (promise: Promise<unknown>): Promise<string> => {
  try {
    await promise;
  } catch (error) {
    if (isSmartZoneError(error)) return error.code;
    throw error;
  }
  return 'accepted';
};
/** A link on which the `nth` publication to a topic fails: the owner's machine dies at that moment. */
const dyingAt = (topic: string, nth = 1): BrokerLink => {
  let count = 0;
  return new Proxy(link, {
    get: (target, name) => {
      if (name === 'publish')
        return (to: string, ...rest: [Uint8Array]) =>
          to === topic && ++count === nth ? Promise.reject(new Error('died')) : target.publish(to, ...rest);
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? (value.bind(target) as unknown) : value;
    },
  });
};

beforeAll(async () => {
  device = DeviceFixture.create(await broker.start());
  agent = await device.agent();
  await agent.start();
  const watcher = await device.link('watcher');
  await watcher.subscribe(topics.hello, ({ payload }) => hellos.push(verifyHello(payload)));
  Owner.create({ keys: device.owner, bookPath: bookPath() }, recovery);
  owner = await device.claim();
  link = await device.link('owner at work');
  await device.stageModel(owner);
  sensor = await device.openSensor();
  await sensor.ready(10_000);
  rules = await device.openRules(labels);
  await labelled();
});
afterAll(async () => {
  for (const close of more) await close();
  await device.close();
});

describe("the device's keys", () => {
  test('rotate while frames go on: every frame has its label, by the new key, of the same model', async () => {
    const before = hello();
    const sent: Uint8Array[] = [];
    const seen = new Set<string>();
    rules.on('label', ({ frameId }) => seen.add(toHex(frameId)));
    const timer = setInterval(() => sent.push(sensor.sendFrame(frameOf(sent.length, 0, 0, 1))), 20);
    const rotated = await owner.rotateDevice(link, 'test');
    await new Promise((resolve) => setTimeout(resolve, 200));
    clearInterval(timer);
    await until(() => sent.every((id) => seen.has(toHex(id))), 'a label for each frame');
    await sensor.idle(5_000);
    expect(toHex(rotated.kid)).not.toBe(toHex(before.device));
    await taken();
    expect(toHex(hello().device)).toBe(toHex(rotated.kid));
    expect(hello().modelSequence).toBe(before.modelSequence);
    expect(toHex(labels.at(-1)?.device.kid ?? new Uint8Array())).toBe(toHex(rotated.kid));
    expect(owner.devices).toHaveLength(1);
    // The owner goes on speaking to it.
    expect((await owner.evidence(link, 'test')).rosterVersion).toBe(owner.rosterVersion);
    await owner.rebaseModels(link, 'test', 1000);
  });

  test.each([
    ['before it was asked', () => topics.owner],
    ['with the next keys known, before the roster', () => topics.roster],
  ])('interrupted %s, it goes on from there', async (_when, topic) => {
    const before = hello();
    await expect(owner.rotateDevice(dyingAt(topic()), 'test', 1000)).rejects.toThrow('died');
    await labelled();
    expect(toHex(hello().device)).toBe(toHex(before.device));
    // Another process, with the book alone.
    owner = Owner.open({ keys: device.owner, bookPath: bookPath() });
    const { kid } = await owner.rotateDevice(link, 'test');
    expect(toHex(kid)).not.toBe(toHex(before.device));
    await taken();
    await labelled();
  });

  test('interrupted before its last step, whatever the owner does next finishes it', async () => {
    const before = hello();
    const dying = dyingAt(topics.roster, 2);
    await expect(owner.rotateDevice(dying, 'test')).rejects.toThrow('died');
    owner = Owner.open({ keys: device.owner, bookPath: bookPath() });
    await owner.publishRoster(link);
    await taken();
    expect(toHex(hello().device)).not.toBe(toHex(before.device));
    await owner.rebaseModels(link, 'test', 2000);
    await labelled();
  });

  test('a device that is away meanwhile: the rotation waits, and is finished when it is there again', async () => {
    const before = hello();
    await agent.stop();
    expect(await codeOf(owner.rotateDevice(link, 'test', 500))).toBe('TIMED_OUT');
    agent = await device.agent();
    await agent.start();
    await until(() => agent.isReady, 'the agent');
    await owner.rotateDevice(link, 'test');
    expect(toHex(hello().device)).not.toBe(toHex(before.device));
    await labelled();
  });

  test('a lost TEE client after a rotation is no lost TA; a lost TA is one', async () => {
    await owner.rotateDevice(link, 'test');
    await taken();
    const restarts = (): number =>
      device.logLines.filter((line) => line.includes('the TA has restarted')).length;
    const before = restarts();
    const openedAgain = async (pid: number | undefined): Promise<void> => {
      const { restarts: lost } = agent.tee;
      process.kill(pid ?? 0, 'SIGKILL');
      await until(() => agent.tee.restarts > lost && agent.isReady, 'the TA set up again');
    };
    await openedAgain(agent.tee.pid);
    expect(restarts()).toBe(before);
    await labelled();
    await openedAgain(device.taProcess());
    expect(restarts()).toBe(before + 1);
    await sensor.ready(10_000);
    await labelled();
  });
});

describe('members', () => {
  const party = async (role: 'sensor' | 'rules' | 'publisher', name: string): Promise<PartyKeys> => {
    const keys = generateKeys(role, name);
    await owner.enrol(link, publicOf(keys));
    await taken();
    return keys;
  };

  test('a revoked rules host cannot open the next label', async () => {
    const keys = await party('rules', 'second home');
    const own: LabelEvent[] = [];
    const second = await RulesClient.open({
      link: await device.link('second home'),
      keys,
      owner: publicOf(device.owner),
      prefix: PREFIX,
    });
    more.push(() => second.close());
    second.on('label', (label) => own.push(label));
    await second.ready();
    await labelled();
    await until(() => own.length >= 3, 'its labels');
    const before = own.length;
    await owner.revoke(link, 'second home');
    await taken();
    await labelled();
    // It saw the records pass by: the broker hands them to whoever listens.
    await until(() => second.stats.held + second.stats.unopened > 0, 'labels that it cannot read');
    expect(own).toHaveLength(before);
  });

  test("a revoked sensor's next frame is refused, and a revoked publisher's package", async () => {
    const keys = await party('sensor', 'gate');
    const gate = await newSensor(keys);
    await labelled(2, gate);
    await owner.revoke(link, 'gate');
    await taken();
    const before = labels.length;
    gate.sendFrame(frameOf(9, 9, 9, 9));
    await until(() => agent.counters.get('frames_lost_no_channel') > 0, 'a refusal');
    expect(labels).toHaveLength(before);
    await labelled();

    await owner.revoke(link, 'maker');
    await taken();
    await device.stageModel(owner, 2001);
    await until(
      () => device.logLines.some((line) => line.includes('UNKNOWN_SENDER') && line.includes('model')),
      'the refusal of its package',
    );
    expect(hello().modelSequence).toBe(1);
    await owner.enrol(link, publicOf(device.publisher));
    await taken();
  });

  test('a device that was away catches up from the retained roster, over many of them', async () => {
    await agent.stop();
    const guests = [0, 1, 2, 3].map((i) => generateKeys('rules', `guest ${i}`));
    for (const guest of guests) await owner.enrol(link, publicOf(guest));
    for (const guest of guests.slice(1)) await owner.revoke(link, guest.name);
    agent = await device.agent();
    await agent.start();
    await taken();
    await labelled();
  });

  test('with a lease, a Linux that withholds the roster gains no more than its length', async () => {
    await owner.setLease(link, 2);
    await taken();
    await labelled();
    const before = labels.length;
    // No fresh roster reaches the device.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    sensor.sendFrame(frameOf(1, 1, 1, 1));
    await until(() => agent.counters.get('frames_lost_lease_ended') > 0, 'the end of the lease');
    expect(labels).toHaveLength(before);
    await owner.setLease(link, undefined);
    await taken();
    await labelled();
  });
});

describe("the owner's keys", () => {
  test('others take their place: device and clients follow, the former key signs nothing any more', async () => {
    const former = device.owner;
    const next = generateKeys('owner', 'me again');
    await owner.rotateKey(link, next, [publicOf(recovery)]);
    owner = Owner.open({ keys: next, bookPath: bookPath() });
    await taken();
    await labelled();
    expect(() => Owner.open({ keys: former, bookPath: bookPath() })).toThrow('belongs to the owner');
    // A roster by the former key, newer than all: neither device nor clients take it.
    const forged = signRoster(
      { version: owner.rosterVersion + 5, issued: 1, members: [], devices: [], zones: [] },
      former.signing,
    );
    const refused: string[] = [];
    sensor.on('refused', ({ error }) => refused.push(error.code));
    await (await device.link('thief')).publish(topics.roster, forged, { retain: true });
    await until(() => refused.includes('NOT_OWNER'), 'the refusal');
    await owner.publishRoster(link);
    await labelled();
    expect(hello().rosterVersion).toBe(owner.rosterVersion);
  });

  test('a stolen key that signs the highest version there is blocks nobody who replaces it', async () => {
    const stolen = generateKeys('owner', 'soon stolen');
    await owner.rotateKey(link, stolen, [publicOf(recovery)]);
    owner = Owner.open({ keys: stolen, bookPath: bookPath() });
    await taken();
    const thief = await device.link('thief with a key');
    const { payload } = parseProfiledSign1(owner.roster ?? new Uint8Array());
    const content = { ...readRoster(payload ?? new Uint8Array()), version: Number.MAX_SAFE_INTEGER };
    const highest = signRoster(content, stolen.signing);
    await thief.publish(topics.roster, highest, { retain: true });
    // And where the recovery will look.
    const emptied = signRoster({ ...content, members: [] }, stolen.signing);
    await thief.publish('smartzone/thief/roster', emptied, { retain: true });
    await until(() => hello().rosterVersion === Number.MAX_SAFE_INTEGER, "the thief's roster");
    await labelled();
    const [state] = await deviceStates(owner, link, 500);
    expect(state?.trouble).toContain(
      `its roster is ${Number.MAX_SAFE_INTEGER}, and this book's newest ${owner.rosterVersion}: who else has an owner key?`,
    );
    const { generation } = owner.owners;
    const keys = generateKeys('owner', 'after the theft');
    const version = await owner.rotateKey(link, keys, [publicOf(recovery)]);
    owner = Owner.open({ keys, bookPath: bookPath() });
    await taken();
    expect(version).toBeLessThan(Number.MAX_SAFE_INTEGER);
    expect(hello().ownerGeneration).toBe(generation + 1);
    expect(await owner.evidence(link, 'test')).toMatchObject({
      rosterVersion: version,
      ownerGeneration: generation + 1,
    });
    await labelled();
    // Members and devices are the owner's again, also for a client that has seen nothing, or the thief's roster first.
    await thief.publish(topics.roster, highest, { retain: true });
    const late = generateKeys('sensor', 'after the theft');
    const lateLink = await device.link('late owner');
    const enrolled = owner.enrol(lateLink, publicOf(late));
    await enrolled;
    await labelled(2, await newSensor(late));
    await owner.revoke(link, 'after the theft');
    await taken();
    await labelled();
    expect((await deviceStates(owner, link, 500))[0]?.trouble).toEqual([]);
  });

  test('a device and a client that were away follow over several generations, from the retained roster alone', async () => {
    await agent.stop();
    for (const name of ['third', 'fourth']) {
      const keys = generateKeys('owner', name);
      await owner.rotateKey(link, keys, [publicOf(recovery)]);
      owner = Owner.open({ keys, bookPath: bookPath() });
    }
    agent = await device.agent();
    await agent.start();
    await taken();
    await labelled();
    // It pins the very first key, and has seen nothing.
    const keys = generateKeys('sensor', 'late');
    await owner.enrol(link, publicOf(keys));
    await labelled(2, await newSensor(keys));
  });

  test('all is lost but the recovery key: book and key are made anew, and the lost ones are out', async () => {
    const { devices, members } = owner;
    renameSync(bookPath(), `${bookPath()}.stolen`);
    const keys = generateKeys('owner', 'recovered');
    const recovered = await Owner.recover({ keys, bookPath: bookPath() }, recovery, { link, listen: 500 });
    const thief = owner;
    ({ owner } = recovered);
    expect(recovered.found.unseen).toEqual([]);
    expect(owner.devices.map(({ name, prefix, kid, level }) => ({ name, prefix, kid, level }))).toEqual(
      devices.map(({ name, prefix, kid, level }) => ({ name, prefix, kid, level })),
    );
    expect(owner.members).toEqual(members);
    await taken();
    await labelled();
    // Whoever has the lost key and book can say nothing any more.
    expect(await codeOf(thief.reset(link, 'test', 2000))).toBe('NOT_OWNER');
    // The new owner can: counters and versions go on above the lost ones.
    await owner.rebaseModels(link, 'test', 3000);
    await owner.revoke(link, 'late');
    await taken();
    await labelled();
    rmSync(`${bookPath()}.stolen`);
  });

  test('a key that was never the owner recovers nothing', async () => {
    const path = join(device.folder, 'other.json');
    const stranger = generateKeys('owner', 'stranger');
    const attempt = Owner.recover({ keys: generateKeys('owner', 'x'), bookPath: path }, stranger, {
      link,
      listen: 300,
    });
    expect(await codeOf(attempt)).toBe('NOT_OWNER');
  });
});
