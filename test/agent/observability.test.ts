import { HealthServer } from '../../agent/health.js';
import { Log } from '../../agent/log.js';
import { Counters } from '../../agent/telemetry.js';
import { decodeStrict } from '../../protocol/cbor.js';

describe('Log', () => {
  const capture = (journal: boolean) => {
    const lines: string[] = [];
    return { lines, log: new Log({ journal, write: (line) => lines.push(line), now: () => 0 }) };
  };

  test('writes JSON lines', () => {
    const { lines, log } = capture(false);
    log.warn('a "quoted"\nmessage', { code: 'BAD_TAG', bytes: 3 });
    expect(lines).toHaveLength(1);
    expect(lines[0]?.endsWith('\n')).toBe(true);
    expect(lines[0]?.trimEnd()).not.toContain('\n');
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      time: '1970-01-01T00:00:00.000Z',
      level: 'warn',
      message: 'a "quoted"\nmessage',
      code: 'BAD_TAG',
      bytes: 3,
    });
  });

  test('puts the syslog severity first for the journal', () => {
    const { lines, log } = capture(true);
    log.error('e');
    log.warn('w');
    log.info('i');
    log.debug('not at this level');
    log.level = 'debug';
    log.debug('d');
    expect(lines.map((line) => line.slice(0, 4))).toEqual(['<3>{', '<4>{', '<6>{', '<7>{']);
  });
});

test('counters encode as the map that the TA takes', () => {
  const counters = new Counters();
  counters.add('frames_received', 3);
  counters.lost('NO_CHANNEL');
  counters.stage('tee', 1.5);
  counters.stage('tee', 2.5);
  const map = decodeStrict(counters.encode());
  expect(map).toEqual(
    new Map<string, number>([
      ['tee_count', 2],
      ['tee_us_max', 2500],
      ['frames_lost', 1],
      ['tee_us_total', 4000],
      ['frames_received', 3],
      ['frames_lost_no_channel', 1],
    ]),
  );
});

test('more counters than the TA takes: those by code give way', () => {
  const counters = new Counters();
  for (let i = 0; i < 200; i += 1) counters.lost(`SOME_LONG_CODE_${i}`);
  counters.add('frames_received', 1);
  const encoded = counters.encode();
  expect(encoded.length).toBeLessThanOrEqual(2048);
  expect(encoded.length).toBeGreaterThan(1900);
  const map = decodeStrict(encoded) as ReadonlyMap<string, number>;
  expect(map.get('frames_received')).toBe(1);
  expect(map.get('frames_lost')).toBe(200);
});

describe('HealthServer', () => {
  let ready = false;
  const counters = new Counters();
  let server: HealthServer;
  beforeAll(async () => {
    counters.add('frames_received', 7);
    counters.lost('overload');
    counters.stage('tee', 20);
    server = await HealthServer.create(0, () => ({
      ready,
      reason: 'the TA is not set up',
      gauges: { queue_length: 2 },
      counters,
    }));
  });
  afterAll(() => server.stop());
  const get = async (path: string, method = 'GET') => {
    const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
    return { status: response.status, body: await response.text() };
  };

  test('tells alive from ready', async () => {
    expect(await get('/livez')).toEqual({ status: 200, body: 'ok\n' });
    expect(await get('/readyz')).toEqual({ status: 503, body: 'the TA is not set up\n' });
    ready = true;
    expect(await get('/readyz')).toEqual({ status: 200, body: 'ok\n' });
    expect((await get('/elsewhere')).status).toBe(404);
    expect((await get('/livez', 'POST')).status).toBe(405);
  });

  test('gives metrics in OpenMetrics form', async () => {
    const { body } = await get('/metrics');
    const lines = body.split('\n');
    expect(lines).toContain('smart_zone_queue_length 2');
    expect(lines).toContain('smart_zone_frames_received_total 7');
    expect(lines).toContain('smart_zone_frames_lost_by_code_total{code="overload"} 1');
    expect(lines).toContain('smart_zone_stage_seconds_sum{stage="tee"} 0.02');
    expect(body.endsWith('# EOF\n')).toBe(true);
    const types = lines.filter((line) => line.startsWith('# TYPE')).map((line) => line.split(' ')[2]);
    expect(new Set(types).size).toBe(types.length);
  });
});
