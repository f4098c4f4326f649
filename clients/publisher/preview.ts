import type { InputShape } from '../../protocol/messages/input-shape.js';
import type { ResultsKind } from '../../protocol/messages/model-container.js';
import { isSmartZoneError } from '../../protocol/errors.js';
import { frameShapeOf } from './frame.js';
import type { Head } from './head.js';
import { tensorBytes, type Network } from './network.js';
import { normalisationOf } from './normalisation.js';
import { buildGraph, MOST_SEGMENT_BYTES, mostResults, RESULTS_KIND, SEGMENT_BYTES } from './pack.js';
import { automaticPurpose, type Purpose } from './preset.js';
import { headFor } from './results.js';
import type { Target } from './szg1.js';
import type { PackedGraph } from './write-graph.js';

/** How a network would be packed. */
export interface PreviewOptions {
  /** Default `ref`. */
  readonly target?: Target;
  /** As in PackOptions. */
  readonly arena?: number;
}

/** A network as it would be packed, but for encryption and self-test. */
export interface Preview {
  readonly graph: PackedGraph;
  readonly input: InputShape;
  readonly labels: readonly string[];
  /** undefined: its outputs mean nothing that is known; packing would ask. */
  readonly results: { readonly kind: ResultsKind; readonly most: number } | undefined;
  /** Bytes of the container's header, about. */
  readonly header: number;
  /** Bytes of all outputs. */
  readonly outputs: number;
}

const headOf = (network: Network, purpose: Purpose): Head | undefined => {
  try {
    return headFor(network, purpose.results);
  } catch (error) {
    if (isSmartZoneError(error, 'MODEL_IMPORT')) return undefined;
    throw error;
  }
};

/** Size and digest of one segment in the header. */
const ENTRY_BYTES = 40;

/**
 * @param network simplified
 * @throws SmartZoneError MODEL_IMPORT where it cannot be packed in this way
 */
export const preview = (network: Network, options: PreviewOptions = {}): Preview => {
  const purpose = automaticPurpose(network);
  const head = headOf(network, purpose);
  const graph = buildGraph(network, {
    head,
    target: options.target ?? 'ref',
    normalisation: normalisationOf(network, purpose.pixels),
    segmentBytes: SEGMENT_BYTES,
    mostSegmentBytes: MOST_SEGMENT_BYTES,
    ...(options.arena !== undefined && { arena: options.arena }),
  });
  const names = purpose.labels.reduce((sum, label) => sum + new TextEncoder().encode(label).length + 2, 0);
  return {
    graph,
    input: frameShapeOf(network),
    labels: purpose.labels,
    results: head && { kind: RESULTS_KIND[head.kind], most: mostResults(head) },
    header: graph.bytes.length + ENTRY_BYTES * (graph.segments.length + 1) + names,
    outputs: network.outputs.reduce((sum, output) => sum + tensorBytes(output), 0),
  };
};
