import { InvalidArgumentError, type Command } from 'commander';
import type { InputShape } from '../../protocol/messages/input-shape.js';
import type { ResultsKind } from '../../protocol/messages/model-container.js';
import type { EngineTool, GraphLayers, Layer, Residency } from '../publisher/index.js';
import type { Target } from '../publisher/szg1.js';
import { numberOption } from './environment.js';

/** What is asked about how a model will run. */
export interface LayerFlags {
  /** Bytes of secure memory. */
  readonly budget?: number;
  readonly rate?: number;
  readonly layers?: boolean;
  readonly engine?: string;
}

/** What is known of a model, packed or not. */
export interface InspectedModel {
  /** SZG1, and the plaintext weights. */
  readonly graph: { readonly bytes: Uint8Array; readonly segments: readonly Uint8Array[] };
  readonly target: Target;
  readonly input: InputShape;
  readonly labels: readonly string[];
  readonly results: { readonly kind: ResultsKind; readonly most: number } | undefined;
  readonly arena: number;
  /** Bytes of the container's header and of all outputs. */
  readonly header: number;
  readonly outputs: number;
}

const UNITS: Readonly<Record<string, number>> = { '': 1, kib: 1024, mib: 1024 * 1024 };

/** Bytes, or a number of KiB or MiB. */
export const sizeOption = (text: string): number => {
  const match = /^(\d+(?:\.\d+)?) ?(|KiB|MiB)$/i.exec(text);
  const bytes = Number(match?.[1]) * (UNITS[match?.[2]?.toLowerCase() ?? 'no'] ?? NaN);
  if (!Number.isFinite(bytes) || bytes < 1) throw new InvalidArgumentError('a size: 8MiB, 7168KiB or bytes');
  return Math.floor(bytes);
};

export const withLayerFlags = (command: Command): Command =>
  command
    .option(
      '--budget <size>',
      "secure memory of the TA, 8MiB by OP-TEE's port for the Raspberry Pi 3: shows which weights it would keep",
      sizeOption,
    )
    .option(
      '--rate <number>',
      "times at so many billion multiply-accumulates a second, as measured on the device (default: measured here, with this machine's kernels)",
      numberOption('--rate', 0.001, 100_000),
    )
    .option(
      '--engine <program>',
      "the engine that is timed (default: SMART_ZONE_ENGINE, or the repository's build)",
    )
    .option('--no-layers', 'without the list of operators');

export interface LayerTimes {
  /** Where the times come from. */
  readonly source: 'measured' | 'rate' | 'none';
  /** The same in words. */
  readonly how: string;
  /** Milliseconds of each operator. */
  readonly ms: readonly number[];
}

export interface Outlook {
  readonly layers: readonly (Layer & { readonly ms?: number })[];
  /** Bytes of secure heap: with all weights streamed, with all resident. */
  readonly memory: { readonly least: number; readonly whole: number };
  readonly time: { readonly source: LayerTimes['source']; readonly how: string; readonly ms?: number };
  readonly budget?: { readonly secure: number; readonly residency: Residency | null };
}

/** How a model will run: operator by operator, in a given memory. */
export async function outlookOf(model: InspectedModel, flags: LayerFlags): Promise<Outlook> {
  const { memoryOf, readLayers, residencyWithin } = await import('../publisher/index.js');
  const graph = readLayers(model.graph.bytes);
  const times = flags.layers === false ? NO_TIMES : await timesOf(model, graph, flags);
  const { budget } = flags;
  const total = times.ms.reduce((a, b) => a + b, 0);
  return {
    layers: graph.layers.map((layer, i) => {
      const ms = times.ms[i];
      return ms === undefined ? layer : { ...layer, ms };
    }),
    memory: memoryOf({ ...model, graph }),
    time: { source: times.source, how: times.how, ...(times.source !== 'none' && { ms: total }) },
    ...(budget !== undefined && {
      budget: { secure: budget, residency: residencyWithin({ ...model, graph }, budget) ?? null },
    }),
  };
}

const NO_TIMES: LayerTimes = { source: 'none', how: '', ms: [] };

const timesOf = async (
  model: InspectedModel,
  { layers }: GraphLayers,
  { rate, engine: path }: LayerFlags,
): Promise<LayerTimes> => {
  if (rate !== undefined)
    return {
      source: 'rate',
      how: `at ${rate} billion multiply-accumulates a second; operators without any are left out`,
      ms: layers.map(({ macs }) => macs / (rate * 1e6)),
    };
  const { EngineTool: Engine, noiseFrame } = await import('../publisher/index.js');
  let engine: EngineTool;
  try {
    engine = Engine.find(path);
  } catch (error) {
    return { source: 'none', how: (error as Error).message, ms: [] };
  }
  const here = engine.target();
  if (model.target !== 'ref' && model.target !== here)
    return {
      source: 'none',
      how: `packed for ${model.target}, this machine runs ${here}: give --rate, as measured on the device`,
      ms: [],
    };
  const frame = noiseFrame(model.input);
  return {
    source: 'measured',
    how: `measured on this machine, with the kernels of ${model.target}, all weights in memory`,
    ms: await engine.operatorTimes(model.graph, model.input.format, frame),
  };
};

const kib = (bytes: number): string => `${Math.ceil(bytes / 1024).toLocaleString('en')} KiB`;

export function outlookLines(model: InspectedModel, outlook: Outlook): string[] {
  const { budget, memory, time } = outlook;
  return [
    `results  ${resultsText(model)}`,
    ...(model.labels.length === 0 ? [] : [`labels   ${labelsText(model.labels)}`]),
    `secure   ${kib(memory.least)} of secure heap at least, ${kib(memory.whole)} with all weights in it`,
    ...(budget === undefined ? [] : [`budget   ${residencyText(budget, outlook.layers.length)}`]),
    ...(time.how === ''
      ? []
      : [`time     ${time.ms === undefined ? 'not known' : `${time.ms.toFixed(2)} ms`}, ${time.how}`]),
  ];
}

const resultsText = ({ results }: InspectedModel): string => {
  if (results === undefined) return 'not known: give pack a preset';
  const { kind, most } = results;
  switch (kind) {
    case 1:
      return `the ${most} best classes: number, name, score`;
    case 2:
      return `at most ${most} detections: number, name, score, box (x, y, width, height, in fractions of the picture)`;
    case 3:
      return 'the mean squared error of the reconstruction';
    case 4:
      return `the output tensor, ${most} bytes`;
  }
};

const SHOWN_LABELS = 24;

const labelsText = (labels: readonly string[]): string => {
  const rest = labels.length - SHOWN_LABELS;
  return labels.slice(0, SHOWN_LABELS).join(', ') + (rest > 0 ? ` and ${rest} more` : '');
};

const residencyText = ({ secure, residency }: NonNullable<Outlook['budget']>, operators: number): string => {
  if (residency === null)
    return `${kib(secure)} are too few, even with all weights streamed: see --patches, or a larger budget`;
  const { segments, resident, streamed, window } = residency;
  if (streamed === 0)
    return `${kib(secure)}: all weights stay in memory (${kib(resident)}, ${operators} operators)`;
  return `${kib(secure)}: ${segments} segments stay in memory (${kib(resident)}), ${kib(streamed)} are streamed for every frame through a window of ${kib(window)}`;
};

/** A table of operators: in which order, from what to what, with how much work. */
export function layerLines({ layers, time }: Outlook): string[] {
  const size = (dims: readonly number[]): string => dims.join('x');
  const rows = layers.map(({ name, type, input, output, macs, weights, inBands, ms }, i) => [
    `${name}${inBands ? ' rows' : ''}`,
    type,
    `${size(input)} → ${size(output)}`,
    (macs / 1e6).toFixed(2),
    (weights / 1024).toFixed(1),
    // Operators in rows run together: the first has the time of all.
    ms === undefined || (inBands && i > 0 && time.source === 'measured') ? '' : ms.toFixed(3),
  ]);
  const head = ['operator', 'type', 'shape', 'MMAC', 'KiB', 'ms'];
  const widths = head.map((title, k) => Math.max(title.length, ...rows.map((row) => row[k]?.length ?? 0)));
  return [head, ...rows].map((row) =>
    row
      .map((cell, k) => (k < 3 ? cell.padEnd(widths[k] ?? 0) : cell.padStart(widths[k] ?? 0)))
      .join('  ')
      .trimEnd(),
  );
}
