import type { Network } from '../../clients/publisher/index.js';
import { packNetwork } from '../../clients/publisher/packing/pack-network.js';
import { simplify } from '../../clients/publisher/simplify.js';
import type { Target } from '../../clients/publisher/szg1.js';
import { writeGraph, type PackedGraph } from '../../clients/publisher/write-graph.js';

/** What bench/native/engine_worker.c reads: the graph, and all weight segments one behind the other. */
export interface EngineFiles {
  readonly graph: Uint8Array;
  readonly weights: Uint8Array;
}

/** In process there is no limit of what can be sent in one piece. */
const MOST_SEGMENT_BYTES = 2 ** 31;

/** @param asItIs one operation in the graph for each of the network's */
export const packForEngine = (network: Network, target: Target, asItIs = false): PackedGraph => {
  const source = asItIs ? network : simplify(network);
  return writeGraph(packNetwork(source, { target, mostBytes: MOST_SEGMENT_BYTES }), {
    head: undefined,
    target,
    normalisation: { a: [1, 1, 1, 1], b: [0, 0, 0, 0] },
    segmentBytes: 1 << 20,
    mostSegmentBytes: MOST_SEGMENT_BYTES,
  });
};

export const engineFiles = ({ bytes, segments }: PackedGraph): EngineFiles => ({
  graph: bytes,
  weights: Buffer.concat(segments),
});
