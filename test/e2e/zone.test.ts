/**
 * Several agents behind one sensor: mosquitto deals the frames out, agents die, come back and join, and every frame is acted on once.
 */
import { randomBytes } from 'node:crypto';
import { findMosquitto } from './brokers.js';
import { until } from './world.js';
import { ZONE, ZoneWorld } from './zone-world.js';

const LONG = 180_000;
const there = findMosquitto() !== undefined;
if (!there) console.warn('mosquitto is not installed: zones are not tested');

const FRAME_BYTES = 128 * 128 * 3;

(there ? describe : describe.skip)('a zone on mosquitto', () => {
  let world: ZoneWorld;
  beforeAll(async () => {
    world = await ZoneWorld.create();
    await world.addDevice('a');
    await world.addDevice('b');
    await world.home.owner.addToZone(world.owner.link, ZONE, ['a', 'b']);
    await world.startRules();
    await world.startSensor();
    await world.sensor.ready(60_000);
    await world.rules.ready(60_000);
  }, LONG);
  afterAll(() => world.close());

  /** Sends frames at a steady pace until `done`; their ids. */
  const stream = async (done: () => boolean, pace = 40): Promise<Uint8Array[]> => {
    const frames: Uint8Array[] = [];
    while (!done()) {
      frames.push(world.sensor.sendFrame(new Uint8Array(randomBytes(FRAME_BYTES))));
      await new Promise((resolve) => setTimeout(resolve, pace));
    }
    return frames;
  };
  const allOnce = async (frames: readonly Uint8Array[]): Promise<void> => {
    await until(
      () => world.actedOn(frames).every((count) => count > 0),
      () => `${world.actedOn(frames).filter((n) => n === 0).length} frames without label; ${world.report()}`,
      40_000,
    );
    await world.sensor.idle(40_000);
    expect(world.actedOn(frames).filter((count) => count !== 1)).toEqual([]);
    expect(world.dropped).toEqual([]);
  };

  test(
    'two devices share the frames of one sensor',
    async () => {
      const before = world.labels.length;
      await allOnce(await stream(() => world.labels.length >= before + 40));
      const { a = 0, b = 0 } = world.labelsBy();
      expect(Math.min(a, b)).toBeGreaterThan(5);
    },
    LONG,
  );

  test(
    'one is killed and comes back: no frame is lost, none is acted on twice',
    async () => {
      const { agent } = world.members[1]!;
      const before = world.labels.length;
      let step = 'before';
      const frames = stream(() => step === 'done');
      await until(
        () => world.labels.length > before + 10,
        () => world.report(),
        20_000,
      );
      await agent.kill();
      const killed = world.labels.length;
      // The other goes on meanwhile.
      await until(
        () => world.labels.length > killed + 20,
        () => world.report(),
        40_000,
      );
      const from = agent.log.length;
      agent.restart();
      await agent.logged('ready', { from, timeout: 60_000 });
      const back = world.labelsBy()['b'] ?? 0;
      await until(
        () => (world.labelsBy()['b'] ?? 0) > back + 3,
        () => world.report(),
        40_000,
      );
      step = 'done';
      await allOnce(await frames);
    },
    LONG,
  );

  test(
    "one's TEE is killed: the sensor makes a new channel for both, and nothing is lost",
    async () => {
      const { agent } = world.members[0]!;
      const before = world.labels.length;
      const { offers } = world.sensor.stats;
      let done = false;
      const frames = stream(() => done);
      await until(
        () => world.labels.length > before + 10,
        () => world.report(),
        20_000,
      );
      const { ta } = agent.teePids;
      process.kill(ta!, 'SIGKILL');
      await until(
        () => world.sensor.stats.offers > offers,
        () => world.report(),
        40_000,
      );
      const again = world.labelsBy()['a'] ?? 0;
      await until(
        () => (world.labelsBy()['a'] ?? 0) > again + 3,
        () => world.report(),
        40_000,
      );
      done = true;
      await allOnce(await frames);
    },
    LONG,
  );

  test(
    'a third joins by the roster alone, takes its share, and leaves again',
    async () => {
      await world.addDevice('c');
      let done = false;
      const frames = stream(() => done);
      await world.home.owner.addToZone(world.owner.link, ZONE, ['c']);
      await until(
        () => (world.labelsBy()['c'] ?? 0) > 5,
        () => world.report(),
        60_000,
      );
      await world.home.owner.removeFromZone(world.owner.link, ZONE, ['c']);
      const { agent } = world.members[2]!;
      await agent.logged('has left a zone', { timeout: 20_000 });
      const { c = 0 } = world.labelsBy();
      const now = world.labels.length;
      await until(
        () => world.labels.length > now + 20,
        () => world.report(),
        40_000,
      );
      done = true;
      await allOnce(await frames);
      expect(world.labelsBy()['c']).toBeLessThanOrEqual(c + 8); // what was under way
      expect(world.gaps).toEqual([]);
    },
    LONG,
  );
});

test(
  'a broker without shared subscriptions: the agent says so',
  async () => {
    const world = await ZoneWorld.create('aedes');
    try {
      const { agent } = await world.addDevice('a');
      await world.home.owner.addToZone(world.owner.link, ZONE, ['a']);
      const line = await agent.logged(
        'zones need a broker with MQTT 5 and shared subscriptions: this device takes no share',
        { timeout: 30_000 },
      );
      expect(line).toMatchObject({ level: 'error', zones: ZONE });
    } finally {
      await world.close();
    }
  },
  LONG,
);
