import { Command, InvalidArgumentError } from 'commander';
import { mkdirSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { Target } from '../clients/publisher/szg1.js';
import { lastCore, type Context, type Suite } from './context.js';
import { buildNet, type BenchNet } from './model-files.js';
import { ARCHITECTURE_NAMES, type Architecture } from './nets/architectures.js';
import { ROOT, SCRATCH } from './paths.js';
import { runTool } from './peers/run-tool.js';
import { table, type Figure } from './report.js';
import { endToEndSuite, energySuite } from './suites/e2e.js';
import { engineSuite } from './suites/engine.js';
import { insnSuite } from './suites/insn.js';
import { memorySuite } from './suites/memory.js';
import { naiveSuite } from './suites/naive.js';
import { pushSuite } from './suites/push.js';
import { rulesSuite } from './suites/rules.js';
import { teeSuite } from './suites/tee.js';
import { zoneSuite } from './suites/zone.js';

const SUITES = {
  engine: engineSuite,
  tee: teeSuite,
  memory: memorySuite,
  insn: insnSuite,
  naive: naiveSuite,
  energy: energySuite,
  e2e: endToEndSuite,
  rules: rulesSuite,
  push: pushSuite,
  zone: zoneSuite,
} as const satisfies Record<string, Suite>;
type SuiteName = keyof typeof SUITES;

const list =
  <T extends string>(known: readonly T[]) =>
  (text: string): T[] =>
    text.split(',').flatMap((part) => {
      const found = known.filter((name) => name === part || name.startsWith(part));
      if (found.length === 0) throw new InvalidArgumentError(`"${part}" is none of ${known.join(', ')}`);
      return found.some((name) => name === part) ? found.filter((name) => name === part) : found;
    });

const options = new Command('npm run bench --')
  .description(
    'Measures this library, its TA and the whole path on this machine, and what people run instead.',
  )
  .option('--suite <names>', Object.keys(SUITES).join(', '), list(Object.keys(SUITES) as SuiteName[]))
  .option('--model <names>', `${ARCHITECTURE_NAMES.join(', ')}; or how they begin`, list(ARCHITECTURE_NAMES))
  .option('--dtype <names>', 'float32, int8', list(['float32', 'int8']))
  .option('--target <name>', 'whose kernels weights are packed for', 'x86')
  .option('--json', 'one JSON object per line')
  .option('--quick', 'fewer runs: rough figures, to see that everything works')
  .parse()
  .opts<{
    suite?: SuiteName[];
    model?: Architecture[];
    dtype?: ('float32' | 'int8')[];
    target: string;
    json?: boolean;
    quick?: boolean;
  }>();

const figures: Figure[] = [];
const say = (text: string): void => {
  if (options.json) console.error(text);
  else console.log(text);
};

mkdirSync(SCRATCH, { recursive: true });
runTool(['make', '-s', '-C', join(ROOT, 'ta/test'), '-f', '../../bench/native/engine.mk', 'bench-workers']);

const nets = new Map<Architecture, Promise<BenchNet>>();
const context: Context = {
  architectures: options.model ?? ARCHITECTURE_NAMES,
  precisions: options.dtype ?? ['float32', 'int8'],
  target: options.target in Target ? (options.target as Target) : 'ref',
  quick: options.quick ?? false,
  core: lastCore(),
  net: (name) => {
    const net = nets.get(name) ?? buildNet(name);
    nets.set(name, net);
    return net;
  },
  add: (figure) => {
    figures.push(figure);
    if (options.json) console.log(JSON.stringify(figure));
  },
  note: say,
};

say(`${cpus()[0]?.model ?? 'unknown processor'}, ${cpus().length} processors, Node ${process.version}`);
for (const name of options.suite ?? (Object.keys(SUITES) as SuiteName[])) {
  say(`\n${name}`);
  figures.length = 0;
  await SUITES[name](context);
  if (!options.json) console.log(table(figures));
}
