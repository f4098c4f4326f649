import type { Tensor } from '../network.js';
import { countOf, shapeText } from './constant.js';
import { resolveAxis, shapeOf, usualOrder, type Computed, type Conversion } from './conversion.js';
import { asPicture, fromPicture } from './convolution.js';
import type { OnnxNode } from './node.js';
import { OperatorProblem } from './problem.js';
import type { Atom, View } from './view.js';
import { windowsOf } from './windows.js';

/** The engine's largest window. */
const MOST_WINDOW = 512;

export const convertPool =
  (code: 'AVERAGE_POOL_2D' | 'MAX_POOL_2D') =>
  (conversion: Conversion, node: OnnxNode): void => {
    const given = conversion.computed(node, 0);
    if (code === 'AVERAGE_POOL_2D' && given.type !== 'f32')
      throw new OperatorProblem(`computes with ${given.type}, floats are expected`);
    if ((node.outputs[1] ?? '') !== '') throw new OperatorProblem('also gives the indices of the maxima');
    const rank = shapeOf(given).length;
    const [vertical, horizontal] = windowsOf(node, shapeOf(given).slice(2), node.ints('kernel_shape') ?? []);
    if (vertical.dilation !== 1 || horizontal.dilation !== 1)
      throw new OperatorProblem(`has dilations ${vertical.dilation} and ${horizontal.dilation}`);
    if (Math.max(vertical.kernel, horizontal.kernel) > MOST_WINDOW)
      throw new OperatorProblem(
        `has a window of ${vertical.kernel} x ${horizontal.kernel}, at most ${MOST_WINDOW}`,
      );
    let x = conversion.arranged(node, asPicture(conversion, node, given), usualOrder(4));
    let pads = [vertical.before, horizontal.before, vertical.behind, horizontal.behind];
    // The engine does not count padding. Where it counts, the zeros are values.
    if (code === 'AVERAGE_POOL_2D' && node.int('count_include_pad', 0) !== 0 && pads.some((pad) => pad > 0)) {
      x = emitPad(
        conversion,
        node,
        x,
        [0, pads[0] ?? 0, pads[1] ?? 0, 0],
        [0, pads[2] ?? 0, pads[3] ?? 0, 0],
        0,
      );
      pads = [0, 0, 0, 0];
    }
    pads = [pads[0] ?? 0, pads[1] ?? 0, (pads[2] ?? 0) + vertical.beyond, (pads[3] ?? 0) + horizontal.beyond];
    const kernels = [vertical.kernel, horizontal.kernel];
    if (pads.some((pad, i) => pad >= (kernels[i % 2] ?? 1)))
      throw new OperatorProblem(`pads with ${shapeText(pads)} for a window of ${kernels.join(' x ')}`);
    const [n = 1, , , c = 1] = x.dims;
    const y = conversion.make([n, vertical.output, horizontal.output, c], x.quantisation);
    conversion.emit(node, {
      code,
      inputs: [x],
      output: y,
      ints: [vertical.stride, horizontal.stride, ...kernels, ...pads],
    });
    conversion.setOutput(node, fromPicture(conversion, node, y, rank, given.type));
  };

/** Values around a tensor of the engine. */
export const emitPad = (
  conversion: Conversion,
  node: OnnxNode,
  x: Tensor,
  before: readonly number[],
  behind: readonly number[],
  value: number,
): Tensor => {
  const dims = x.dims.map((dim, i) => dim + (before[i] ?? 0) + (behind[i] ?? 0));
  const output = conversion.make(dims, x.quantisation);
  const four = (list: readonly number[]): number[] => [0, 1, 2, 3].map((i) => list[i] ?? 0);
  conversion.emit(node, {
    code: 'PAD',
    inputs: [x],
    output,
    ints: [...four(before), ...four(behind)],
    floats: [value],
  });
  return output;
};

/** One value for all elements along some dimensions. */
const reduce = (
  conversion: Conversion,
  node: OnnxNode,
  x: Computed,
  axes: readonly number[],
  keep: boolean,
  kind: 'mean' | 'max',
): Computed => {
  const { view } = x;
  const reduced = new Set<Atom>(axes.flatMap((axis) => [...(view.axes[axis] ?? [])]));
  const first = view.memory.findIndex((atom) => reduced.has(atom));
  const run = view.memory.slice(first, first + reduced.size);
  const together = first >= 0 && run.every((atom) => reduced.has(atom));
  const kept = view.memory.filter((atom) => !reduced.has(atom));
  const before = together ? view.memory.slice(0, first) : kept;
  const behind = together ? view.memory.slice(first + reduced.size) : [];
  const count = (atoms: readonly Atom[]): number => countOf(atoms.map(({ size }) => size));
  const flat = conversion.inOrder(node, view, together ? view.memory : [...kept, ...reduced]);
  const total = count([...reduced]);
  const usual =
    flat.dims.length === 4 && flat.dims[0] === count(before) && flat.dims[3] === count(behind) && together;
  const tensor = usual ? flat : conversion.shaped(node, flat, [count(before), total, 1, count(behind)]);
  const [n = 1, h = 1, w = 1, c = 1] = tensor.dims;
  const planned = tensor.quantisation && conversion.plannedFor(node);
  const y = conversion.make([n, 1, 1, c], kind === 'max' ? tensor.quantisation : planned);
  if (kind === 'mean') {
    if (total > 2 ** 20)
      throw new OperatorProblem(`averages ${total} values, at most ${2 ** 20} are possible`);
    conversion.emit(node, { code: 'GLOBAL_MEAN', inputs: [tensor], output: y });
  } else {
    if (Math.max(h, w) > MOST_WINDOW)
      throw new OperatorProblem(`has a window of ${h} x ${w}, at most ${MOST_WINDOW} are possible`);
    conversion.emit(node, {
      code: 'MAX_POOL_2D',
      inputs: [tensor],
      output: y,
      ints: [1, 1, h, w, 0, 0, 0, 0],
    });
  }
  const seen: View = {
    tensor: y,
    memory: [...before, ...behind],
    axes: view.axes.flatMap((atoms, axis) => (axes.includes(axis) ? (keep ? [[]] : []) : [[...atoms]])),
  };
  return { ...x, view: seen };
};

export const convertGlobalPool =
  (kind: 'mean' | 'max') =>
  (conversion: Conversion, node: OnnxNode): void => {
    const x = conversion.real(node, 0);
    const rank = shapeOf(x).length;
    if (rank < 3)
      throw new OperatorProblem(`reads ${shapeText(shapeOf(x))}, which has no spatial dimensions`);
    const spatial = Array.from({ length: rank - 2 }, (_, i) => i + 2);
    const value = kind === 'mean' ? conversion.numeric(node, [x] as const).values[0] : x;
    conversion.setOutput(node, reduce(conversion, node, value, spatial, true, kind));
  };

export const convertReduce =
  (kind: 'mean' | 'max') =>
  (conversion: Conversion, node: OnnxNode): void => {
    const x = conversion.real(node, 0);
    const rank = shapeOf(x).length;
    const given = node.ints('axes') ?? conversion.integers(node, 1) ?? [];
    if (given.length === 0 && node.int('noop_with_empty_axes', 0) !== 0) {
      conversion.setOutput(node, x);
      return;
    }
    const axes =
      given.length === 0
        ? Array.from({ length: rank }, (_, i) => i)
        : given.map((axis) => resolveAxis(axis, rank));
    const value = kind === 'mean' ? conversion.numeric(node, [x] as const).values[0] : x;
    conversion.setOutput(node, reduce(conversion, node, value, axes, node.int('keepdims', 1) !== 0, kind));
  };
