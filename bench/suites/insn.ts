import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import type { Context } from '../context.js';
import { engineModel, type BenchNet, type Precision } from '../model-files.js';
import type { Architecture } from '../nets/architectures.js';
import { ROOT, SCRATCH, SHARED } from '../paths.js';
import { runTool, ToolError } from '../peers/run-tool.js';

/** Packing targets of the two builds: Cortex-A53 and A72, and A76 with its dot product. */
const TARGETS = ['neon', 'neon-dot'] as const;

/** Millions of instructions that the best peer of each executes, as the same plugin counted them (the generic build's kernels). */
const BEST_PEER: Record<Precision, Partial<Record<Architecture, number>>> = {
  float32: { 'mobilenet-v1': 173.2, 'mobilenet-v2': 101.6, 'squeezenet-1.1': 76.3 },
  int8: { 'mobilenet-v1': 166.1, 'mobilenet-v2': 110.2, 'squeezenet-1.1': 76.4 },
};

const QEMU_ADVICE =
  'The suite insn needs an aarch64 compiler and emulator: sudo apt-get install gcc-aarch64-linux-gnu libc6-dev-arm64-cross qemu-user';

/** Executed aarch64 instructions of a warm inference by class, under qemu-user. */
export const insnSuite = async (context: Context): Promise<void> => {
  const plugin = buildPlugin();
  runTool(
    ['make', '-s', '-C', join(ROOT, 'ta/test'), '-f', '../../bench/native/engine.mk', 'bench-aarch64'],
    {
      advice: QEMU_ADVICE,
    },
  );
  context.note(
    'millions of instructions; ratio: against the best peer counted by the same plugin (without dot product)',
  );
  for (const name of context.architectures) {
    const net = await context.net(name);
    for (const precision of context.precisions)
      for (const target of TARGETS) addCounts(context, net, precision, target, plugin);
  }
};

/** @throws ToolError without the plugin's source */
const buildPlugin = (): string => {
  const source = join(SHARED, 'tools/insn-count/insn.c');
  if (!existsSync(source))
    throw new ToolError(
      `the counting plugin ${source} is not there: set SMART_ZONE_SHARED to the folder that has it`,
    );
  const plugin = join(SCRATCH, 'insn.so');
  runTool(['cc', '-O2', '-w', '-shared', '-fPIC', '-o', plugin, source]);
  return plugin;
};

const addCounts = (
  context: Context,
  net: BenchNet,
  precision: Precision,
  target: (typeof TARGETS)[number],
  plugin: string,
): void => {
  const { command } = engineModel(net, precision, target);
  const program = join(SCRATCH, `engine_worker_${target}`);
  const { stderr, status, error } = spawnSync(
    'qemu-aarch64',
    ['-plugin', plugin, '-d', 'plugin', program, ...command.slice(1)],
    { input: 'run 2\n', encoding: 'utf8' },
  );
  if (error || status !== 0) throw new ToolError(`${error?.message ?? stderr}\n${QEMU_ADVICE}`);
  // The marks: before and behind the first inference, before and behind the second.
  const [last] = stderr.split('\n').filter((line) => line.includes('mark3'));
  const counts = [...(last ?? '').matchAll(/(\w+)=([\d.]+)M/g)].map(
    ([, name, value]) => [name, Number(value)] as const,
  );
  if (counts.length === 0) throw new Error(`no counts from the plugin: ${stderr}`);
  const peer = target === 'neon' ? BEST_PEER[precision][net.name] : undefined;
  for (const [name, median] of counts)
    context.add({
      suite: 'insn',
      model: net.name,
      dtype: precision,
      engine: `smart-zone ${target}`,
      figure: name ?? '',
      unit: name === 'simd_load_MB' ? 'MB' : 'million',
      median,
      ...(name === 'all' && peer !== undefined && { ratio_to_best_peer: median / peer }),
    });
};
