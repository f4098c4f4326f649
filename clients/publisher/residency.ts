import type { GraphLayers } from './layers.js';

/** What a TA keeps of a model in the memory it has; bytes. */
export interface Residency {
  /** Segments that stay in secure memory, and their bytes. */
  readonly segments: number;
  readonly resident: number;
  /** Bytes of weights that every frame streams; 0: all are resident. */
  readonly streamed: number;
  /** Room for what is streamed; 0 where nothing is. */
  readonly window: number;
}

export interface ModelMemory {
  readonly graph: GraphLayers;
  /** Bytes of activations; what a frame or the golden test needs is no more. */
  readonly arena: number;
  /** Bytes of the container's header, which the graph is a part of. */
  readonly header: number;
  /** Bytes of all outputs: the golden test compares with as many. */
  readonly outputs: number;
}

/** TA_DATA_SIZE_KIB is 7 MiB in the 8 MiB of OP-TEE's port for the Raspberry Pi 3: the rest is code, stack and page tables. */
const TA_WITHOUT_HEAP = 1024 * 1024;
/** The TA's own: keys, roster, channels (measured, test/models/streaming.test.ts). */
const TA_OWN = 68 * 1024;
/** As in pack.ts: the head's work buffer, tables, alignment. */
const OVERHEAD = 16 * 1024;
/** SZ_RESIDENCY_RESERVE in ta/models/residency.h. */
const RESERVE = 64 * 1024;
/** Alignment and the allocator's bookkeeping for each segment. */
const PER_SEGMENT = 80;

const roomFor = (bytes: number): number => Math.ceil(bytes / 64) * 64;

/** Bytes of secure heap for one model: with all weights streamed, and with all of them resident. */
export const memoryOf = ({
  graph,
  arena,
  header,
  outputs,
}: ModelMemory): { readonly least: number; readonly whole: number } => {
  const fixed = header + OVERHEAD + arena + outputs;
  const rooms = graph.segmentBytes.map(roomFor);
  return {
    least: fixed + windowOf(graph, rooms),
    whole: fixed + graph.segmentBytes.reduce((sum, bytes) => sum + bytes + PER_SEGMENT, 0),
  };
};

const windowOf = ({ steps }: GraphLayers, rooms: readonly number[]): number =>
  Math.max(
    0,
    ...rooms,
    ...steps.map((step) => step.reduce((sum, segment) => sum + (rooms[segment] ?? 0), 0)),
  );

/**
 * Which weights a TA keeps, as ta/models/residency.c decides it: all, or those first that are wanted most often, of equals in the
 * order of execution.
 * @param secure bytes of secure memory for the TA: code, stack, heap
 * @returns undefined where the model does not fit even with all weights streamed
 */
export const residencyWithin = (model: ModelMemory, secure: number): Residency | undefined => {
  const { graph, arena, header, outputs } = model;
  const { segmentBytes, steps } = graph;
  const rooms = segmentBytes.map(roomFor);
  const total = segmentBytes.reduce((a, b) => a + b, 0);
  const free = secure - TA_WITHOUT_HEAP - TA_OWN - header - OVERHEAD - arena - RESERVE - outputs;
  const costs = segmentBytes.map((bytes) => bytes + PER_SEGMENT);
  if (costs.reduce((a, b) => a + b, 0) <= free)
    return { segments: segmentBytes.length, resident: total, streamed: 0, window: 0 };
  const window = windowOf(graph, rooms);
  let left = free - window;
  if (left < 0) return undefined;
  const uses = usesOf(streamedSegments(steps, rooms, window, new Set()), segmentBytes.length);
  const byUses = segmentBytes.map((_, i) => i).sort((a, b) => (uses[b] ?? 0) - (uses[a] ?? 0) || a - b);
  const kept = new Set<number>();
  for (const segment of byUses) {
    const cost = costs[segment] ?? 0;
    if (uses[segment] === 0 || cost > left) continue;
    kept.add(segment);
    left -= cost;
  }
  const streamed = streamedSegments(steps, rooms, window, kept).reduce(
    (sum, segment) => sum + (segmentBytes[segment] ?? 0),
    0,
  );
  const resident = [...kept].reduce((sum, segment) => sum + (segmentBytes[segment] ?? 0), 0);
  return { segments: kept.size, resident, streamed, window };
};

const usesOf = (segments: readonly number[], count: number): number[] => {
  const uses = Array.from({ length: count }, () => 0);
  for (const segment of segments) uses[segment] = (uses[segment] ?? 0) + 1;
  return uses;
};

/** The segments that one inference wants, in order (ta/models/stream.c): what lies in the window still is not wanted again. */
const streamedSegments = (
  steps: GraphLayers['steps'],
  rooms: readonly number[],
  window: number,
  kept: ReadonlySet<number>,
): number[] => {
  const wanted: number[] = [];
  let inWindow = new Set<number>();
  let used = 0;
  for (const step of steps)
    for (const segment of step) {
      if (kept.has(segment) || inWindow.has(segment)) continue;
      const room = rooms[segment] ?? 0;
      if (used + room > window) {
        inWindow = new Set(step.filter((other) => inWindow.has(other)));
        used = [...inWindow].reduce((sum, other) => sum + (rooms[other] ?? 0), 0);
      }
      inWindow.add(segment);
      used += room;
      wanted.push(segment);
    }
  return wanted;
};
