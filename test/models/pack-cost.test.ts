/** What importing and packing cost: the command as a process. Memory is asserted, time is reported. */
import { execFile } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { ARCHITECTURES } from '../../bench/nets/architectures.js';
import { floatOnnx } from '../../bench/peers/onnx.js';
import { generateKeys, writeKeyFile } from '../../clients/keys/index.js';
import { EngineTool, noiseFrame } from '../../clients/publisher/index.js';
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

/** Packs in a process, and says what that took. @returns MB, the most at any time */
const packed = async (file: string, name: string, what: string, ...flags: string[]): Promise<number> => {
  const usage = join(folder, 'usage.json');
  const start = Date.now();
  await execute(
    process.execPath,
    [
      '--import',
      `data:text/javascript,${encodeURIComponent(REPORT)}`,
      resolve('dist/clients/cli/main.js'),
      ...['model', 'pack', file, '--name', name, '--target', EngineTool.find().target(), ...flags],
    ],
    { cwd: folder, env: { ...process.env, SMART_ZONE_HOME: folder, USAGE: usage } },
  );
  const seconds = (Date.now() - start) / 1000;
  const { kib, cpu } = JSON.parse(readFileSync(usage, 'utf8')) as { kib: number; cpu: NodeJS.CpuUsage };
  process.stdout.write(
    `${what} ${file.split('/').at(-1)}: ${seconds.toFixed(2)} s, ${(cpu.user / 1e6).toFixed(2)} s of processor time, ${(kib / 1024).toFixed(0)} MB at most\n`,
  );
  return kib / 1024;
};

test.each(models)('%s', async (file) => {
  if (!existsSync(resolve(folder, file))) {
    console.warn(`skipped: ${file} is missing (SMART_ZONE_SHARED)`);
    return;
  }
  const name = String(models.indexOf(file));
  const megabytes = await packed(file, name, 'pack');
  expect(existsSync(join(folder, `${name}.szm`))).toBe(true);
  expect(megabytes).toBeLessThan(MOST_MEGABYTES);
});

/** float32, which is the slow half of it, on as many pictures as the engine needs to know a network's ranges well. */
test('quantising MobileNetV2 with 100 pictures', async () => {
  const pictures = join(folder, 'pictures');
  mkdirSync(pictures);
  for (let i = 0; i < 100; i++)
    writeFileSync(join(pictures, `${i}.bin`), noiseFrame({ format: 'u8', dims: [224, 224, 3] }, i + 1));
  const megabytes = await packed('mobilenet-v2.onnx', 'int8', 'quantise', '--quantise', pictures);
  expect(existsSync(join(folder, 'int8.szm'))).toBe(true);
  expect(megabytes).toBeLessThan(MOST_MEGABYTES);
});
