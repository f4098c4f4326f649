import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { packageRoot } from '../../agent/package-root.js';

const run = (...args: string[]) =>
  spawnSync(process.execPath, [join(packageRoot(), 'dist/agent/main.js'), ...args], {
    encoding: 'utf8',
    env: { PATH: process.env['PATH'], HOME: '/nowhere' },
  });

test('a bad configuration ends the command with 78 and one line that names the key', () => {
  const { status, stderr } = run('--set', 'queue.depth=-1');
  expect(status).toBe(78);
  expect(stderr).toMatch(/^smart-zone-agent: queue\.depth: .*\n$/);
});

test('--check prints the configuration without the password', () => {
  const { status, stdout } = run('--check', '--set', 'broker.password=hunter2', '--set', 'device.name=porch');
  expect(status).toBe(0);
  expect(stdout).not.toContain('hunter2');
  const config = JSON.parse(stdout) as { topics: { prefix: string }; models: { directory: string } };
  expect(config.topics.prefix).toBe('smartzone/porch');
  expect(config.models.directory).toBe('/nowhere/.local/state/smart-zone/models');
});

test('--keys documents every key', () => {
  const { stdout } = run('--keys');
  expect(stdout).toContain('queue.depth (SMART_ZONE_QUEUE_DEPTH, default 16)');
});
