/**
 * Writes one network twice: as Darknet's .cfg and .weights, with random weights and batch normalisation as training leaves it, and as
 * ONNX with the same values where batch normalisation is an operator of its own. What Darknet computes where ONNX has no operator
 * (the order of [reorg]) is a list of places here.
 */
import { Random } from '../../bench/nets/random.js';
import { bytesOf, OnnxLayers } from './darknet-onnx.js';

type Shape = [c: number, h: number, w: number];
interface Layer {
  readonly name: string;
  readonly shape: Shape;
}

export interface ConvolutionOptions {
  readonly size?: number;
  readonly stride?: number;
  /** Without it `pad=1`: half the size. */
  readonly padding?: number;
  readonly groups?: number;
  readonly norm?: boolean;
  readonly activation?: string;
}

export class DarknetNet {
  readonly layers: Layer[] = [];
  readonly #cfg: string[];
  readonly #weights: Float32Array[] = [];
  readonly #onnx = new OnnxLayers();
  readonly #random: Random;
  readonly #input: Layer;
  readonly #maps: { readonly name: string; readonly rows: number; readonly values: number }[] = [];

  constructor(width: number, height: number, channels: number, seed: number) {
    this.#cfg = [
      '[net]',
      '# as in training',
      'batch=64',
      `width=${width}`,
      `height = ${height}`,
      `channels=${channels}`,
      '',
    ];
    this.#input = { name: 'x', shape: [channels, height, width] };
    this.#random = new Random(seed);
  }

  get last(): Layer {
    return this.layers.at(-1) ?? this.#input;
  }

  #section(type: string, options: Record<string, string | number>): void {
    this.#cfg.push(`[${type}]`, ...Object.entries(options).map(([key, value]) => `${key}=${value}`), '');
  }

  #push(name: string, shape: Shape): this {
    this.layers.push({ name, shape });
    return this;
  }

  #values(count: number, low: number, high: number): Float32Array {
    return this.#random.uniforms(count, low, high);
  }

  /** Biases, then scales, means and variances: what a layer's values begin with. */
  #norm(outputs: number): Float32Array[] {
    const norm = [
      this.#values(outputs, 0.5, 1.5),
      this.#values(outputs, -0.3, 0.3),
      this.#values(outputs, 0.2, 2),
    ];
    return [this.#values(outputs, -0.2, 0.2), ...norm];
  }

  conv(filters: number, options: ConvolutionOptions = {}): this {
    const { size = 3, stride = 1, padding, groups = 1, norm = true, activation = 'leaky' } = options;
    const {
      name,
      shape: [c, h, w],
    } = this.last;
    const pad = padding ?? size >> 1;
    this.#section('convolutional', {
      ...(norm && { batch_normalize: 1 }),
      filters,
      size,
      stride,
      ...(padding === undefined ? { pad: 1 } : { padding }),
      ...(groups > 1 && { groups }),
      activation,
    });
    const depth = (c / groups) * size * size;
    const width = Math.sqrt(4 / depth);
    const weights = this.#values(filters * depth, -width, width);
    const [biases = new Float32Array(0), ...norms] = norm
      ? this.#norm(filters)
      : [this.#values(filters, -0.2, 0.2)];
    this.#weights.push(biases, ...norms, weights);
    const inputs = [name, this.#onnx.constant(weights, [filters, c / groups, size, size])];
    if (!norm) inputs.push(this.#onnx.constant(biases, [filters]));
    let y = this.#onnx.node('Conv', inputs, {
      strides: [stride, stride],
      pads: [pad, pad, pad, pad],
      kernel_shape: [size, size],
      group: groups,
    });
    const [scales, means, variances] = norms;
    if (scales && means && variances)
      y = this.#onnx.node(
        'BatchNormalization',
        [y, ...[scales, biases, means, variances].map((v) => this.#onnx.constant(v, [filters]))],
        {
          epsilon: { float: 1e-5 },
        },
      );
    const out = (side: number): number => Math.floor((side + 2 * pad - size) / stride) + 1;
    return this.#push(this.#onnx.activate(y, activation), [filters, out(h), out(w)]);
  }

  maxPool(size: number, stride: number, padding?: number): this {
    const {
      name,
      shape: [c, h, w],
    } = this.last;
    this.#section('maxpool', { size, stride, ...(padding !== undefined && { padding }) });
    const whole = padding ?? size - 1;
    const out = (side: number): number => Math.floor((side + whole - size) / stride) + 1;
    const before = whole >> 1;
    const behind = (side: number): number => Math.max(0, (out(side) - 1) * stride + size - side - before);
    const pads = [before, before, behind(h), behind(w)];
    const y = this.#onnx.node('MaxPool', [name], {
      kernel_shape: [size, size],
      strides: [stride, stride],
      pads,
    });
    return this.#push(y, [c, out(h), out(w)]);
  }

  averagePool(): this {
    const {
      name,
      shape: [c],
    } = this.last;
    this.#section('avgpool', {});
    return this.#push(this.#onnx.node('GlobalAveragePool', [name]), [c, 1, 1]);
  }

  softmax(groups = 1): this {
    const {
      name,
      shape: [c],
    } = this.last;
    this.#section('softmax', groups === 1 ? {} : { groups });
    const parts = this.#onnx.node('Reshape', [name, this.#onnx.integers([groups, c / groups])]);
    const shares = this.#onnx.node('Softmax', [parts], { axis: 1 });
    return this.#push(this.#onnx.node('Reshape', [shares, this.#onnx.integers([1, c, 1, 1])]), [c, 1, 1]);
  }

  connected(output: number, { norm = false, activation = 'linear' } = {}): this {
    const { name, shape } = this.last;
    const inputs = shape[0] * shape[1] * shape[2];
    this.#section('connected', { ...(norm && { batch_normalize: 1 }), output, activation });
    const width = Math.sqrt(4 / inputs);
    const [biases = new Float32Array(0), ...norms] = norm
      ? this.#norm(output)
      : [this.#values(output, -0.2, 0.2)];
    const weights = this.#values(output * inputs, -width, width);
    this.#weights.push(biases, weights, ...norms);
    const flat = this.#onnx.node('Reshape', [name, this.#onnx.integers([1, inputs])]);
    let y = this.#onnx.node('Gemm', [flat, this.#onnx.constant(weights, [output, inputs])], { transB: 1 });
    y = this.#onnx.node('Reshape', [y, this.#onnx.integers([1, output, 1, 1])]);
    const [scales, means, variances] = norms;
    y =
      scales && means && variances
        ? this.#onnx.node(
            'BatchNormalization',
            [y, ...[scales, biases, means, variances].map((v) => this.#onnx.constant(v, [output]))],
            {
              epsilon: { float: 1e-5 },
            },
          )
        : this.#onnx.node('Add', [y, this.#onnx.constant(biases, [1, output, 1, 1])]);
    return this.#push(this.#onnx.activate(y, activation), [output, 1, 1]);
  }

  dropout(): this {
    this.#section('dropout', { probability: 0.5 });
    return this.#push(this.last.name, this.last.shape);
  }

  #at(index: number): Layer {
    const layer = this.layers[index < 0 ? this.layers.length + index : index];
    if (!layer) throw new Error(`layer ${index}`);
    return layer;
  }

  route(indices: readonly number[], groups = 1, group = 0): this {
    this.#section('route', { layers: indices.join(', '), ...(groups > 1 && { groups, group_id: group }) });
    const parts = indices.map((index) => {
      const {
        name,
        shape: [c, h, w],
      } = this.#at(index);
      const own = c / groups;
      const [from, to] = [this.#onnx.integers([own * group]), this.#onnx.integers([own * (group + 1)])];
      const part = groups === 1 ? name : this.#onnx.node('Slice', [name, from, to, this.#onnx.integers([1])]);
      return { name: part, shape: [own, h, w] as Shape };
    });
    const [{ name, shape } = this.#input] = parts;
    const joined =
      parts.length === 1
        ? name
        : this.#onnx.node(
            'Concat',
            parts.map((part) => part.name),
            { axis: 1 },
          );
    return this.#push(joined, [parts.reduce((sum, part) => sum + part.shape[0], 0), shape[1], shape[2]]);
  }

  /** Of an earlier layer with more pixels and fewer channels, too: every nth pixel, and n is rounded down. */
  shortcut(from: number, activation = 'linear'): this {
    const { name, shape } = this.last;
    const other = this.#at(from);
    this.#section('shortcut', { from, activation });
    let added = other.name;
    const stride = Math.floor(other.shape[2] / shape[2]);
    if (other.shape[2] !== shape[2]) {
      const [from, to] = [
        this.#onnx.integers([0, 0]),
        this.#onnx.integers([shape[1] * stride, shape[2] * stride]),
      ];
      added = this.#onnx.node('Slice', [
        added,
        from,
        to,
        this.#onnx.integers([2, 3]),
        this.#onnx.integers([stride, stride]),
      ]);
    }
    if (other.shape[0] < shape[0])
      added = this.#onnx.node('Pad', [
        added,
        this.#onnx.integers([0, 0, 0, 0, 0, shape[0] - other.shape[0], 0, 0]),
      ]);
    return this.#push(this.#onnx.activate(this.#onnx.node('Add', [name, added]), activation), shape);
  }

  upsample(stride: number): this {
    const {
      name,
      shape: [c, h, w],
    } = this.last;
    this.#section('upsample', { stride });
    const wide = this.#onnx.node('Reshape', [name, this.#onnx.integers([1, c, h, 1, w, 1])]);
    const copied = this.#onnx.node('Expand', [wide, this.#onnx.integers([1, c, h, stride, w, stride])]);
    const y = this.#onnx.node('Reshape', [copied, this.#onnx.integers([1, c, h * stride, w * stride])]);
    return this.#push(y, [c, h * stride, w * stride]);
  }

  /** @param places for each value where in flat channels-first memory it comes from */
  #gather(places: readonly number[], shape: Shape): string {
    const flat = this.#onnx.node('Reshape', [this.last.name, this.#onnx.integers([-1])]);
    const gathered = this.#onnx.node('Gather', [flat, this.#onnx.integers(places)], { axis: 0 });
    return this.#onnx.node('Reshape', [gathered, this.#onnx.integers([1, ...shape])]);
  }

  reorg(stride: number, type: 'reorg' | 'reorg3d' = 'reorg'): this {
    const [c, h, w] = this.last.shape;
    this.#section(type, { stride });
    const shape: Shape = [c * stride * stride, h / stride, w / stride];
    const places: number[] = [];
    // [reorg]: planes of the input's own height and width, from planes that are stride times as high and wide.
    const [planes, high, wide] = type === 'reorg' ? [c, h, w] : shape;
    const fewer = planes / (stride * stride);
    for (let k = 0; k < planes; k++)
      for (let j = 0; j < high; j++)
        for (let i = 0; i < wide; i++) {
          const place = Math.floor(k / fewer);
          const y = j * stride + Math.floor(place / stride);
          const x = i * stride + (place % stride);
          places.push(x + wide * stride * (y + high * stride * (k % fewer)));
        }
    return this.#push(this.#gather(places, shape), shape);
  }

  #detect(anchors: number, classes: number): this {
    const {
      name,
      shape: [c, h, w],
    } = this.last;
    const values = 5 + classes;
    if (c !== anchors * values) throw new Error(`${c} channels for ${anchors} x ${values}`);
    const last = this.#onnx.node('Transpose', [name], { perm: [0, 2, 3, 1] });
    const rows = h * w * anchors;
    this.#maps.push({
      name: this.#onnx.node('Reshape', [last, this.#onnx.integers([1, rows, values])]),
      rows,
      values,
    });
    return this.#push('detections', [c, h, w]);
  }

  yolo(
    mask: readonly number[],
    anchors: readonly number[],
    classes: number,
    options: Record<string, number> = {},
  ): this {
    const list = { mask: mask.join(','), anchors: anchors.join(', '), classes, num: anchors.length / 2 };
    this.#section('yolo', { ...list, jitter: 0.3, ignore_thresh: 0.7, random: 1, ...options });
    return this.#detect(mask.length, classes);
  }

  region(anchors: readonly number[], classes: number, softmax = 1): this {
    this.#section('region', {
      anchors: anchors.join(', '),
      bias_match: 1,
      classes,
      coords: 4,
      num: anchors.length / 2,
      softmax,
      thresh: 0.6,
    });
    return this.#detect(anchors.length / 2, classes);
  }

  get cfg(): string {
    return this.#cfg.join('\n');
  }

  /** The file of version 0.2 (64 bits of pictures seen) or 0.1 (32 bits). */
  weights(version = 2): Uint8Array {
    const header = new Uint8Array(version < 2 ? 16 : 20);
    new DataView(header.buffer).setInt32(4, version, true);
    header[12] = 0x40;
    return new Uint8Array(Buffer.concat([header, ...this.#weights.map(bytesOf)]));
  }

  onnx(): Uint8Array {
    const { name, shape } = this.last;
    const [c, h, w] = this.#input.shape;
    const input = { name: 'x', type: 'float', dims: [1, c, h, w] } as const;
    const [map] = this.#maps;
    if (map === undefined) return this.#onnx.finish(input, { name, type: 'float', dims: [1, ...shape] });
    const names = this.#maps.map((one) => one.name);
    const rows = this.#maps.reduce((sum, one) => sum + one.rows, 0);
    const joined = names.length === 1 ? map.name : this.#onnx.node('Concat', names, { axis: 1 });
    return this.#onnx.finish(input, { name: joined, type: 'float', dims: [1, rows, map.values] });
  }
}
