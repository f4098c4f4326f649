import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import { Option, type Command } from 'commander';
import { writeFileAtomic } from '../keys/index.js';
import { parseContentKey } from '../publisher/push/package-file.js';
import type { NetworkReport, PlanOverTime } from '../publisher/index.js';
import type { Target } from '../publisher/szg1.js';
import { numberOption } from './environment.js';
import { UsageError } from './exit-codes.js';
import {
  layerLines,
  outlookLines,
  outlookOf,
  withLayerFlags,
  type InspectedModel,
  type LayerFlags,
} from './model-layers.js';
import { printable, type Output } from './output.js';

/** What decides about a model's plan of memory. */
export interface PlanFlags {
  readonly target?: Target;
  readonly patches?: boolean;
  readonly arena?: number;
  readonly plan?: string;
  readonly contentKey?: string;
  readonly weights?: string;
}

/** The largest arena that a graph can name. */
const MOST_ARENA = 2 ** 31;

export function withPlanFlags(command: Command): Command {
  return command
    .addOption(
      new Option(
        '--target <name>',
        "whose kernels to pack for: the device's own is in its hello (smart-zone status); ref runs everywhere, slowly",
      )
        .choices(['ref', 'neon', 'neon-dot', 'x86'])
        .default('ref'),
    )
    .option('--patches', 'run the front of the network in bands of rows: the least memory for activations')
    .addOption(
      new Option('--arena <bytes>', 'run it so only as far as needed for activations to fit into this')
        .argParser(numberOption('--arena', 1, MOST_ARENA))
        .conflicts('patches'),
    );
}

export const withWeightsFlag = (command: Command): Command =>
  command.option(
    '--weights <file>',
    'the .weights of a Darknet .cfg (default: beside it, under the same name)',
  );

/** The importer's and the packer's option for the flags; 0: the least. */
export function arenaOf({ patches, arena, target }: PlanFlags): { arena?: number } {
  if (patches !== true && arena === undefined) return {};
  if (target === undefined || target === 'ref')
    throw new UsageError('--patches and --arena need --target with the kernels of the device');
  return { arena: arena ?? 0 };
}

/** Flags of `model inspect`. */
export const withInspectFlags = (command: Command): Command =>
  withWeightsFlag(withLayerFlags(withPlanFlags(command)));

type InspectFlags = PlanFlags & LayerFlags;

export async function inspectModel(output: Output, file: string, flags: InspectFlags): Promise<void> {
  const { isModelFile, readModelFile } = await import('../publisher/index.js');
  const bytes = Buffer.from(readModelFile(file));
  const inspect = isModelFile(bytes, file) ? inspectUnpacked : inspectPackage;
  await inspect(output, bytes, file, flags);
}

async function inspectUnpacked(
  output: Output,
  bytes: Buffer,
  file: string,
  flags: InspectFlags,
): Promise<void> {
  const { filesBeside, importModel, preview, reportOf, simplify } = await import('../publisher/index.js');
  const { target = 'ref' } = flags;
  const options = { target, ...arenaOf(flags) };
  const network = simplify(importModel(bytes, file, filesBeside(file, flags.weights)));
  const packed = preview(network, options);
  const report = reportOf(network, options, packed);
  const model: InspectedModel = { ...packed, target, arena: report.arena };
  const outlook = await outlookOf(model, flags);
  const drawn = await draw(report.plan, file, flags.plan);
  output.result({ ...report, labels: model.labels, results: model.results, ...outlook }, [
    ...reportLines(report),
    ...(await planLines(report.plan)),
    ...outlookLines(model, outlook),
    ...drawn,
    ...listed(outlook, flags),
  ]);
}

const listed = (outlook: Awaited<ReturnType<typeof outlookOf>>, { layers }: LayerFlags): string[] =>
  layers === false ? [] : ['', ...layerLines(outlook)];

export function reportLines(report: NetworkReport): string[] {
  const { frame, outputs, operators, macs, weights, arena, unplanned } = report;
  return [
    `takes    ${frame.format} ${frame.dims.join('x')}`,
    `gives    ${outputs.map(({ name, dtype, dims }) => `${printable(name)} ${dtype} ${dims.join('x')}`).join(', ')}`,
    `does     ${Object.entries(operators)
      .map(([operator, count]) => `${count} ${operator}`)
      .join(', ')}`,
    `costs    ${(macs / 1e6).toFixed(1)} million multiply-accumulates`,
    `needs    ${kib(weights)} for weights, ${kib(arena)} for activations (${kib(unplanned)} without a plan)`,
  ];
}

async function planLines(plan: PlanOverTime): Promise<string[]> {
  const { summaryOf } = await import('../publisher/index.js');
  return [
    `plan     ${summaryOf(plan)}`,
    ...(plan.bands === 0 ? [] : [`bands    the first ${plan.bands} operators run together, row by row`]),
  ];
}

async function draw(plan: PlanOverTime, file: string, svg: string | undefined): Promise<string[]> {
  if (svg === undefined) return [];
  const { drawPlan } = await import('../publisher/index.js');
  writeFileAtomic(svg, drawPlan(plan, printable(basename(file))), true, 0o644);
  return [`picture  ${svg}`];
}

async function inspectPackage(
  output: Output,
  bytes: Buffer,
  file: string,
  flags: InspectFlags,
): Promise<void> {
  const { readPackage, openPackage, readPlan } = await import('../publisher/index.js');
  const content = readPackage(bytes);
  const { manifest, digest, signer, segments } = content;
  const size = segments.reduce((sum, segment) => sum + segment.length, 0);
  const opened =
    flags.contentKey === undefined ? undefined : openPackage(content, readContentKey(flags.contentKey));
  const header = opened?.header;
  if ((flags.plan !== undefined || flags.budget !== undefined) && header === undefined)
    throw new UsageError('--plan and --budget: what is in a package is sealed, give --content-key');
  const plan = header && readPlan(header.graph);
  const inside =
    header === undefined ? {} : { name: header.name, input: header.input, labels: header.labels, plan };
  const model: InspectedModel | undefined = opened && {
    graph: { bytes: opened.header.graph, segments: opened.weights },
    target: manifest.target,
    input: opened.header.input,
    labels: opened.header.labels,
    results: opened.header.results,
    arena: plan?.arena ?? 0,
    header: segments[0]?.length ?? 0,
    outputs: opened.golden.outputs.reduce((sum, { length }) => sum + length, 0),
  };
  const outlook = model && (await outlookOf(model, flags));
  const lines = [
    `sequence ${manifest.sequence}, for ${printable(manifest.target)}, ${kib(manifest.memory)} of secure heap`,
    `digest   ${Buffer.from(digest).toString('hex')}`,
    `signer   ${Buffer.from(signer).toString('hex')}`,
    `size     ${kib(size)} in ${segments.length} segments`,
    ...(header === undefined
      ? []
      : [`inside   ${printable(header.name)}, takes ${header.input.format} ${header.input.dims.join('x')}`]),
    ...(plan === undefined ? [] : [...(await planLines(plan)), ...(await draw(plan, file, flags.plan))]),
    ...(model && outlook ? [...outlookLines(model, outlook), ...listed(outlook, flags)] : []),
  ];
  output.result(
    { manifest, digest, signer, segments: segments.length, bytes: size, ...inside, ...outlook },
    lines,
  );
}

export function readContentKey(file: string): Uint8Array {
  return parseContentKey(readFileSync(file, 'utf8'), file);
}

export function kib(bytes: number): string {
  return `${Math.ceil(bytes / 1024).toLocaleString('en')} KiB`;
}
