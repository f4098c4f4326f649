/**
 * A rules host under load: opens labels, groups them into events, runs a rule for each sensor, keeps a history and
 * bridges to Home Assistant. Arguments:
 * folder with keys, address of the broker, how many labels come, sensors. Says what it found as one line of JSON.
 */
import { join } from 'node:path';
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
import type { LoadResult } from './load.js';

const [folder = '', url = '', total = '', sensors = ''] = process.argv.slice(2);

const rules = await connectRules({
  broker: { url, protocol: 4 },
  devices: ['home'],
  key: join(folder, 'rules.key.json'),
  owner: join(folder, 'owner.pub'),
  // A machine that is too slow shall show it in the latency, not leave labels out.
  maxAge: 3_600_000,
});
const history = await History.open(join(folder, 'history.db'), { bytes: 16 * 1024 * 1024 });
const base = 'bridge';
const to = await BrokerLink.connect({
  url,
  clientId: 'bridge',
  protocol: 4,
  sessionExpiry: 0,
  will: bridgeWill(base),
});
const bridge = await HomeAssistantBridge.open({ rules, to, base });
const announced = new Set<string>();
bridge.on('announced', ({ id }) => announced.add(id));
const engine = new RuleEngine(
  parseRules({
    rules: Array.from({ length: Number(sensors) }, (_, i) => ({
      name: `rule ${i}`,
      when: { class: ['person', 'dog', 'car'], score: 0.4, sensor: `sensor ${i}` },
      // Goes off at once: every label with one of them is an action.
      hold: 0,
      on: [{ print: '{{time}}' }],
    })),
  }),
);

/** Of the first labels: the process compiles its code and derives the keys of every sensor then. */
const WARMING = 1000;
const first: number[] = [];
const latencies: number[] = [];
const memory: number[] = [];
let [labels, events, missed, failed] = [0, 0, 0, 0];
const print = (time: string): void =>
  void (labels < WARMING ? first : latencies).push(Date.now() - Date.parse(time));
const runner = new ActionRunner({ print, link: rules.link }, () => (failed += 1));
engine.on('edge', (edge) => runner.take(edge));
rules.on('event', () => (events += 1));
rules.on('gap', (gap) => (missed += gap.missed));

const done = new Promise<void>((resolve) => {
  rules.on('label', ({ label }) => {
    history.write(label);
    engine.apply(label);
    labels += 1;
    // What is alive, not what waits to be collected.
    if (labels % Math.ceil(Number(total) / 20) === 0) {
      globalThis.gc?.();
      const { heapUsed, external, arrayBuffers } = process.memoryUsage();
      memory.push((heapUsed + external + arrayBuffers) / 2 ** 20);
    }
    if (labels === Number(total)) resolve();
  });
});
await rules.ready();
const start = performance.now();
const cpu = process.cpuUsage();
process.send?.('ready');
await done;
const seconds = (performance.now() - start) / 1000;
const { user, system } = process.cpuUsage(cpu);
engine.close();
await runner.settled();
latencies.sort((a, b) => a - b);
const at = (share: number): number =>
  latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? NaN;
await bridge.close();
await to.close();
await rules.close();
await history.close();
const result: LoadResult = {
  labels,
  actions: first.length + latencies.length,
  events,
  announced: announced.size,
  missed,
  failed,
  rows: history.stats.written,
  lost: history.stats.lost,
  seconds,
  cpu: (user + system) / 1e6 / seconds,
  latency: { median: at(0.5), p99: at(0.99), most: latencies.at(-1) ?? NaN, starting: Math.max(...first) },
  memory,
};
process.send?.(result);
process.disconnect();
