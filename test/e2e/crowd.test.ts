/**
 * 100 sensors and 20 rules hosts at one agent, over a real broker: every label is opened once by every host. All of them, and over both
 * brokers, with SMART_ZONE_TEST_LONG=1; some of them otherwise.
 */
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { generateKeys, publicOf, type PartyKeys } from '../../clients/keys/index.js';
import { RulesClient, type TelemetryEvent } from '../../clients/rules/index.js';
import { SensorClient } from '../../clients/sensor/index.js';
import { toHex } from '../../protocol/bytes.js';
import { brokers } from '../agent/brokers.js';
import { DeviceFixture, frameOf, PREFIX } from '../agent/device-fixture.js';
import { until } from '../support/party-fixture.js';
import { testPrograms } from '../support/soft-tee.js';

const LONG = process.env['SMART_ZONE_TEST_LONG'] === '1';
const ALL = { sensors: 100, hosts: 20, rounds: 5 };
const SOME = LONG ? ALL : { sensors: 10, hosts: 4, rounds: 3 };
const CHANNELS = 256; // SZ_MAX_CHANNELS

/** Bytes of the TA's image for each channel: they are static. */
const bytesOfChannel = (): number => {
  const { stdout } = spawnSync('nm', ['-S', join(testPrograms.products, 'smart-zone-ta')], {
    encoding: 'utf8',
  });
  const [, size] = /^\S+ (\S+) . channels$/m.exec(stdout) ?? [];
  return parseInt(size ?? '', 16) / CHANNELS;
};

describe.each(LONG ? brokers : brokers.slice(0, 1))('over $name', ({ start, run }) => {
  run('a crowd', () => {
    let device: DeviceFixture;
    const sensors: SensorClient[] = [];
    const hosts: RulesClient[] = [];
    /** Of each host: how often it acted on each frame. */
    const acted: Map<string, number>[] = [];
    let telemetry: TelemetryEvent | undefined;
    const troubles: string[] = [];

    beforeAll(async () => {
      device = DeviceFixture.create(await start());
      const agent = await device.agent('telemetry.intervalMs=300', 'queue.depth=256');
      await agent.start();
      const owner = await device.claim();
      const named = (role: 'sensor' | 'rules', count: number): PartyKeys[] =>
        Array.from({ length: count }, (_, i) => generateKeys(role, `${role} ${i}`));
      const parties = [...named('sensor', SOME.sensors), ...named('rules', SOME.hosts)];
      for (const keys of parties) await owner.enrol(undefined, publicOf(keys));
      await owner.publishRoster(await device.link('owner at work'));
      await device.stageModel(owner);
      for (const keys of parties) {
        const options = {
          link: await device.link(keys.name),
          keys,
          owner: publicOf(device.owner),
          prefix: PREFIX,
        };
        if (keys.role === 'sensor') {
          const sensor = await SensorClient.open(options);
          sensor.on('dropped', ({ reason }) => troubles.push(`${keys.name} dropped a frame: ${reason}`));
          sensors.push(sensor);
        } else {
          const host = await RulesClient.open(options);
          const counts = new Map<string, number>();
          host.on('label', ({ frameId }) =>
            counts.set(toHex(frameId), (counts.get(toHex(frameId)) ?? 0) + 1),
          );
          host.on('gap', ({ missed }) => troubles.push(`${keys.name} missed ${missed}`));
          host.on('telemetry', (event) => (telemetry = event));
          hosts.push(host);
          acted.push(counts);
        }
      }
      await Promise.all([...sensors, ...hosts].map((client) => client.ready(30_000)));
    }, 120_000);
    afterAll(async () => {
      for (const client of [...sensors, ...hosts]) await client.close();
      await device.close();
    }, 60_000);

    test('every frame of every sensor is acted on once by every host', async () => {
      const ids: string[] = [];
      const began = performance.now();
      for (let round = 0; round < SOME.rounds; round++) {
        for (const sensor of sensors) ids.push(toHex(sensor.sendFrame(frameOf(round, 2, 3, 4))));
        // A camera waits for its next picture, too.
        await until(() => acted.every((counts) => counts.size >= ids.length), `round ${round}`, 60_000);
      }
      const seconds = (performance.now() - began) / 1000;
      await Promise.all(sensors.map((sensor) => sensor.idle(20_000)));
      const counted = acted.map((counts) => ids.map((id) => counts.get(id) ?? 0));
      expect(counted.flat().filter((count) => count !== 1)).toEqual([]);
      expect(acted.map(({ size }) => size)).toEqual(hosts.map(() => ids.length));
      expect(troubles).toEqual([]);

      const labels = telemetry?.counters.get('labels') ?? 0;
      await until(
        () => (telemetry?.counters.get('labels') ?? 0) >= ids.length,
        `telemetry of ${labels} labels`,
      );
      const memory = (name: string): number => telemetry?.memory.get(name) ?? NaN;
      const channel = bytesOfChannel();
      console.log(
        `a crowd of ${SOME.sensors}/${ALL.sensors} sensors and ${SOME.hosts}/${ALL.hosts} rules hosts: ${ids.length} frames, ` +
          `${ids.length * hosts.length} labels opened in ${seconds.toFixed(1)} s; the TA's heap ${memory('heap_peak')} of ` +
          `${memory('heap_size')} bytes at most, and ${channel} of its image for each channel`,
      );
      expect(channel).toBeGreaterThan(100);
      expect(channel).toBeLessThan(256);
      expect(memory('heap_peak')).toBeLessThan(memory('heap_size') / 2);
    }, 300_000);
  });
});
