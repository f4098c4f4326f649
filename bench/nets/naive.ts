import type { Network, Operation, Tensor } from '../../clients/publisher/index.js';
import { GRAPH_MAGIC, HEADER_BYTES, Place, TENSOR_BYTES } from '../../clients/publisher/szg1.js';
import type { Net } from './net.js';
import { floatNetwork } from './network.js';

/**
 * A float net as training left it: every convolution alone, then batch norm's factor, its shift and the activation as operators
 * of their own. The factors are 1: their values do not matter to the time, and the output stays the net's.
 */
export const unfusedNetwork = (net: Net): Network => {
  const network = floatNetwork(net);
  network.operations = network.operations.flatMap((operation) => unfuse(operation));
  return network;
};

const unfuse = (operation: Operation): Operation[] => {
  const [x = null, w = null, shift] = operation.inputs;
  if ((operation.code !== 'CONV_2D' && operation.code !== 'DEPTHWISE_2D') || !shift) return [operation];
  const { output, activation } = operation;
  const step = (name: string): Tensor => ({ ...output, name: `${output.name} ${name}` });
  const factor: Tensor = {
    ...shift,
    name: `${shift.name} factor`,
    data: new Float32Array(shift.dims[0] ?? 0).fill(1),
  };
  const [sums, scaled] = [step('sums'), step('scaled')];
  const shifted = activation === 'NONE' ? output : step('shifted');
  const plain = { activation: 'NONE', ints: [], floats: [] } as const;
  const operations: Operation[] = [
    { ...operation, activation: 'NONE', inputs: [x, w, null], output: sums },
    {
      ...plain,
      code: 'MUL',
      inputs: [sums, factor],
      output: scaled,
      origin: `${operation.origin} factor`,
      ints: [],
      floats: [],
    },
    {
      ...plain,
      code: 'ADD',
      inputs: [scaled, shift],
      output: shifted,
      origin: `${operation.origin} shift`,
      ints: [],
      floats: [],
    },
  ];
  if (activation !== 'NONE')
    operations.push({
      code: 'RELU',
      activation,
      inputs: [shifted],
      output,
      ints: [],
      floats: [],
      origin: `${operation.origin} activation`,
    });
  return operations;
};

const ALIGNMENT = 64;
/** Places in a graph's header and in a tensor's record (ta/tinylib/graph.h). */
const AT = { tensorCount: 12, segmentCount: 16, arenaSize: 24, place: 1, offset: 32, bytes: 36 } as const;

/** The same graph without a memory plan: every tensor has memory of its own. */
export const unplanned = (graph: Uint8Array): Uint8Array => {
  const bytes = graph.slice();
  const view = new DataView(bytes.buffer);
  if (view.getUint32(0, true) !== GRAPH_MAGIC) throw new RangeError('not a graph');
  const segments = view.getUint16(AT.segmentCount, true);
  const first = HEADER_BYTES + Math.ceil((4 * segments) / 8) * 8;
  let end = 0;
  for (let i = 0; i < view.getUint16(AT.tensorCount, true); i += 1) {
    const record = first + i * TENSOR_BYTES;
    if (view.getUint8(record + AT.place) !== Place.arena) continue;
    view.setUint32(record + AT.offset, end, true);
    end += Math.ceil(view.getUint32(record + AT.bytes, true) / ALIGNMENT) * ALIGNMENT;
  }
  view.setUint32(AT.arenaSize, end, true);
  return bytes;
};
