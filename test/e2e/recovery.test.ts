/**
 * Everything dies once, in the middle of a stream. Every frame gets its label, or is counted as lost with a reason; no label is
 * acted on twice; and the stream goes on within two seconds.
 */
import { toHex } from '../../protocol/index.js';
import { availableBrokers } from './brokers.js';
import { theScenes, until, World } from './world.js';

const FRAMES = 40;
const INTERVAL_MS = 40;
const WITHIN_MS = 2_000;
/** More than a stream, so that a TEE kill loses nothing that the queue could have kept. */
const SENSOR_QUEUE = 64;

interface Outcome {
  readonly sent: readonly string[];
  /** Frames that the rules host acted on, in that order. */
  readonly acted: readonly string[];
  /** Labels that the rules host knows to be missing, by the gaps in their numbers. */
  readonly missed: number;
  /** From the blow to the first label of a frame that was taken after it. */
  readonly againMs: number;
}

/** A broker that keeps its sessions loses no label; only aedes, which keeps everything in memory, may. */
const none = (): number => 0;

describe.each(availableBrokers())('a stream goes on, over %s', (broker) => {
  let world: World;
  let frame: Uint8Array;
  const dropped = new Map<string, string>();

  beforeAll(async () => {
    world = await World.create({
      broker,
      sensor: { queueCapacity: SENSOR_QUEUE, offerAgainAfter: 1_000 },
      agent: { 'queue.depth': 64 },
    });
    const [scene] = await theScenes();
    if (scene === undefined) throw new Error('no scene');
    frame = world.frameOf(scene);
    world.sensor.on('dropped', ({ frameId, reason }) => dropped.set(toHex(frameId), reason));
  });
  afterAll(() => world?.close());

  /** Streams frames, and strikes after a third of them. */
  const stream = async (strike: () => Promise<unknown>, missed: () => number = none): Promise<Outcome> => {
    const before = world.labels.length;
    const sent: string[] = [];
    const taken = new Map<string, number>();
    const acted = (): string[] => world.labels.slice(before).map(({ frameId }) => toHex(frameId));
    let struck = Infinity;
    let blow: Promise<unknown> = Promise.resolve();
    for (let i = 0; i < FRAMES; i += 1) {
      if (i === Math.floor(FRAMES / 3)) {
        struck = Date.now();
        blow = strike();
      }
      const id = toHex(world.sensor.sendFrame(frame));
      sent.push(id);
      taken.set(id, Date.now());
      await new Promise((resolve) => setTimeout(resolve, INTERVAL_MS));
    }
    await blow;
    await until(
      () => sent.filter((id) => !dropped.has(id) && !acted().includes(id)).length <= missed(),
      () => `${sent.filter((id) => !acted().includes(id)).length} frames without a label; ${world.report()}`,
      20_000,
    );
    await world.sensor.idle();
    const first = world.labels
      .slice(before)
      .find(({ frameId, received }) => received > struck && (taken.get(toHex(frameId)) ?? 0) > struck);
    return { sent, acted: acted(), missed: missed(), againMs: (first?.received ?? Infinity) - struck };
  };

  const judge = (what: string, { sent, acted, missed, againMs }: Outcome): void => {
    const lost = sent.filter((id) => !acted.includes(id));
    console.log(
      `${broker}, ${what}: ${sent.length} frames, ${acted.length} labels, ${lost.length} lost` +
        `${missed > 0 ? `, ${missed} labels were missed` : ''}, running again after ${againMs} ms`,
    );
    // Each at most once; nothing that was not sent.
    expect(new Set(acted).size).toBe(acted.length);
    expect(acted.filter((id) => !sent.includes(id))).toEqual([]);
    expect(lost.length).toBeLessThanOrEqual(missed);
    expect(againMs).toBeLessThan(WITHIN_MS);
  };

  const kill = (pid: number | undefined, signal: NodeJS.Signals = 'SIGKILL'): void => {
    if (pid === undefined) throw new Error('there is no such process');
    process.kill(pid, signal);
  };

  test('when the agent is killed', async () => {
    const outcome = await stream(async () => {
      await world.agent.kill();
      world.agent.restart();
    });
    judge('agent killed', outcome);
  });

  test('when the agent’s TEE client is killed', async () => {
    const outcome = await stream(() => Promise.resolve(kill(world.agent.teePids.client)));
    judge('TEE client killed', outcome);
  });

  test('when the TA is killed', async () => {
    const outcome = await stream(() => Promise.resolve(kill(world.agent.teePids.ta)));
    judge('TA killed', outcome);
  });

  test('when the software TEE’s supervisor is killed, and its TA with it', async () => {
    const { ta } = world.agent.teePids;
    const outcome = await stream(() => Promise.resolve(kill(world.agent.teePids.supervisor)));
    judge('supervisor killed', outcome);
    expect(world.agent.teePids.ta).not.toBe(ta);
  });

  test('when the broker is killed', async () => {
    const { missed } = world.rules.stats;
    const outcome = await stream(
      () => world.broker.crash(),
      broker === 'aedes' ? () => world.rules.stats.missed - missed : none,
    );
    judge('broker killed', outcome);
  });

  test('while the storage side is frozen frames do not notice', async () => {
    const { supervisor } = world.agent.teePids;
    kill(supervisor, 'SIGSTOP');
    try {
      const outcome = await stream(() => Promise.resolve());
      judge('storage frozen', outcome);
      const latencies = world.labels.slice(-FRAMES).map(({ received, sensorTime }) => received - sensorTime);
      expect(Math.max(...latencies)).toBeLessThan(WITHIN_MS);
    } finally {
      kill(supervisor, 'SIGCONT');
    }
  });

  test('when more frames wait than the sensor’s queue holds, the oldest are lost and say why', async () => {
    const before = world.labels.length;
    const droppedBefore = dropped.size;
    const { ta } = world.agent.teePids;
    const sent: string[] = [];
    kill(ta, 'SIGSTOP');
    for (let i = 0; i < SENSOR_QUEUE + 10; i += 1) sent.push(toHex(world.sensor.sendFrame(frame)));
    kill(ta);
    await world.sensor.idle();
    const acted = (): string[] => world.labels.slice(before).map(({ frameId }) => toHex(frameId));
    await until(
      () => sent.every((id) => dropped.has(id) || acted().includes(id)),
      () => `${sent.filter((id) => !acted().includes(id)).length} frames without a label; ${world.report()}`,
    );
    const lost = sent.filter((id) => !acted().includes(id));
    console.log(
      `${broker}, queue exceeded: ${sent.length} frames, ${lost.length} lost: ${[...new Set(lost.map((id) => dropped.get(id)))].join()}`,
    );
    expect(lost.length).toBeLessThanOrEqual(10);
    expect(dropped.size - droppedBefore).toBe(10);
    for (const id of lost) expect([id, dropped.get(id)]).toEqual([id, 'overflow']);
    expect(sent.slice(10).filter((id) => !acted().includes(id))).toEqual([]);
  });
});
