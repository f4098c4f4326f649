import type { Agent } from '../../agent/agent.js';
import type { LabelEvent } from '../../clients/rules/index.js';
import type { Owner } from '../../clients/owner/index.js';
import { until } from '../support/party-fixture.js';
import { DeviceFixture, frameOf, PREFIX } from './device-fixture.js';

let device: DeviceFixture;
let agent: Agent;
let owner: Owner;
const labels: LabelEvent[] = [];

beforeAll(async () => {
  device = await DeviceFixture.create();
  agent = await device.agent();
  await agent.start();
});
afterAll(async () => {
  await device.close();
});

test('is claimed, and vouches for itself over a nonce', async () => {
  owner = await device.claim();
  const evidence = await owner.evidence(await device.link('asker'), 'test');
  expect(evidence.securityLevel).toBe(0);
});

test('installs a model that was staged while it runs', async () => {
  await device.stageModel(owner);
  const sensor = await device.openSensor();
  expect(await sensor.ready(10_000)).toEqual({ format: 'f32', dims: [4] });
});

test('turns sealed frames into sealed labels, and receipts them', async () => {
  const rules = await device.openRules(labels);
  const sensor = await device.openSensor();
  await sensor.ready();
  for (let i = 0; i < 20; i += 1) sensor.sendFrame(frameOf(i, 0, -i, 1));
  await until(() => labels.length === 20, 'twenty labels');
  await sensor.idle(5_000);
  expect(sensor.stats.receipted).toBe(20);
  expect(rules.stats).toMatchObject({ labels: 20, doubles: 0, missed: 0, refused: 0 });
  expect(agent.counters.get('frames_lost')).toBe(0);
});

test('the log has neither payloads nor labels', () => {
  expect(device.logLines.length).toBeGreaterThan(5);
  expect(device.logLines.every((line) => line.length < 1_000)).toBe(true);
  expect(device.logLines.join('')).not.toMatch(/tanh/);
  expect(PREFIX).toBe(agent.topics.prefix);
});
