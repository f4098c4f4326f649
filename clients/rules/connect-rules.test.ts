import { mkdtempSync, rmSync, writeFileSync, existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Topics } from '../../protocol/topics.js';
import { MessageDevice } from '../../test/support/message-device.js';
import { PartyFixture, until } from '../../test/support/party-fixture.js';
import { publicLine, publicOf, writeKeyFile } from '../keys/index.js';
import { connectRules, type ConnectRulesOptions, type Rules, type RulesEvent } from './index.js';

let fixture: PartyFixture;
let folder: string;
const opened: Rules[] = [];

beforeEach(async () => {
  fixture = await PartyFixture.create();
  folder = mkdtempSync(join(tmpdir(), 'sz-connect-'));
});
afterEach(async () => {
  for (const rules of opened.splice(0)) await rules.close();
  await fixture.close();
  rmSync(folder, { recursive: true });
});

/** A device that answers rules hellos as long as the fixture lives. */
const startDevice = async (name: string): Promise<{ device: MessageDevice; topics: Topics }> => {
  const device = new MessageDevice();
  device.rosterVersion = 1;
  const topics = new Topics(`smartzone/${name}`);
  const { kid, publicKey } = fixture.rules.signing;
  const change = {
    devices: [
      {
        signingKey: device.signing.publicKey,
        agreementKey: device.agreement.publicKey,
        securityLevel: 0 as const,
        name,
      },
    ],
  };
  await fixture.retain(topics.roster, fixture.roster(1, device, change));
  await fixture.retain(topics.hello, device.hello());
  await fixture.adversary.subscribe(topics.rulesHello(kid), ({ payload }) => {
    void fixture.retain(topics.rulesOffer(kid), device.labelOffer(payload, publicKey, kid));
  });
  return { device, topics };
};

const connect = async (options: Partial<ConnectRulesOptions> = {}): Promise<Rules> => {
  const rules = await connectRules({
    broker: { url: fixture.broker.url, protocol: 4 },
    devices: ['porch-pi'],
    key: fixture.rules,
    owner: publicOf(fixture.owner),
    ...options,
  });
  opened.push(rules);
  return rules;
};

test('two devices through one connection, with a sealed key file and files of what was seen beside it', async () => {
  const key = join(folder, 'rules.key.json');
  const owner = join(folder, 'owner.pub');
  writeKeyFile(key, fixture.rules, { passphrase: 'open sesame', scrypt: { N: 1024, r: 8, p: 1 } });
  writeFileSync(owner, publicLine(publicOf(fixture.owner)));
  const porch = await startDevice('porch-pi');
  const garden = await startDevice('garden-pi');
  const rules = await connect({
    key,
    passphrase: 'open sesame',
    owner,
    devices: ['porch-pi', { prefix: 'smartzone/garden-pi' }],
  });
  const told: RulesEvent[] = [];
  rules.onAny((event) => told.push(event));
  const iterated: string[] = [];
  const iterating = (async () => {
    for await (const { class: name, device, phase } of rules.events({ types: ['event'] }))
      iterated.push(`${device.name} ${phase} ${name}`);
  })();
  await rules.ready(5000);
  const sensor = fixture.sensor.signing.kid;
  for (const [i, { device, topics }] of [porch, garden].entries()) {
    const label = device.label(sensor, { frameNumber: i + 1 });
    await fixture.adversary.publish(topics.label(sensor), device.sealLabel(label));
  }
  await until(() => told.filter(({ type }) => type === 'event').length === 2, 'two events');
  const types = told.map(({ type }) => type);
  for (const type of ['label', 'detection', 'event', 'model'] as const)
    expect(types.filter((each) => each === type)).toHaveLength(2);
  expect(told.find((event) => event.type === 'detection')).toMatchObject({
    device: { name: 'porch-pi' },
    sensor: { name: 'porch' },
    class: 'face',
    score: 0.5,
  });
  expect(
    rules.devices.map(({ device, model, securityLevel }) => [device?.name, model, securityLevel]),
  ).toEqual([
    ['porch-pi', 1, 0],
    ['garden-pi', 1, 0],
  ]);
  await rules.close();
  await iterating;
  expect(iterated).toEqual([
    'porch-pi new face',
    'garden-pi new face',
    'porch-pi end face',
    'garden-pi end face',
  ]);
  for (const name of ['porch-pi', 'garden-pi'])
    expect(existsSync(join(folder, `rules.smartzone-${name}.seen.json`))).toBe(true);
});

test('gap, model change, device state, and the connection going and coming', async () => {
  const { device, topics } = await startDevice('porch-pi');
  await fixture.retain(topics.state, Buffer.from('{"state":"online","session":1}'));
  const rules = await connect({ broker: { url: fixture.broker.url, protocol: 4 } });
  const told: RulesEvent[] = [];
  rules.onAny((event) => told.push(event));
  await rules.ready(5000);
  const sensor = fixture.sensor.signing.kid;
  const send = async (frameNumber: number, number: number): Promise<void> =>
    fixture.adversary.publish(
      topics.label(sensor),
      device.sealLabel(device.label(sensor, { frameNumber }), { number }),
    );
  await send(1, 1);
  await send(2, 4);
  await until(() => told.some(({ type }) => type === 'gap'), 'the gap');
  expect(told.find(({ type }) => type === 'gap')).toMatchObject({ missed: 2, sensor: { name: 'porch' } });
  device.modelSequence = 2;
  await fixture.retain(topics.hello, device.hello());
  await until(() => told.some((event) => event.type === 'model' && event.to === 2), 'the model');
  expect(told.filter(({ type }) => type === 'model')).toMatchObject([{ to: 1 }, { from: 1, to: 2 }]);
  await until(() => rules.devices[0]?.state === 'online', 'the state');
  // What the broker says of itself is cut to the words that are known.
  await fixture.retain(topics.state, Buffer.from('{"state":"\\u001b[2Jhacked"}'));
  await until(() => rules.devices[0]?.state === 'unknown', 'the unknown state');
  expect(told.some(({ type }) => type === 'connection')).toBe(false);
  await fixture.broker.stop();
  await until(() => told.some((event) => event.type === 'connection' && !event.connected), 'the loss');
});

test('what cannot work is said at once', async () => {
  await expect(connect({ devices: [] })).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  await expect(connect({ devices: ['a', { prefix: 'smartzone/a' }] })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
  });
  await expect(connect({ devices: ['a/b'] })).rejects.toThrow(RangeError);
  await expect(connect({ owner: join(folder, 'none') })).rejects.toMatchObject({ code: 'KEY_FILE' });
  await expect(connect({ key: fixture.sensor })).rejects.toMatchObject({ code: 'WRONG_ROLE' });
});
