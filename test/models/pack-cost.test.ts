/** What importing and packing cost: the command as a process. Memory is asserted, time is reported. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { ARCHITECTURES } from '../../bench/nets/architectures.js';
import { floatOnnx } from '../../bench/peers/onnx.js';
import { generateKeys, writeKeyFile } from '../../clients/keys/index.js';
import { EngineTool } from '../../clients/publisher/index.js';
import { shared } from './shared.js';

const MOST_MEGABYTES = 500;
const execute = promisify(execFile);
/** Writes what the process has used when it ends. Not getrusage()'s maximum: that one begins with what the parent had. */
const REPORT =
  "import { readFileSync, writeFileSync } from 'node:fs';" +
  "const highWater = () => Number(/^VmHWM:\\s+(\\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))[1]);" +
  "process.on('exit', () => writeFileSync(process.env.USAGE, JSON.stringify({ kib: highWater(), cpu: process.cpuUsage() })));";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'smart-zone-cost-'));
  writeKeyFile(join(folder, 'publisher.key.json'), generateKeys('publisher', 'tester'));
  writeFileSync(join(folder, 'mobilenet-v2.onnx'), floatOnnx(ARCHITECTURES['mobilenet-v2']()));
});
afterAll(() => rmSync(folder, { recursive: true }));

const models = [
  resolve('node_modules/@mediapipe/objectron/objectron_solution_packed_assets.data'),
  ...['mobilenet_v2_1.0_224_quant.tflite', 'tf2_mobilenet_v2_1.0_224_ptq.tflite'].map((name) =>
    join(shared, 'models', name),
  ),
  // Written when the tests begin: float32, the bench's weights.
  'mobilenet-v2.onnx',
];

test.each(models)(
  '%s',
  async (file) => {
    if (!existsSync(resolve(folder, file))) {
      console.warn(`skipped: ${file} is missing (SMART_ZONE_SHARED)`);
      return;
    }
    const usage = join(folder, 'usage.json');
    const start = Date.now();
    const name = String(models.indexOf(file));
    await execute(
      process.execPath,
      [
        '--import',
        `data:text/javascript,${encodeURIComponent(REPORT)}`,
        resolve('dist/clients/cli/main.js'),
        ...['model', 'pack', file, '--name', name, '--target', EngineTool.find().target()],
      ],
      { cwd: folder, env: { ...process.env, SMART_ZONE_HOME: folder, USAGE: usage } },
    );
    const seconds = (Date.now() - start) / 1000;
    const { kib, cpu } = JSON.parse(readFileSync(usage, 'utf8')) as { kib: number; cpu: NodeJS.CpuUsage };
    const megabytes = kib / 1024;
    process.stdout.write(
      `pack ${file.split('/').at(-1)}: ${seconds.toFixed(2)} s, ${(cpu.user / 1e6).toFixed(2)} s of processor time, ${megabytes.toFixed(0)} MB at most\n`,
    );
    expect(existsSync(join(folder, `${name}.szm`))).toBe(true);
    expect(megabytes).toBeLessThan(MOST_MEGABYTES);
  },
  30_000,
);
