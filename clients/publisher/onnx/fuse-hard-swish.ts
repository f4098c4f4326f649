import type { Network, Operation, Tensor } from '../network.js';

/** The single number that an operation adds or multiplies by. */
const numberOf = (operation: Operation | undefined, code: 'ADD' | 'MUL'): number | undefined => {
  const constant = operation?.code === code ? operation.inputs[1]?.data : undefined;
  return constant instanceof Float32Array && constant.length === 1 ? constant[0] : undefined;
};

const isSixth = (value: number | undefined): boolean => value !== undefined && Math.abs(6 * value - 1) < 1e-6;

/**
 * x ReLU6(x + 3) / 6 in pieces, as it is written where the operator set has no HardSwish, becomes one operator; what was only needed for it
 * is dropped by `simplify`. Changes the network in place.
 */
export const fuseHardSwish = (network: Network): void => {
  const producers = new Map(network.operations.map((operation) => [operation.output, operation]));
  const producer = (tensor: Tensor | null | undefined): Operation | undefined =>
    tensor ? producers.get(tensor) : undefined;

  /** Of which tensor is this ReLU6(x + 3)? */
  const gated = (tensor: Tensor | null | undefined): Tensor | undefined => {
    const last = producer(tensor);
    if (last?.activation !== 'RELU6') return undefined;
    const sum = last.code === 'RELU' ? producer(last.inputs[0]) : last;
    if (numberOf(sum, 'ADD') !== 3 || (sum !== last && sum?.activation !== 'NONE')) return undefined;
    return sum?.inputs[0] ?? undefined;
  };

  /** The operand of a division by 6. */
  const undivided = (operation: Operation | undefined): Tensor | undefined =>
    operation?.activation === 'NONE' && isSixth(numberOf(operation, 'MUL'))
      ? (operation.inputs[0] ?? undefined)
      : undefined;

  /** Of which tensor is a * b the product with its gate? */
  const product = (
    [a, b]: Operation['inputs'],
    gateOf: (tensor: Tensor | null | undefined) => Tensor | undefined,
  ): Tensor | undefined => {
    if (a && gateOf(b) === a) return a;
    return b && gateOf(a) === b ? b : undefined;
  };

  for (const operation of network.operations) {
    if (operation.code !== 'MUL' || operation.activation !== 'NONE' || operation.output.dtype !== 'f32')
      continue;
    const whole = undivided(operation);
    const inner = producer(whole);
    const x =
      inner?.code === 'MUL' && inner.activation === 'NONE'
        ? product(inner.inputs, gated)
        : product(operation.inputs, (tensor) => gated(undivided(producer(tensor))));
    if (x === undefined) continue;
    operation.code = 'HARD_SWISH';
    operation.inputs = [x];
  }
};
