/** A rules host that was away for an hour gets what the broker kept: in order, and once. */
import { generateKeys, publicOf } from '../../clients/keys/index.js';
import { connectRules, type Rules } from '../../clients/rules/index.js';
import { toHex } from '../../protocol/index.js';
import { availableBrokers } from './brokers.js';
import { PREFIX, theScenes, until, World } from './world.js';
import { join } from 'node:path';

const HOUR = 3_600_000;
const FRAMES = 12;

describe.each(availableBrokers())('over %s', (broker) => {
  let world: World;
  let frame: Uint8Array;
  const keys = generateKeys('rules', 'second server');
  const acted: string[] = [];
  const refused: string[] = [];
  let rules: Rules | undefined;
  /** By how much the host's clock is ahead of this machine's: the hour passes at once. */
  let ahead = 0;

  beforeAll(async () => {
    world = await World.create({ broker });
    const [scene] = await theScenes();
    if (scene === undefined) throw new Error('no scene');
    frame = world.frameOf(scene);
    await world.home.owner.enrol(await world.home.link('owner of the second'), publicOf(keys));
  });
  afterAll(async () => {
    await rules?.close();
    await world?.close();
  });

  /** The host as a new process: what it has of before is its keys and the file of what it has seen. */
  const start = async (): Promise<Rules> => {
    const { url, protocol } = world.broker;
    rules = await connectRules({
      broker: { url, protocol },
      devices: [{ prefix: PREFIX }],
      key: keys,
      owner: publicOf(world.home.ownerKeys),
      seenPath: () => join(world.folder, 'keys', 'second.seen.json'),
      maxAge: 2 * HOUR,
      clock: {
        now: () => Date.now() + ahead,
        set: (callback, milliseconds) => setTimeout(callback, milliseconds).unref(),
        clear: (timer) => clearTimeout(timer as NodeJS.Timeout),
      },
    });
    rules.on('label', ({ label }) => acted.push(toHex(label.frameId)));
    rules.on('refused', ({ what, error }) => refused.push(`${what} ${error.code}`));
    await rules.ready();
    return rules;
  };

  test('what was kept comes in order, once, and the stream goes on', async () => {
    const first = await start();
    const sent: string[] = [];
    const send = async (): Promise<void> => {
      const id = world.sensor.sendFrame(frame);
      sent.push(toHex(id));
      await world.labelOf(id);
    };
    const all = (): Promise<void> =>
      until(
        () => acted.length >= sent.length,
        () => `${acted.length} of ${sent.length}; refused ${refused.join(', ')}; ${world.report()}`,
      );
    for (let i = 0; i < 3; i += 1) await send();
    await all();
    await first.close();
    for (let i = 0; i < FRAMES; i += 1) await send();
    ahead = HOUR;
    const again = await start();
    await all();
    await send();
    await all();
    // Whatever would come twice has the time to.
    await new Promise((resolve) => setTimeout(resolve, 300));
    expect(acted).toEqual(sent);
    const [client] = again.clients.values();
    expect(client?.stats).toMatchObject({ labels: FRAMES + 1, missed: 0, stale: 0, unopened: 0 });
    // A third time nothing of before comes again.
    await again.close();
    await start();
    await send();
    await all();
    expect(acted).toEqual(sent);
  });
});
