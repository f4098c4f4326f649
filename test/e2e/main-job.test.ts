import { EngineTool } from '../../clients/publisher/index.js';
import { FACE } from '../../demo/household.js';
import { toHex } from '../../protocol/bytes.js';
import { availableBrokers } from './brokers.js';
import { UnreliableNetwork } from './unreliable-network.js';
import { theScenes, until, World } from './world.js';

/** The same engine in the TA and as a program: the same compiler, the same order of sums. */
const SAME = 1e-6;

describe.each(availableBrokers())('a frame becomes a label, over %s', (broker) => {
  let world: World;
  /** Between broker and agent. */
  let network: UnreliableNetwork;
  beforeAll(async () => {
    const start = Date.now();
    world = await World.create({
      broker,
      between: async (url) => (network = await UnreliableNetwork.start(url, 1)).url,
    });
    console.log(
      `${broker}: claimed, enrolled, model installed and channels open in ${Date.now() - start} ms`,
    );
  });
  afterAll(async () => {
    await world?.close();
    await network?.stop();
  });

  test('BlazeFace finds the faces in the photographs, and none where nobody is', async () => {
    const engine = EngineTool.find();
    const latencies: number[] = [];
    for (const scene of await theScenes()) {
      const data = world.frameOf(scene);
      const label = await world.labelOf(world.sensor.sendFrame(data));
      latencies.push(label.received - label.sensorTime);
      const { results } = label;
      if (results.kind !== 'detections') throw new Error(`a label of kind ${results.kind}`);
      expect({ scene: scene.name, faces: results.detections.length > 0 }).toEqual({
        scene: scene.name,
        faces: scene.people,
      });
      const expected = await engine.infer(world.model.graph, 'u8', data);
      expect(results.detections).toHaveLength(expected.results.length);
      results.detections.forEach(({ index, name, score, box }, i) => {
        const due = expected.results[i];
        if (due === undefined) throw new Error('more detections than the network gives');
        const [left, top, right, bottom] = due.box;
        expect({ index, name }).toEqual({ index: 0, name: FACE });
        expect(Math.abs(score - due.score)).toBeLessThan(SAME);
        const edges = [box.x - left, box.y - top, box.x + box.width - right, box.y + box.height - bottom];
        expect(Math.max(...edges.map(Math.abs))).toBeLessThan(SAME);
      });
      expect(toHex(label.model)).toBe(toHex(world.signed.digest));
      expect(label.sensor.name).toBe('porch camera');
      expect(label.device.name).toBe('porch');
    }
    latencies.sort((a, b) => a - b);
    console.log(
      `${broker}: ${latencies.length} frames, frame to label ${latencies[latencies.length >> 1]} ms in the middle, ` +
        `${latencies.at(-1)} ms at most`,
    );
  });

  test('every frame is receipted, every label is acted on once, nothing was refused', async () => {
    const before = world.labels.length;
    const [scene] = await theScenes();
    if (scene === undefined) throw new Error('no scene');
    const frame = world.frameOf(scene);
    const ids: string[] = [];
    const start = Date.now();
    for (let i = 0; i < 40; i += 1) {
      ids.push(toHex(world.sensor.sendFrame(frame)));
      if (i % 8 === 7) await world.labelled(before + i + 1);
    }
    await world.labelled(before + 40);
    const rate = (40_000 / (Date.now() - start)).toFixed(1);
    await world.sensor.idle();
    expect(world.labels.slice(before).map(({ frameId }) => toHex(frameId))).toEqual(ids);
    expect(world.sensor.stats).toMatchObject({ dropped: 0, queued: 0 });
    expect(world.rules.stats).toMatchObject({ doubles: 0, stale: 0, missed: 0, refused: 0, unopened: 0 });
    expect(world.trouble).toEqual([]);
    console.log(`${broker}: ${rate} labels per second`);
  });

  test.each(['lost', 'held'] as const)(
    'a frame between two others that is %s on its way comes through afterwards, and is acted on once',
    async (fate) => {
      const [scene] = await theScenes();
      if (scene === undefined) throw new Error('no scene');
      const frame = world.frameOf(scene);
      const before = world.labels.length;
      const { sent } = world.sensor.stats;
      const stale = staleNumbers(world);
      let passing = 0;
      network.fate = (topic) => {
        if (topic !== world.topics.sensorFrame(world.home.sensorKeys.signing.kid)) return undefined;
        return (passing += 1) === 2 ? fate : undefined;
      };
      const ids = [1, 2, 3].map(() => toHex(world.sensor.sendFrame(frame)));
      await world.labelled(before + 3);
      await world.sensor.idle();
      // What was held arrives when its frame has gone again already, and is refused: its number was passed over.
      for (const deliver of network.release.splice(0)) deliver();
      await until(
        () => staleNumbers(world) === stale + (fate === 'held' ? 1 : 0),
        () => 'the record that was held is not refused',
      );
      network.fate = () => undefined;
      const last = toHex((await world.labelOf(world.sensor.sendFrame(frame))).frameId);
      await world.sensor.idle();
      const [first, second, third] = ids;
      expect(world.labels.slice(before).map(({ frameId }) => toHex(frameId))).toEqual([
        first,
        third,
        second,
        last,
      ]);
      // Four frames, of which one was sealed twice.
      expect(world.sensor.stats).toMatchObject({ sent: sent + 5, dropped: 0, queued: 0 });
      expect(world.rules.stats).toMatchObject({ doubles: 0, stale: 0, missed: 0, refused: 0, unopened: 0 });
      expect(world.trouble).toEqual([]);
    },
  );
});

/** Frames that the agent gave up because the TA had taken later numbers. */
const staleNumbers = ({ agent }: World): number =>
  agent.log.filter(({ code }) => code === 'STALE_NUMBER').length;
