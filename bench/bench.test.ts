import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const installed = existsSync(`${root}build/bench/xnnpack/version`) && existsSync(`${root}bench/node_modules`);
/** The peers come over the network: not something that every run of the tests should do. */
const willRun = process.env['CI'] !== undefined || installed;
if (!willRun) console.warn('bench: not tested, since its peers are not installed: run npm run bench once');

(willRun ? test : test.skip)(
  'one command measures this library and both peers on the same network',
  async () => {
    const parameters = ['--suite', 'engine', '--model', 'squeezenet', '--dtype', 'int8', '--quick', '--json'];
    const { stdout } = await promisify(execFile)(process.execPath, ['dist/bench/main.js', ...parameters], {
      cwd: root,
    });
    const figures = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(figures.map(({ engine }) => engine)).toEqual(['smart-zone', 'onnxruntime-node', 'xnnpack']);
    for (const figure of figures) {
      expect(figure).toMatchObject({ suite: 'engine', model: 'squeezenet-1.1', dtype: 'int8', unit: 'ms' });
      expect(figure['median']).toBeGreaterThanOrEqual(figure['min'] as number);
    }
    expect(figures[0]?.['ratio_to_best_peer']).toBeGreaterThan(0);
  },
  300_000,
);
