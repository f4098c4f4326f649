import { countOf, realValues, shapeText } from './constant.js';
import { shapeOf, usualOrder, type Conversion } from './conversion.js';
import { asPicture, fromPicture } from './convolution.js';
import type { OnnxNode } from './node.js';
import { OperatorProblem } from './problem.js';

/** How one dimension is resized. */
interface Axis {
  readonly input: number;
  readonly output: number;
  /** The factor that the model gives; output / input if it gives a size. */
  readonly scale: number;
}

type Mode = 'nearest' | 'linear';

/** Where output element i lies in the input (ONNX, operator Resize). */
const coordinate = (transformation: string, i: number, { input, output, scale }: Axis): number => {
  switch (transformation) {
    case 'asymmetric':
      return i / scale;
    case 'align_corners':
      return output === 1 ? 0 : (i * (input - 1)) / (output - 1);
    case 'half_pixel':
      return (i + 0.5) / scale - 0.5;
    case 'pytorch_half_pixel':
      return output > 1 ? (i + 0.5) / scale - 0.5 : 0;
    case 'half_pixel_symmetric': {
      const adjustment = output / (scale * input);
      return (input / 2) * (1 - adjustment) + (i + 0.5) / scale - 0.5;
    }
    case 'tf_half_pixel_for_nn':
      return (i + 0.5) / scale;
    default:
      throw new OperatorProblem(`has coordinate_transformation_mode ${transformation}`);
  }
};

const ROUNDING: Readonly<Record<string, (x: number) => number>> = {
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
  floor: Math.floor,
  ceil: Math.ceil,
};

const limited = (x: number, size: number): number => Math.min(size - 1, Math.max(0, x));

/** Where the engine reads (ta/tinylib/reference/resize.c), with its parameters align_corners and half_pixel_centers. */
const engineCoordinate = (
  mode: Mode,
  i: number,
  { input, output }: Axis,
  align: number,
  half: number,
): number => {
  const scale = align === 1 && output > 1 ? (input - 1) / (output - 1) : input / output;
  if (mode === 'linear') return limited(half === 1 ? (i + 0.5) * scale - 0.5 : i * scale, input);
  const x = half === 1 ? (i + 0.5) * scale : i * scale;
  return limited(align === 1 ? Math.round(x) : Math.floor(x), input);
};

const PARAMETERS = [
  [0, 0],
  [1, 0],
  [0, 1],
] as const;

/** One of the engine's parameters with which every element comes from where the model says; neighbours are compared exactly. */
const parametersFor = (
  mode: Mode,
  transformation: string,
  nearest: string,
  axes: readonly Axis[],
): readonly [number, number] | undefined =>
  PARAMETERS.find(([align, half]) =>
    axes.every((axis) => {
      const round = ROUNDING[nearest];
      if (round === undefined) throw new OperatorProblem(`has nearest_mode ${nearest}`);
      for (let i = 0; i < axis.output; i++) {
        const x = coordinate(transformation, i, axis);
        const wanted = limited(mode === 'nearest' ? round(x) : x, axis.input);
        if (!(Math.abs(wanted - engineCoordinate(mode, i, axis, align, half)) <= 1e-4)) return false;
      }
      return true;
    }),
  );

/** Resize, and Upsample, its predecessor. */
export const convertResize = (conversion: Conversion, node: OnnxNode): void => {
  const x = conversion.computed(node, 0);
  const dims = shapeOf(x);
  const modeName = node.text('mode', 'nearest');
  const mode: Mode | undefined =
    modeName === 'nearest'
      ? 'nearest'
      : modeName === 'linear' || modeName === 'bilinear'
        ? 'linear'
        : undefined;
  if (mode === undefined)
    throw new OperatorProblem(`interpolates ${modeName}, only nearest and linear are possible`);
  if (mode === 'linear' && x.type !== 'f32') throw new OperatorProblem(`interpolates ${x.type}`);
  if (node.int('antialias', 0) !== 0) throw new OperatorProblem('smooths (antialias)');
  const early = node.operator === 'Upsample' || node.opset < 11;
  const scaleInput = early ? 1 : 2;
  const list = (n: number): readonly number[] | undefined => {
    const constant = conversion.optional(node, n) && conversion.constant(node, n);
    return constant === undefined || constant.data.length === 0
      ? undefined
      : Array.from(realValues(constant));
  };
  const axesGiven = node.ints('axes') ?? dims.map((_, i) => i);
  if (node.has('keep_aspect_ratio_policy') && node.text('keep_aspect_ratio_policy', 'stretch') !== 'stretch')
    throw new OperatorProblem(`has keep_aspect_ratio_policy ${node.text('keep_aspect_ratio_policy', '')}`);
  const spread = (values: readonly number[] | undefined): readonly number[] | undefined => {
    if (values === undefined) return undefined;
    if (values.length !== axesGiven.length)
      throw new OperatorProblem(`has ${shapeText(values)} for ${axesGiven.length} dimensions`);
    return dims.map((_, i) => values[axesGiven.indexOf(i)] ?? NaN);
  };
  const scales = spread(node.floats('scales') ?? list(scaleInput));
  const sizes = scales === undefined && !early ? spread(list(3)) : undefined;
  if (scales === undefined && sizes === undefined) throw new OperatorProblem('has neither scales nor sizes');
  const axes = dims.map((input, i): Axis => {
    const scale = scales?.[i] ?? NaN;
    const size = sizes?.[i] ?? NaN;
    if (!Number.isNaN(scale)) return { input, output: Math.floor(input * scale + 1e-6), scale };
    return Number.isNaN(size)
      ? { input, output: input, scale: 1 }
      : { input, output: size, scale: size / input };
  });
  if (axes.some(({ output, scale }) => !(output >= 1 && output < 2 ** 24 && scale > 0)))
    throw new OperatorProblem(`makes ${shapeText(axes.map(({ output }) => output))} of ${shapeText(dims)}`);
  if (axes.slice(0, 2).some(({ input, output }) => input !== output) || dims.length < 3 || dims.length > 4)
    throw new OperatorProblem(
      `makes ${shapeText(axes.map(({ output }) => output))} of ${shapeText(dims)}: only height and width are possible`,
    );
  // The model's definition leaves open whether corners are those of the whole or of the fractional size.
  const whole = axes.every(({ input, output, scale }) => Math.abs(input * scale - output) < 1e-4);
  if (countOf(axes.map(({ output }) => output)) >= 2 ** 31)
    throw new OperatorProblem(`makes ${shapeText(axes.map(({ output }) => output))}`);
  const transformation = early ? 'asymmetric' : node.text('coordinate_transformation_mode', 'half_pixel');
  if (transformation === 'align_corners' && !whole)
    throw new OperatorProblem(
      `aligns corners with factors ${shapeText(axes.map(({ scale }) => scale))} that give no whole size`,
    );
  const nearest = early ? 'floor' : node.text('nearest_mode', 'round_prefer_floor');
  const spatial = axes.slice(2);
  const parameters = parametersFor(mode, transformation, nearest, spatial);
  if (parameters === undefined)
    throw new OperatorProblem(
      `takes its elements from places (${transformation}, ${mode === 'nearest' ? nearest : 'linear'}, ${shapeText(axes.map(({ scale }) => scale))}) where the engine cannot`,
    );
  const tensor = conversion.arranged(node, asPicture(conversion, node, x), usualOrder(4));
  const [n = 1, , , c = 1] = tensor.dims;
  const [h, w] = spatial.length === 2 ? spatial : [{ output: 1 }, ...spatial];
  const y = conversion.make([n, h?.output ?? 1, w?.output ?? 1, c], tensor.quantisation);
  conversion.emit(node, {
    code: mode === 'nearest' ? 'RESIZE_NEAREST' : 'RESIZE_BILINEAR',
    inputs: [tensor],
    output: y,
    ints: [...parameters],
  });
  conversion.setOutput(node, fromPicture(conversion, node, y, dims.length, x.type));
};
