import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sanitiseName } from '../../agent/config-schema.js';
import {
  changedKeys,
  ConfigError,
  configKeys,
  isLiveKey,
  loadConfig,
  type ConfigSources,
} from '../../agent/config.js';

let folder: string;
beforeAll(() => (folder = mkdtempSync(join(tmpdir(), 'smart-zone-config-'))));
afterAll(() => rmSync(folder, { recursive: true }));

const file = (name: string, content: unknown): string => {
  const path = join(folder, name);
  writeFileSync(path, typeof content === 'string' ? content : JSON.stringify(content));
  return path;
};

const refusal = (sources: ConfigSources): ConfigError => {
  try {
    loadConfig(sources);
  } catch (error) {
    if (error instanceof ConfigError) return error;
    throw error;
  }
  throw new Error('the configuration was accepted');
};

describe('loadConfig', () => {
  test('files may be systemd credentials', () => {
    const ca = file('ca', 'x');
    const set = ['broker.tls.ca=credential:ca', 'broker.passwordFile=credential:ca'];
    const { broker } = loadConfig({ set, env: { CREDENTIALS_DIRECTORY: folder } });
    expect([broker.tls.ca, broker.passwordFile]).toEqual([ca, ca]);
    expect(refusal({ set }).message).toContain('LoadCredential');
    for (const name of ['', '..', '../ca', '/etc/passwd'])
      expect(
        refusal({ set: [`broker.tls.ca=credential:${name}`], env: { CREDENTIALS_DIRECTORY: folder } })
          .message,
      ).toContain('without slashes');
  });

  test('files give way to the environment, and that to --set', () => {
    const files = [
      file('a.json', { queue: { depth: 3 }, device: { name: 'porch' } }),
      file('b.json', { queue: { depth: 4 }, telemetry: { intervalMs: 0 } }),
    ];
    expect(loadConfig({ files }).queue.depth).toBe(4);
    expect(loadConfig({ files, env: { SMART_ZONE_QUEUE_DEPTH: '5' } }).queue.depth).toBe(5);
    const config = loadConfig({ files, env: { SMART_ZONE_QUEUE_DEPTH: '5' }, set: ['queue.depth=6'] });
    expect(config.queue.depth).toBe(6);
    expect(config.telemetry.intervalMs).toBe(0);
    expect(config.topics.prefix).toBe('smartzone/porch');
    expect(config.broker.clientId).toBe('smart-zone-porch');
  });

  test('the state directory of systemd is used', () => {
    const config = loadConfig({ env: { STATE_DIRECTORY: '/var/lib/smart-zone' } });
    expect(config.models.directory).toBe('/var/lib/smart-zone/models');
    expect(config.tee.storageDir).toBe('/var/lib/smart-zone/tee');
  });

  test.each<[string, ConfigSources | (() => ConfigSources)]>([
    ['queue.depth', { set: ['queue.depth=0'] }],
    ['queue.depth', { set: ['queue.depth=many'] }],
    ['queue.depth', { env: { SMART_ZONE_QUEUE_DEPTH: '1.5' } }],
    ['broker.url', { set: ['broker.url=http://host'] }],
    ['broker.url', { set: ['broker.url=mqtt://user:secret@host'] }],
    ['topics.prefix', { set: ['topics.prefix=a/#'] }],
    ['device.name', { set: ['device.name=a/b'] }],
    ['broker.tls.verify', { set: ['broker.tls.verify=false'] }],
    ['broker.tls.minVersion', { set: ['broker.tls.minVersion=TLSv1.1'] }],
    ['broker.tls.key', () => ({ set: [`broker.tls.cert=${file('cert.pem', 'x')}`] })],
    ['broker.tls.ca', { set: ['broker.tls.ca=/nowhere/ca.pem'] }],
    ['tee.uuid', { set: ['tee.uuid=1234'] }],
    ['broker.reconnectMaxMs', { set: ['broker.reconnectMaxMs=10'] }],
    ['queue.dept', { set: ['queue.dept=4'] }],
    ['queue', { set: ['queue=4'] }],
    ['constructor', { set: ['constructor=4'] }],
    ['queue.dept', () => ({ files: [file('typo.json', { queue: { dept: 4 } })] })],
  ])('names the key that is wrong: %s', (key, sources) => {
    expect(refusal(typeof sources === 'function' ? sources() : sources).key).toBe(key);
  });

  test('says what is wrong with a file', () => {
    expect(refusal({ files: [file('broken.json', '{"queue":')] }).message).toContain('broken.json');
    expect(refusal({ files: [file('list.json', [1])] }).message).toContain('one JSON object');
    expect(refusal({ files: ['/nowhere.json'] }).message).toContain('/nowhere.json');
  });

  test('errors do not repeat the value: it may be a secret', () => {
    expect(refusal({ set: ['broker.url=mqtt://user:hunter2@host'] }).message).not.toContain('hunter2');
  });

  test('a broker may go unverified in development only', () => {
    const config = loadConfig({ set: ['broker.tls.verify=false', 'development=true'] });
    expect(config.broker.tls.verify).toBe(false);
  });
});

test('every key is documented and has an environment variable of its own', () => {
  const variables = configKeys().map(({ env, doc }) => {
    expect(doc.length).toBeGreaterThan(10);
    expect(env).toMatch(/^SMART_ZONE_[A-Z_]+$/);
    return env;
  });
  expect(variables.length).toBeGreaterThan(25);
  expect(new Set(variables).size).toBe(variables.length);
});

test('changed keys are told apart by whether they need a restart', () => {
  const before = loadConfig();
  const after = loadConfig({ set: ['queue.depth=2', 'broker.url=mqtt://elsewhere', 'log.level=debug'] });
  const changed = changedKeys(before, after);
  expect(changed.sort()).toEqual(['broker.url', 'log.level', 'queue.depth']);
  expect(changed.filter((key) => !isLiveKey(key))).toEqual(['broker.url']);
});

test.each([
  ['Porch Camera.local', 'porch-camera-local'],
  ['+/#', 'device'],
  ['', 'device'],
  ['pi3', 'pi3'],
])('%j as a device name becomes %j', (name, sane) => expect(sanitiseName(name)).toBe(sane));

test('the shipped configurations are valid', () => {
  const root = new URL('../../config/', import.meta.url).pathname;
  expect(loadConfig({ files: [`${root}default.json`] })).toEqual(loadConfig());
  expect(loadConfig({ files: [`${root}example.json`] }).device.name).toBe('porch');
});
