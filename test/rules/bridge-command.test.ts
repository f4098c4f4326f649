/** `smart-zone rules bridge` as a user runs it: to a broker with TLS and client certificates, and with models to install. */
import { spawn, type ChildProcess } from 'node:child_process';
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { packageRoot } from '../../agent/package-root.js';
import { generateKeys, publicLine, publicOf } from '../../clients/keys/index.js';
import { signPackage, type SealedModel } from '../../clients/publisher/index.js';
import { FACE, packFaceModel } from '../../demo/household.js';
import { kidToHex } from '../../protocol/kid.js';
import { findMosquitto, startMosquitto, type Mosquitto } from '../agent/mosquitto.js';
import { PREFIX, theScenes, until, World } from '../e2e/world.js';
import { Authority, type Certificate } from '../support/authority.js';
import { HomeAssistantView } from './home-assistant-view.js';

const binary = findMosquitto();
if (binary === undefined) console.warn('mosquitto is not installed: the bridge over TLS is not tested');

(binary === undefined ? describe.skip : describe)('rules bridge over TLS, with models', () => {
  let world: World;
  let ha: Mosquitto;
  let url: string;
  let view: HomeAssistantView;
  let model: SealedModel;
  let authority: Authority;
  let stranger: Authority;
  let client: Certificate;
  const children: ChildProcess[] = [];

  beforeAll(async () => {
    world = await World.create({ broker: 'mosquitto' });
    // Its keys are the bridge's now.
    await world.rules.close();
    const folder = join(world.folder, 'tls');
    mkdirSync(folder, { mode: 0o700 });
    authority = Authority.create(folder);
    stranger = Authority.create(folder, 'stranger');
    const broker = authority.issue('broker', '/CN=home-assistant');
    client = authority.issue('bridge', '/CN=bridge');
    ha = await startMosquitto(binary ?? '', {
      folder,
      extra: [
        ...[`certfile ${broker.cert}`, `keyfile ${broker.key}`, `cafile ${authority.file}`],
        'require_certificate true',
      ],
    });
    url = ha.url.replace(/^mqtt:\/\/127\.0\.0\.1/, 'mqtts://localhost');
    const own = authority.issue('home-assistant', '/CN=home-assistant');
    const [ca, cert, key] = [authority.file, own.cert, own.key].map((file) => readFileSync(file));
    view = await HomeAssistantView.connect(url, 5, 'home-assistant', {
      ...(ca && { ca }),
      ...(cert && { cert }),
      ...(key && { key }),
    });
    model = await packFaceModel({ name: 'new faces', segmentBytes: 32 * 1024 });
  }, 60_000);

  afterAll(async () => {
    for (const child of children) child.kill('SIGKILL');
    await view?.close();
    await ha?.stop();
    await world?.close();
  });

  /** Starts the command. */
  const bridge = (
    args: readonly string[],
  ): { child: ChildProcess; printed: () => string; ended: Promise<number> } => {
    let printed = '';
    const child = spawn(
      process.execPath,
      [join(packageRoot(), 'dist', 'clients', 'cli', 'main.js'), 'rules', 'bridge', ...args],
      {
        stdio: ['ignore', 'pipe', 'pipe'],
        env: {
          ...process.env,
          SMART_ZONE_HOME: join(world.folder, 'keys'),
          SMART_ZONE_BROKER_URL: world.broker.url,
          SMART_ZONE_OWNER: publicLine(publicOf(world.home.ownerKeys)),
          SMART_ZONE_TOPIC_PREFIX: PREFIX,
        },
      },
    );
    for (const stream of [child.stdout, child.stderr])
      stream.on('data', (text: Buffer) => (printed += text.toString()));
    children.push(child);
    const ended = new Promise<number>((resolve) => child.once('exit', (status) => resolve(status ?? -1)));
    return { child, printed: () => printed, ended };
  };
  const tls = (): string[] => [
    '--to-ca',
    authority.file,
    '--to-cert',
    client.cert,
    '--to-tls-key',
    client.key,
  ];
  const wait = (condition: () => boolean, what: () => string): Promise<void> =>
    until(condition, what, 30_000);

  const shelf = (): string => join(world.folder, 'models');
  /** Puts a package where `--model` looks, as `model pack` leaves it. */
  const put = (sequence: number, keys = world.home.publisherKeys): void => {
    mkdirSync(shelf(), { recursive: true });
    const name = join(shelf(), `faces-${sequence}`);
    // The key first: a package without one is an error.
    writeFileSync(`${name}.key`, Buffer.from(model.contentKey).toString('base64url'));
    writeFileSync(`${name}.part`, signPackage(model, keys.signing, sequence).bytes);
    copyFileSync(`${name}.part`, `${name}.szm`);
  };
  const entity = (): Record<string, unknown> =>
    JSON.parse(/^{.*}$/.exec(view.states['porch / Model'] ?? '')?.[0] ?? '{}') as Record<string, unknown>;
  const install = (): Promise<void> => {
    const config = view.configs.get(`smartzone_${kidToHex(world.home.device.kid)}`);
    return view.link.publish(config?.cmps.model?.command_topic ?? '', 'INSTALL');
  };

  test('a broker that it cannot know, or that does not want it, is refused in plain words', async () => {
    // Beside each other: each is given up only after some attempts.
    const other = stranger.issue('intruder', '/CN=bridge');
    const [ca, trusted, cert, own, key, ownKey] = tls();
    const unknown = bridge(['--to', url, '--to-ca', stranger.file, ...[cert, own, key, ownKey].map(String)]);
    const unwanted = bridge(
      ['--to', url, ca, trusted, '--to-cert', other.cert, '--to-tls-key', other.key].map(String),
    );
    const without = bridge(['--to', url, '--to-ca', authority.file]);
    expect(await Promise.all([unknown.ended, unwanted.ended, without.ended])).toEqual([69, 69, 69]);
    expect(unknown.printed()).toMatch(/certificate|self.signed/i);
    expect(view.configs.size).toBe(0);
  });

  test('labels go to that broker alone, and no warning says that the way is open', async () => {
    const running = bridge(['--to', url, ...tls(), '--quiet', '0.6']);
    await wait(() => view.states['porch camera / Top label'] === 'unknown', running.printed);
    const [people] = (await theScenes()).filter((scene) => scene.people);
    if (people === undefined) throw new Error('no such scene');
    for (let i = 0; i < 40 && view.states[`porch camera / ${FACE}`] !== 'ON'; i++) {
      world.sensor.sendFrame(world.frameOf(people));
      await new Promise((resolve) => setTimeout(resolve, 250));
    }
    await wait(() => view.states['porch camera / Top label'] === FACE, running.printed);
    expect(running.printed()).toContain(
      `From here on labels are readable: everyone who may read ${new URL(url).host} sees`,
    );
    expect(running.printed()).not.toContain('not encrypted');
    const elsewhere = world.recorder.messages.filter(
      ({ topic, payload }) => !topic.startsWith(PREFIX) || Buffer.from(payload).includes(`"${FACE}"`),
    );
    expect(elsewhere.map(({ topic }) => topic)).toEqual([]);
    running.child.kill('SIGTERM');
    expect(await running.ended).toBe(0);
    expect(view.faults).toEqual([]);
  });

  test('Home Assistant installs a model, and sees progress, failures and newer packages', async () => {
    const keys = join(world.folder, 'keys', 'publisher.key.json');
    const half = bridge(['--to', url, ...tls(), '--publisher-key', keys]);
    expect(await half.ended).toBe(64);
    mkdirSync(shelf());
    const empty = bridge(['--to', url, ...tls(), '--publisher-key', keys, '--model', shelf()]);
    expect(await empty.ended).toBe(78);
    expect(empty.printed()).toContain('no package');

    put(2);
    const running = bridge(['--to', url, ...tls(), '--publisher-key', keys, '--model', shelf()]);
    await wait(() => entity()['latest_version'] === '2', running.printed);
    expect(entity()).toMatchObject({ installed_version: '1', in_progress: false, release_summary: '' });
    const percentages: unknown[] = [];
    const watching = setInterval(() => percentages.push(entity()['update_percentage']), 5);
    await install();
    await wait(
      () => entity()['installed_version'] === '2',
      () => `${running.printed()} ${JSON.stringify(entity())}`,
    );
    await wait(() => entity()['in_progress'] === false, running.printed);
    clearInterval(watching);
    expect(entity()).toMatchObject({ latest_version: '2', update_percentage: null, release_summary: '' });
    const seen = percentages.filter((each): each is number => typeof each === 'number');
    expect(seen.length).toBeGreaterThan(0);
    expect(seen).toEqual([...seen].sort((a, b) => a - b));

    // A package of somebody whom the owner did not enrol: the device refuses, the entity says why.
    put(3, generateKeys('publisher', 'nobody'));
    await wait(() => entity()['latest_version'] === '3', running.printed);
    await install();
    await wait(() => /^Installing 3 failed: ./.test(String(entity()['release_summary'])), running.printed);
    await wait(() => entity()['in_progress'] === false, running.printed);
    expect(entity()).toMatchObject({ installed_version: '2', update_percentage: null });

    // The next one is offered by itself, and the failure is forgotten.
    put(4);
    await wait(() => entity()['latest_version'] === '4', running.printed);
    expect(entity()).toMatchObject({ release_summary: '' });
    await install();
    await wait(() => entity()['installed_version'] === '4', running.printed);
    running.child.kill('SIGTERM');
    expect(await running.ended).toBe(0);
    expect(view.faults).toEqual([]);
  }, 120_000);
});
