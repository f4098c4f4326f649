import type { Network, Operation, Quantisation, Tensor } from '../network.js';
import type { OpCode } from '../szg1.js';

/** Operators that move or choose values: output and input have one quantisation (graph.h). */
const MOVING: readonly OpCode[] = [
  'AVERAGE_POOL_2D',
  'MAX_POOL_2D',
  'CONCAT',
  'PAD',
  'RESHAPE',
  'RESIZE_NEAREST',
  'RESIZE_BILINEAR',
  'TRANSPOSE',
  'SLICE',
];

/** Where the values are known beforehand: what TensorFlow Lite uses, too. */
const FIXED: Partial<Record<OpCode, Quantisation>> = {
  SOFTMAX: { scale: 1 / 256, zeroPoint: -128 },
  LOGISTIC: { scale: 1 / 256, zeroPoint: -128 },
  TANH: { scale: 1 / 128, zeroPoint: 0 },
};

export const isMoving = ({ code }: Operation): boolean => MOVING.includes(code);

export const fixedQuantisation = ({ code }: Operation): Quantisation | undefined => FIXED[code];

/** Tensors that have to share a quantisation. Each computed tensor is in exactly one group; most are alone. */
export const groupTensors = (network: Network): Set<Tensor>[] => {
  const groups = new Map<Tensor, Set<Tensor>>();
  const groupOf = (tensor: Tensor): Set<Tensor> => {
    const group = groups.get(tensor) ?? new Set([tensor]);
    groups.set(tensor, group);
    return group;
  };
  groupOf(network.input);
  for (const operation of network.operations) {
    const group = groupOf(operation.output);
    if (!isMoving(operation)) continue;
    for (const input of operation.inputs) {
      if (input === null || input.data !== undefined) continue;
      for (const tensor of groupOf(input)) {
        group.add(tensor);
        groups.set(tensor, group);
      }
    }
  }
  return [...new Set(groups.values())];
};
