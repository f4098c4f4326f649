/**
 * A rules host under load: opens labels, groups them into events, runs a rule for each sensor, keeps a history and bridges to
 * Home Assistant. What was seen is kept on the disk, as by default. Arguments: folder with keys, address of the broker, how many
 * labels come, sensors. Says what it found to the process that started it.
 */
import { join } from 'node:path';
import { monitorEventLoopDelay, PerformanceObserver } from 'node:perf_hooks';
import {
  ActionRunner,
  BrokerLink,
  bridgeWill,
  connectRules,
  History,
  HomeAssistantBridge,
  parseRules,
  RuleEngine,
} from '../../clients/rules/index.js';
import { BRIDGE, LAMPS, type HostResult } from './load.js';

const [folder = '', url = '', total = '', sensors = ''] = process.argv.slice(2);

const rules = await connectRules({
  broker: { url, protocol: 4 },
  devices: ['home'],
  key: join(folder, 'rules.key.json'),
  owner: join(folder, 'owner.pub'),
});
const history = await History.open(join(folder, 'history.db'), { bytes: 16 * 1024 * 1024 });
const linkTo = (clientId: string): Promise<BrokerLink> =>
  BrokerLink.connect({ url, clientId, protocol: 4, sessionExpiry: 0, will: bridgeWill(BRIDGE) });
const to = await linkTo('bridge');
const bridge = await HomeAssistantBridge.open({ rules, to, base: BRIDGE });
const announced = new Set<string>();
bridge.on('announced', ({ id }) => announced.add(id));
const engine = new RuleEngine(
  parseRules({
    rules: Array.from({ length: Number(sensors) }, (_, i) => ({
      name: `rule ${i}`,
      when: { class: ['person', 'dog', 'car'], score: 0.4, sensor: `sensor ${i}` },
      // Goes off at once: every label with one of them is an action.
      hold: 0,
      on: [{ publish: { topic: `${LAMPS}/${i}`, payload: '{{time}}' } }],
    })),
  }),
);

let [labels, events, missed, stale, failed] = [0, 0, 0, 0, 0];
const runner = new ActionRunner({ print: () => undefined, link: rules.link }, () => (failed += 1));
engine.on('edge', (edge) => runner.take(edge));
rules.on('event', () => (events += 1));
rules.on('gap', (gap) => (missed += gap.missed));

/** The least in each twentieth of the labels. */
const memory: number[] = [];
const sample = (): void => {
  const { heapUsed, external } = process.memoryUsage();
  const part = Math.min(19, Math.floor((20 * (labels + stale)) / Number(total)));
  memory[part] = Math.min(memory[part] ?? Infinity, (heapUsed + external) / 2 ** 20);
};
const loop = monitorEventLoopDelay({ resolution: 5 });
let collection = 0;
const collections = new PerformanceObserver((list) => {
  for (const { duration } of list.getEntries()) collection = Math.max(collection, duration);
});

const done = new Promise<void>((resolve) => {
  const count = (): void => {
    if (labels + stale === Number(total)) resolve();
  };
  rules.on('label', ({ label }) => {
    history.write(label);
    engine.apply(label);
    labels += 1;
    // While the host starts it is late for another reason.
    if (labels === 1000) {
      loop.enable();
      collections.observe({ entryTypes: ['gc'] });
    }
    count();
  });
  // Too slow for them: said, not waited for.
  rules.on('stale', () => {
    stale += 1;
    count();
  });
});
await rules.ready();
const sampling = setInterval(sample, 20);
const start = performance.now();
const cpu = process.cpuUsage();
process.send?.('ready');
await done;
const seconds = (performance.now() - start) / 1000;
const { user, system } = process.cpuUsage(cpu);
loop.disable();
collections.disconnect();
clearInterval(sampling);
engine.close();
await runner.settled();
await bridge.close();
await to.close();
await rules.close();
await history.close();
const result: HostResult = {
  labels,
  events,
  announced: announced.size,
  missed,
  stale,
  failed,
  rows: history.stats.written,
  lost: history.stats.lost,
  seconds,
  cpu: (user + system) / 1e6 / seconds,
  // What it measures begins with the 5 ms of its own timer.
  loop: { p99: loop.percentile(99) / 1e6, most: loop.max / 1e6, collection },
  memory: memory.filter((least) => least !== undefined),
};
process.send?.(result);
process.disconnect();
