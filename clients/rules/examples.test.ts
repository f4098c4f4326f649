/** The examples as a user runs them: the built package, its own processes, a broker. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Topics } from '../../protocol/topics.js';
import { MessageDevice } from '../../test/support/message-device.js';
import { PartyFixture, until } from '../../test/support/party-fixture.js';
import { publicLine, publicOf, writeKeyFile } from '../keys/index.js';

if (!existsSync('dist/clients/rules/index.js')) throw new Error('dist/ is missing: node scripts/build.mjs');

let fixture: PartyFixture;
let folder: string;
beforeAll(async () => {
  fixture = await PartyFixture.create();
  folder = mkdtempSync(join(tmpdir(), 'sz-examples-'));
  writeKeyFile(join(folder, 'rules.key.json'), fixture.rules);
  writeFileSync(join(folder, 'owner.pub'), publicLine(publicOf(fixture.owner)));
});
afterAll(async () => {
  await fixture.close();
  rmSync(folder, { recursive: true });
});

/** What an example prints, with two labels of a face sent to it. */
const run = async (example: string, name: string): Promise<string> => {
  const device = new MessageDevice();
  device.rosterVersion = 1;
  const topics = new Topics(`smartzone/${name}`);
  const { kid, publicKey } = fixture.rules.signing;
  let offered = 0;
  await fixture.retain(topics.roster, fixture.roster(1, device));
  await fixture.retain(topics.hello, device.hello());
  await fixture.adversary.subscribe(topics.rulesHello(kid), ({ payload }) => {
    void fixture
      .retain(topics.rulesOffer(kid), device.labelOffer(payload, publicKey, kid))
      .then(() => offered++);
  });
  const child = spawn(process.execPath, [`examples/${example}`], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      ...process.env,
      NODE_OPTIONS: '',
      SMART_ZONE_HOME: folder,
      SMART_ZONE_BROKER_URL: fixture.broker.url,
      SMART_ZONE_DEVICE_NAME: name,
      SMART_ZONE_COUNT: '2',
    },
  });
  let printed = '';
  child.stdout.on('data', (chunk: Buffer) => (printed += chunk.toString()));
  const exited = once(child, 'exit');
  await until(() => offered > 0 || child.exitCode !== null, `${example} asks for labels`);
  const sensor = fixture.sensor.signing.kid;
  for (const frameNumber of [1, 2])
    await fixture.adversary.publish(
      topics.label(sensor),
      device.sealLabel(device.label(sensor, { frameNumber })),
    );
  expect(await exited).toEqual([0, null]);
  return printed;
};

test('events.mjs', async () => {
  const printed = await run('events.mjs', 'porch-pi');
  expect(printed).toContain('device pi model 1');
  expect(printed).toContain('new "face" at porch 0.50');
  expect(printed).toContain('end "face" at porch 0.50');
});

test('callbacks.mjs with porch.yaml', async () => {
  const lights: string[] = [];
  await fixture.adversary.subscribe('home/porch/light', ({ payload }) =>
    lights.push(Buffer.from(payload).toString()),
  );
  const printed = await run('callbacks.mjs', 'gate-pi');
  expect(printed).toContain('model first → 1');
  expect(printed).toContain('new "face" 1 ');
  expect(printed).toContain('face at porch: light on');
  await until(() => lights.length === 2, 'the light');
  expect(lights).toEqual(['ON', 'OFF']);
});
