/** The Home Assistant bridge between a real device and a second broker, which Home Assistant would listen to. */
import { spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { packageRoot } from '../../agent/package-root.js';
import { generateKeys, publicLine, publicOf, writeKeyFile } from '../../clients/keys/index.js';
import { BrokerLink } from '../../clients/link/index.js';
import { bridgeWill, HomeAssistantBridge } from '../../clients/rules/bridge/index.js';
import { connectRules, type Rules } from '../../clients/rules/index.js';
import { FACE } from '../../demo/household.js';
import { kidToHex } from '../../protocol/kid.js';
import { availableBrokers, startTestBroker, type TestBroker } from '../e2e/brokers.js';
import { PREFIX, theScenes, until, World } from '../e2e/world.js';
import { HomeAssistantView } from './home-assistant-view.js';

const BASE = 'smart-zone/test';
const CLASS = `porch camera / ${FACE}`;
const TOP = 'porch camera / Top label';

let closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  closers = [];
});

interface Scenery {
  readonly world: World;
  readonly ha: TestBroker;
  readonly view: HomeAssistantView;
  readonly send: (people: boolean) => Promise<void>;
}

const setUp = async (kind: 'aedes' | 'mosquitto'): Promise<Scenery> => {
  const world = await World.create({ broker: kind });
  closers.push(() => world.close());
  // Its keys are the bridge's now.
  await world.rules.close();
  const ha = await startTestBroker(kind, join(world.folder, 'ha-broker'));
  closers.push(() => ha.stop());
  const view = await HomeAssistantView.connect(ha.url, ha.protocol);
  closers.push(() => view.close());
  const scenes = await theScenes();
  const send = async (people: boolean): Promise<void> => {
    const scene = scenes.find((each) => each.people === people);
    if (scene === undefined) throw new Error('no such scene');
    world.sensor.sendFrame(world.frameOf(scene));
    await Promise.resolve();
  };
  return { world, ha, view, send };
};

const shows = (view: HomeAssistantView, entity: string, state: string | RegExp): Promise<void> =>
  until(
    () => {
      const is = view.states[entity] ?? 'absent';
      return typeof state === 'string' ? is === state : state.test(is);
    },
    () => `${entity} is not ${String(state)}: ${JSON.stringify(view.states)} ${view.faults.join('\n')}`,
  );

const connect = async ({ world }: Scenery, quiet = 600): Promise<Rules> => {
  const { home, broker } = world;
  const rules = await connectRules({
    broker: {
      url: broker.url,
      protocol: broker.protocol,
      clientId: 'bridge-rules',
      backoff: { base: 50, cap: 200 },
    },
    devices: [{ prefix: PREFIX }],
    key: home.rulesKeys,
    owner: publicOf(home.ownerKeys),
    events: { quiet },
  });
  closers.push(() => rules.close());
  return rules;
};

describe.each(availableBrokers())('%s', (kind) => {
  test('labels become states; birth, broker loss, a sensor that leaves', async () => {
    const scenery = await setUp(kind);
    const { world, ha, view, send } = scenery;
    const rules = await connect(scenery);
    const to = await BrokerLink.connect({
      url: ha.url,
      protocol: ha.protocol,
      clientId: 'bridge',
      sessionExpiry: 0,
      will: bridgeWill(BASE),
      backoff: { base: 50, cap: 200 },
    });
    closers.push(() => to.close());
    const installs: string[] = [];
    let finish = (): void => undefined;
    const bridge = await HomeAssistantBridge.open({
      rules,
      to,
      base: BASE,
      birthDelay: 10,
      installer: {
        sequence: 7,
        install: (device, progress) =>
          new Promise<void>((resolve) => {
            installs.push(device);
            progress(0.25);
            finish = resolve;
          }),
      },
    });
    closers.push(() => bridge.close());
    await rules.ready();
    await shows(view, 'porch / Security level', 'software');
    await shows(view, TOP, 'unknown');

    // Nobody, somebody, nobody any more.
    await send(false);
    await shows(view, TOP, 'nothing');
    expect(view.states[CLASS]).toBeUndefined();
    await send(true);
    await shows(view, CLASS, 'ON');
    await shows(view, TOP, FACE);
    await shows(view, 'porch camera / Score', /^([5-9]\d|100)$/);
    await shows(view, CLASS, 'OFF');
    await until(
      () => view.events.length >= 2,
      () => JSON.stringify(view.events),
    );
    const [first, last] = [view.events[0], view.events.at(-1)];
    expect(first).toMatchObject({ event_type: 'new', class: FACE });
    expect(last).toMatchObject({ event_type: 'end', id: first?.id, labels: 1 });

    // The update entity: a command, but not a retained one or another word.
    const model = (): Record<string, unknown> =>
      JSON.parse(view.states['porch / Model'] ?? '{}') as Record<string, unknown>;
    expect(model()).toMatchObject({ installed_version: '1', latest_version: '7', in_progress: false });
    const device = kidToHex(world.home.device.kid);
    const command = view.configs.get(`smartzone_${device}`)?.cmps.model?.command_topic ?? '';
    await view.link.publish(command, 'INSTALL NOW');
    await view.link.publish(command, 'INSTALL');
    await until(
      () => model().update_percentage === 25,
      () => JSON.stringify(model()),
    );
    expect(model().in_progress).toBe(true);
    expect(installs).toEqual([PREFIX]);
    finish();
    await until(
      () => model().in_progress === false,
      () => JSON.stringify(model()),
    );

    // Home Assistant comes up and has nothing; it is told everything again.
    const ids = view.uniqueIds;
    const states = view.states;
    view.forget();
    await view.birth();
    await shows(view, CLASS, 'OFF');
    await shows(view, TOP, FACE);
    await until(
      () => JSON.stringify(view.states) === JSON.stringify(states),
      () => `${JSON.stringify(view.states)} for ${JSON.stringify(states)}`,
    );
    expect(view.uniqueIds).toEqual(ids);
    expect(new Set(ids).size).toBe(ids.length);

    // Home Assistant's broker dies; what happened meanwhile is right afterwards, for a listener that knows nothing.
    const away = ha.crash();
    await send(false);
    await away;
    const later = await HomeAssistantView.connect(ha.url, ha.protocol, 'later');
    closers.push(() => later.close());
    await shows(later, TOP, 'nothing');
    await shows(later, CLASS, 'OFF');
    expect(later.uniqueIds).toEqual(ids);

    // The labels' broker dies: unavailable, and back by itself.
    if (kind === 'mosquitto') {
      await world.broker.stop();
      await shows(later, CLASS, 'unavailable');
      await shows(later, 'porch / Model', 'unavailable');
      await world.broker.crash();
      await shows(later, CLASS, 'OFF');
    }

    // The camera leaves the household: its entities go, the device's stay.
    const { home } = world;
    await home.owner.revoke(await home.link('owner-again'), kidToHex(home.sensorKeys.signing.kid));
    const id = `smartzone_${device}_${kidToHex(home.sensorKeys.signing.kid)}`;
    await until(
      () => later.removed.includes(id),
      () => `${id} is still there`,
    );
    await until(
      () => [...later.topics.keys()].every((topic) => !topic.includes(kidToHex(home.sensorKeys.signing.kid))),
      () => JSON.stringify([...later.topics]),
    );
    expect(Object.keys(later.states).sort()).toEqual([
      'porch / Missed labels',
      'porch / Model',
      'porch / Security level',
    ]);
    await bridge.close();
    await shows(later, 'porch / Security level', 'unavailable');
    expect(view.faults).toEqual([]);
    expect(later.faults).toEqual([]);
  });

  test('the command: killed, restarted, stopped; entities stay the same', async () => {
    const scenery = await setUp(kind);
    const { world, ha, view, send } = scenery;
    const start = async (): Promise<{ child: ChildProcess; printed: () => string }> => {
      let printed = '';
      const child = spawn(
        process.execPath,
        [
          join(packageRoot(), 'dist', 'clients', 'cli', 'main.js'),
          ...['rules', 'bridge', '--to', ha.url, '--quiet', '0.6'],
        ],
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
      closers.push(() => child.kill('SIGKILL'));
      await until(
        () => view.states[TOP] === 'unknown',
        () => `${printed}\n${JSON.stringify(view.states)}`,
        20_000,
      );
      return { child, printed: () => printed };
    };
    const exited = (child: ChildProcess): Promise<unknown> =>
      new Promise((resolve) => child.once('exit', resolve));

    const first = await start();
    expect(first.printed()).toContain('From here on labels are readable');
    const seen = async (): Promise<void> => {
      // The host has to have an epoch's key first: a label from before that is not for it.
      for (let i = 0; i < 40 && view.states[CLASS] !== 'ON'; i++) {
        await send(true);
        await new Promise((resolve) => setTimeout(resolve, 250));
      }
      await shows(view, CLASS, 'ON');
    };
    await seen();
    const ids = view.uniqueIds;
    first.child.kill('SIGKILL');
    await exited(first.child);
    await shows(view, CLASS, 'unavailable');

    // A sensor that left while no bridge ran, as an earlier bridge announced it.
    const [id, config] = [...view.configs].find(([, { cmps }]) => 'top' in cmps) ?? [];
    const gone = String(id).replace(/_[0-9a-f]{16}$/, '_00112233aabbccdd');
    await view.link.publish(`homeassistant/device/${gone}/config`, JSON.stringify(config), { retain: true });

    const second = await start();
    // Not seen since the start, and not guessed.
    expect(view.states[CLASS]).toMatch(/unknown|OFF|ON/);
    await until(
      () => view.removed.includes(gone),
      () => 'the sensor that left is still there',
    );
    expect(view.uniqueIds).toEqual(ids);
    await seen();
    await shows(view, CLASS, 'OFF');
    const ended = exited(second.child);
    second.child.kill('SIGTERM');
    expect(await ended).toBe(0);
    await shows(view, CLASS, 'unavailable');
    expect(view.faults).toEqual([]);
  });
});

test('refuses to bridge where nobody said where to, and credentials that others can read', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'sz-bridge-'));
  closers.push(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'credentials');
  writeFileSync(file, 'ha\nsecret\n', { mode: 0o644 });
  writeKeyFile(join(folder, 'rules.key.json'), generateKeys('rules', 'home'));
  const owner = publicLine(publicOf(generateKeys('owner', 'me')));
  const run = (args: readonly string[]): Promise<{ status: number | null; error: string }> =>
    new Promise((resolve) => {
      let error = '';
      const child = spawn(
        process.execPath,
        [join(packageRoot(), 'dist', 'clients', 'cli', 'main.js'), 'rules', 'bridge', ...args],
        {
          stdio: ['ignore', 'ignore', 'pipe'],
          env: { ...process.env, SMART_ZONE_HOME: folder, SMART_ZONE_OWNER: owner },
        },
      );
      child.stderr.on('data', (text: Buffer) => (error += text.toString()));
      child.on('close', (status) => resolve({ status, error }));
    });
  const without = await run(['--device', 'porch', '--broker', 'mqtt://127.0.0.1:1']);
  expect(without).toMatchObject({ status: 64, error: expect.stringContaining('--to <url>') as string });
  const readable = await run(['--device', 'porch', '--to', 'mqtt://ha.invalid', '--to-credentials', file]);
  expect(readable).toMatchObject({ status: 78, error: expect.stringContaining('chmod 600') as string });
  // The way to a broker elsewhere, without TLS.
  expect(readable.error).toContain('not encrypted');
});
