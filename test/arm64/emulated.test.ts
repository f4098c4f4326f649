/**
 * The arm64 products under qemu-user (scripts/emulated-arm64.mjs): addon in an arm64 Node, its software TEE, the TA in it; beside
 * them the same of this machine. What an emulator cannot show: time, and a seccomp filter in force.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import path from 'node:path';
import { EngineTool, importTflite, noiseFrame, pack } from '../../clients/publisher/index.js';
import { BUFFER, Command } from '../../protocol/codes.js';
import { verifyEvidence } from '../../protocol/index.js';
import { labelsOf, type Labelled } from '../models/in-ta.js';
import { shared, sharedFile } from '../models/shared.js';
import { Client, root, SoftTee, testPrograms, type TeePrograms } from '../support/soft-tee.js';
import { DeviceUnderTest, expectOk, type TaCalls } from '../ta/device-under-test.js';
import type { TaReply } from '../ta/ta-host.js';

const own: TeePrograms = { ...testPrograms, ta: `${root}build/smart-zone-ta` };
const arm64: TeePrograms = {
  supervisor: `${root}build/arm64/smart-zone-tee`,
  ta: `${root}build/arm64/smart-zone-ta`,
  node: `${root}build/arm64/node`,
  products: `${root}build/native-arm64`,
};

/** The TA in a software TEE, called through the addon in a Node of the same architecture. */
class TaInSoftTee implements TaCalls {
  private constructor(
    readonly tee: SoftTee,
    readonly client: Client,
  ) {}

  static async open(programs: TeePrograms, ...options: string[]): Promise<TaInSoftTee> {
    const tee = await SoftTee.of(programs, ...options);
    return new TaInSoftTee(tee, await Client.open(tee, BUFFER.in + BUFFER.out));
  }

  async call(command: keyof typeof Command, input = new Uint8Array(0), a = 0): Promise<TaReply> {
    const { output, ...reply } = await this.client.invoke(Command[command], {
      input,
      a,
      outOffset: BUFFER.in,
      outLength: BUFFER.out,
    });
    return { ...reply, out: new Uint8Array(output) };
  }

  async stop(): Promise<void> {
    await this.client.kill();
    await this.tee.destroy();
  }
}

const onDevice = async <T>(
  programs: TeePrograms,
  options: readonly string[],
  use: (device: DeviceUnderTest<TaInSoftTee>) => Promise<T>,
): Promise<T> => {
  const device = new DeviceUnderTest(await TaInSoftTee.open(programs, ...options));
  try {
    return await use(device);
  } finally {
    await device.stop();
  }
};

test('the programs are arm64', () => {
  expect(execFileSync(arm64.node, ['-p', 'process.arch'], { encoding: 'utf8' }).trim()).toBe('arm64');
  for (const name of ['smart-zone-tee', 'smart-zone-ta', 'libteec-soft.so', 'smart_zone_tee.node'])
    expect(readFileSync(path.join(arm64.products, name)).readUInt16LE(18)).toBe(183); // ELF: EM_AARCH64
});

/** The sandbox's parts as the TA reports them in its evidence. */
const evidenceOf = async (device: DeviceUnderTest<TaInSoftTee>): Promise<string> => {
  const nonce = new Uint8Array(randomBytes(32));
  const { signingKey } = await device.hello();
  const { out } = expectOk(await device.ta.call('EVIDENCE', nonce));
  const sandbox = verifyEvidence(out, signingKey, nonce).items.get('sandbox');
  expect(sandbox).toMatchObject({ measured: true });
  return String(sandbox?.value);
};

describe('the sandbox says what is off', () => {
  const OFF = /process runs without: (.*)/;

  test.each([
    ['arm64 under an emulator', arm64, true],
    ['this machine', own, false],
  ])('%s', (_name, programs, emulated) =>
    onDevice(programs, [], async (device) => {
      const said = (await evidenceOf(device)).split(' ');
      const off = said.filter((name) => name.startsWith('-')).map((name) => name.slice(1));
      expect(off.includes('seccomp')).toBe(emulated);
      expect(OFF.exec(device.ta.tee.log)?.[1]?.split(' ') ?? []).toEqual(off);

      // What the kernel says of that process, whatever it believes itself.
      const status = readFileSync(`/proc/${device.ta.tee.taPid}/status`, 'utf8');
      const field = (name: string): string => new RegExp(`^${name}:\\s+(\\S+)`, 'm').exec(status)?.[1] ?? '';
      const is = (name: string): boolean => said.includes(name);
      expect(field('Seccomp')).toBe(is('seccomp') ? '2' : '0');
      expect(field('NoNewPrivs')).toBe(is('no-new-privs') ? '1' : '0');
      expect(field('Uid')).toBe(is('uid') ? '65534' : String(process.getuid?.()));
      expect(Number(field('VmLck')) > 0).toBe(is('mlock'));
      // Only root may look at where a process of another user lives.
      if (process.getuid?.() === 0) {
        const link = (name: string): string => readlinkSync(`/proc/${device.ta.tee.taPid}/${name}`);
        for (const [name, namespace] of [
          ['net-ns', 'ns/net'],
          ['ipc-ns', 'ns/ipc'],
          ['mount-ns', 'ns/mnt'],
        ] as const)
          expect(link(namespace) !== readlinkSync(`/proc/self/${namespace}`)).toBe(is(name));
        expect(link('root')).toBe(is('chroot') ? path.join(device.ta.tee.folder, 'empty') : '/');
      }
    }),
  );
});

const MODELS = [
  // Every value of the output; a mean error; and, for want of heap, weights that are streamed for each frame.
  ['kws_ref_model.tflite', 'vector', []],
  ['pretrainedResnet_quant.tflite', 'vector', []],
  ['ad01_int8.tflite', undefined, []],
  ['mobilenet_v1_0.25_128_quant.tflite', undefined, ['--heap-kib', '500']],
] as const;

const missing = MODELS.map(([file]) => path.join(shared, 'models', file)).filter((file) => !existsSync(file));
if (missing.length > 0) console.warn(`skipped: labels of both architectures: missing ${missing.join(', ')}`);

(missing.length > 0 ? describe.skip : describe)(
  'an int8 network has the same labels on arm64 and here',
  () => {
    const label = (
      programs: TeePrograms,
      file: string,
      engine: EngineTool,
      kind: 'vector' | undefined,
      options: readonly string[],
    ) =>
      onDevice(programs, options, async (device): Promise<Labelled> => {
        const model = await pack(importTflite(sharedFile(`models/${file}`), file), {
          name: file,
          target: engine.target(),
          golden: engine,
          ...(kind && { results: { kind } }),
        });
        const frames = [1, 2, 3].map((seed) => noiseFrame(model.header.input, seed));
        return labelsOf(device, model, frames);
      });

    test.each(MODELS)('%s', async (file, kind, options) => {
      const emulatedEngine = EngineTool.find(`${root}build/arm64/engine_run`);
      expect([emulatedEngine.target(), EngineTool.find().target()]).toEqual(['neon', 'x86']);
      const here = await label(own, file, EngineTool.find(), kind, options);
      const there = await label(arm64, file, emulatedEngine, kind, options);
      expect(there.results).toEqual(here.results);
      // Labels that say something: no two frames have the same.
      expect(new Set(here.results.map((results) => JSON.stringify(results))).size).toBe(3);
      expect(there.continues > 0).toBe(options.length > 0);
      expect(there.streamed > 0).toBe(options.length > 0);
    });
  },
);
