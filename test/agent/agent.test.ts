import type { Agent } from '../../agent/agent.js';
import type { Owner } from '../../clients/owner/index.js';
import type { LabelEvent, RulesClient } from '../../clients/rules/index.js';
import type { SensorClient } from '../../clients/sensor/index.js';
import { until } from '../support/party-fixture.js';
import { brokers } from './brokers.js';
import { DeviceFixture, frameOf, INPUTS, PREFIX } from './device-fixture.js';

for (const { name, protocol, start, run } of brokers)
  run(`Agent with ${name}`, () => {
    let device: DeviceFixture;
    let agent: Agent;
    let owner: Owner;
    let sensor: SensorClient;
    let rules: RulesClient;
    const labels: LabelEvent[] = [];
    const states: string[] = [];

    beforeAll(async () => {
      device = DeviceFixture.create(await start());
      const watcher = await device.link('watcher');
      await watcher.subscribe(`${PREFIX}/state`, ({ payload }) => {
        states.push((JSON.parse(Buffer.from(payload).toString()) as { state: string }).state);
      });
      agent = await device.agent();
      await agent.start();
    });
    afterAll(() => device.close());

    /**
     * Sends frames and waits for exactly their labels. After agent or broker were away the sensor may seal frames once more than
     * it turns out to be needed: such second labels (at most `repeats`) are dropped as doubles.
     */
    const labelled = async (count: number, repeats = 0): Promise<void> => {
      const before = labels.length;
      const { doubles } = rules.stats;
      for (let i = 0; i < count; i += 1) sensor.sendFrame(frameOf(i, 0, -i, 1));
      await until(() => labels.length >= before + count, `${count} labels`);
      await sensor.idle(5_000);
      expect(labels.length).toBe(before + count);
      expect(rules.stats.refused).toBe(0);
      expect(rules.stats.doubles).toBeGreaterThanOrEqual(doubles);
      expect(rules.stats.doubles).toBeLessThanOrEqual(doubles + repeats);
    };

    test('is claimed, and vouches for itself over a nonce', async () => {
      owner = await device.claim();
      const evidence = await owner.evidence(await device.link('asker'), 'test');
      expect(evidence.securityLevel).toBe(0);
    });

    test('installs a model that is left in its directory while it runs', async () => {
      await device.stageModel(owner);
      sensor = await device.openSensor();
      expect(await sensor.ready(10_000)).toEqual({ format: 'f32', dims: [INPUTS] });
    });

    test(`talks MQTT ${protocol}`, () => {
      expect(device.logLines.filter((line) => line.includes('connected to the broker')).at(-1)).toContain(
        `"mqtt":"${protocol}"`,
      );
    });

    test('turns sealed frames into sealed labels, and receipts them', async () => {
      rules = await device.openRules(labels);
      await labelled(20);
      expect(sensor.stats.receipted).toBe(20);
      expect(agent.counters.get('frames_lost')).toBe(0);
      expect(labels[3]?.results).toEqual({ kind: 'tensor', format: 'f32', data: frameOf(3, 0, -3, 1) });
    });

    test('runs again within two seconds of the death of its TEE process, and loses nothing', async () => {
      const { pid } = agent.tee;
      process.kill(pid ?? 0, 'SIGKILL');
      const start = Date.now();
      await until(
        () => agent.tee.pid !== undefined && agent.tee.pid !== pid && agent.isReady,
        'another process',
      );
      expect(Date.now() - start).toBeLessThan(2_000);
      await labelled(5);
      expect(agent.counters.get('frames_lost')).toBe(0);
    });

    test('runs again within two seconds of the death of the TA, which then has forgotten all channels', async () => {
      const offers = sensor.stats.offers;
      process.kill(device.taProcess(), 'SIGKILL');
      const start = Date.now();
      await until(() => sensor.stats.offers > offers, 'a new channel');
      expect(Date.now() - start).toBeLessThan(2_000);
      await labelled(5);
      expect(states).toContain('degraded');
      expect(states.at(-1)).toBe('online');
    });

    test('frames sent while the TA dies are labelled: the sensor seals them again', async () => {
      const before = labels.length;
      for (let i = 0; i < 30; i += 1) {
        sensor.sendFrame(frameOf(i, i, i, i));
        if (i === 10) process.kill(device.taProcess(), 'SIGKILL');
        await new Promise((resolve) => setTimeout(resolve, 5));
      }
      await until(() => labels.length >= before + 30, 'labels of all frames');
      await sensor.idle(5_000);
      expect(labels.length).toBe(before + 30);
    });

    test('a restarted agent finds the TA where it was, and works off what waited at the broker', async () => {
      const offers = sensor.stats.offers;
      const before = labels.length;
      await agent.stop();
      expect(states.at(-1)).toBe('offline');
      for (let i = 0; i < 5; i += 1) sensor.sendFrame(frameOf(i, 1, 2, 3));
      await until(() => sensor.stats.sent > 0, 'frames at the broker');
      agent = await device.agent();
      await agent.start();
      await until(() => labels.length >= before + 5, 'labels of frames that waited');
      await sensor.idle(5_000);
      expect(sensor.stats.offers).toBe(offers);
      await labelled(3, 8);
    });

    test('a broker that lost everything gets back what was retained', async () => {
      const { port } = device.broker;
      await device.broker.stop();
      device.broker = await start(port);
      // A broker that has forgotten its sessions keeps no label for a rules host that is not there yet.
      await until(() => agent.isReady && device.allConnected, 'all connected again');
      await owner.publishRoster(await device.link('owner-again'));
      await labelled(5, 5);
    });

    test('frames need nothing of the storage side: it may be frozen', async () => {
      const supervisor = device.teeSupervisor();
      process.kill(supervisor, 'SIGSTOP');
      try {
        await labelled(5);
      } finally {
        process.kill(supervisor, 'SIGCONT');
      }
    });

    test('a TA that hangs is given up at the deadline, and used again when it answers', async () => {
      await agent.stop();
      agent = await device.agent('tee.deadlineMs=400', 'tee.restartMaxMs=200');
      await agent.start();
      const ta = device.taProcess();
      const before = labels.length;
      process.kill(ta, 'SIGSTOP');
      sensor.sendFrame(frameOf(1, 2, 3, 4));
      await until(() => agent.tee.restarts > 0 && states.at(-1) === 'degraded', 'giving up');
      process.kill(ta, 'SIGCONT');
      await until(() => labels.length > before, 'the label of the frame that met a hanging TA');
      await labelled(3);
      await agent.stop();
    });

    test('opening the TEE may take longer than a call', async () => {
      const lines = device.logLines.length;
      agent = await device.agent('tee.deadlineMs=800');
      const ta = device.taProcess();
      process.kill(ta, 'SIGSTOP');
      const started = agent.start();
      await new Promise((resolve) => setTimeout(resolve, 1500));
      process.kill(ta, 'SIGCONT');
      await started;
      await until(() => agent.isReady, 'ready');
      expect(device.logLines.slice(lines).join('\n')).not.toContain('cannot open the TEE');
      await labelled(3);
      await agent.stop();
      agent = await device.agent();
      await agent.start();
    });

    test('drops the oldest frames when they come too fast, and says how many', async () => {
      const late = [...(await agent.reload(device.config('queue.depth=1', 'broker.keepaliveSeconds=31')))];
      expect(late).toEqual(['broker.keepaliveSeconds']);
      const before = labels.length;
      const received = agent.counters.get('frames_received');
      for (let i = 0; i < 200; i += 1) sensor.sendFrame(frameOf(i, 0, 0, 0));
      await sensor.idle(10_000);
      const frames = agent.counters.get('frames_received') - received;
      const dropped = agent.counters.get('frames_lost_overload');
      expect(dropped).toBeGreaterThan(0);
      await until(
        () => labels.length - before === frames - dropped,
        'a label for every frame that was not dropped',
      );
      await agent.reload(device.config());
    });

    test('sends sealed telemetry with its own counters in it', async () => {
      const telemetry = new Promise<ReadonlyMap<string, number>>((resolve) =>
        rules.once('telemetry', (record) => resolve(record.agent)),
      );
      await agent.reload(device.config('telemetry.intervalMs=50'));
      const counters = await telemetry;
      expect(counters.get('frames_received')).toBe(agent.counters.get('frames_received'));
      expect(counters.get('tee_count')).toBeGreaterThan(0);
      await agent.reload(device.config());
    });

    test('a model that the TA refuses leaves the running one running', async () => {
      const sequence = sensor.device?.hello.modelSequence;
      const failed = new Promise<string>((resolve, reject) => {
        device
          .link('status')
          .then((link) =>
            link.subscribe(`${PREFIX}/model/status`, ({ payload }) => {
              const { state, code } = JSON.parse(Buffer.from(payload).toString()) as Record<string, string>;
              if (state === 'failed') resolve(code ?? '');
            }),
          )
          .catch(reject);
      });
      await device.stageModel(owner, 1);
      expect(await failed).toBe('MODEL_SEQUENCE');
      await labelled(3);
      expect(sensor.device?.hello.modelSequence).toBe(sequence);
      await device.stageModel(owner, 2);
      await until(() => sensor.device?.hello.modelSequence === 2, 'the next model');
      await labelled(3);
    });

    test('the log has neither payloads nor labels', () => {
      expect(device.logLines.length).toBeGreaterThan(20);
      expect(device.logLines.filter((line) => line.length > 1_000)).toEqual([]);
    });
  });
