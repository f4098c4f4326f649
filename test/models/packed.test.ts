import { existsSync } from 'node:fs';
import { EngineTool, type Network, type Operation, type Tensor } from '../../clients/publisher/index.js';
import { bandNetwork } from '../../clients/publisher/bands.js';
import { packNetwork } from '../../clients/publisher/packing/pack-network.js';
import { noiseFrame } from '../../clients/publisher/frame.js';
import { planNetwork } from '../../clients/publisher/plan.js';
import type { Activation, DType, Target } from '../../clients/publisher/szg1.js';
import { writeGraph } from '../../clients/publisher/write-graph.js';
import { greatestDifference, magnitude } from './comparison.js';

/*
 * Small random networks of convolutions, depthwise convolutions and fully connected layers, packed for each target that
 * can run here (the other architecture's under emulation), against the reference: equal in int8, to 1e-5 in float32.
 */

/** xorshift32: the same networks every time. */
class Random {
  #state: number;
  constructor(seed: number) {
    this.#state = seed * 2654435761 || 1;
  }
  next(): number {
    this.#state ^= this.#state << 13;
    this.#state ^= this.#state >>> 17;
    this.#state ^= this.#state << 5;
    return (this.#state >>> 0) / 2 ** 32;
  }
  between(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1));
  }
  pick<T>(values: readonly T[]): T {
    const value = values[this.between(0, values.length - 1)];
    if (value === undefined) throw new Error('nothing to pick from');
    return value;
  }
}

/** Parameters of a window whose output has a value for every `stride` inputs. */
const same = ({ dims: [, h = 1, w = 1] }: Tensor, window: number, stride: number): number[] => {
  const [vertical, horizontal] = [h, w].map((size) =>
    Math.max(0, (Math.ceil(size / stride) - 1) * stride + window - size),
  ) as [number, number];
  const [top, left] = [vertical >> 1, horizontal >> 1];
  return [stride, stride, 1, 1, top, left, vertical - top, horizontal - left, 1];
};

type Dims = readonly [number, number, number, number];

class Builder {
  readonly operations: Operation[] = [];
  constructor(
    readonly random: Random,
    readonly dtype: DType,
  ) {}

  activationTensor(dims: readonly number[]): Tensor {
    const name = `t${this.operations.length}`;
    if (this.dtype === 'f32') return { name, dtype: 'f32', dims };
    const scale = Math.fround(0.02 + this.random.next() * 0.05);
    return { name, dtype: 'i8', dims, quantisation: { scale, zeroPoint: this.random.between(-20, 20) } };
  }

  #weights(dims: readonly number[], outputs: number, depth: number): Tensor[] {
    const count = dims.reduce((a, b) => a * b, 1);
    const { random } = this;
    if (this.dtype === 'f32')
      return [
        {
          name: 'w',
          dtype: 'f32',
          dims,
          data: Float32Array.from({ length: count }, () => random.next() - 0.5),
        },
        {
          name: 'b',
          dtype: 'f32',
          dims: [outputs],
          data: Float32Array.from({ length: outputs }, () => random.next()),
        },
      ];
    const zeroPoint = random.pick([0, 0, 0, 37, -128]);
    const low = random.pick([-127, -128]);
    const scale = 1 / (90 * Math.sqrt(depth));
    return [
      {
        name: 'w',
        dtype: 'i8',
        dims,
        quantisation: { scale: 1, zeroPoint },
        data: Int8Array.from({ length: count }, () => random.pick([random.between(-127, 127), low, 127])),
      },
      {
        name: 'b',
        dtype: 'i32',
        dims: [outputs],
        data: Int32Array.from({ length: outputs }, () => random.between(-3000, 3000)),
      },
      {
        name: 's',
        dtype: 'f32',
        dims: [outputs],
        data: Float32Array.from({ length: outputs }, () => scale * (0.5 + random.next())),
      },
    ];
  }

  window(code: 'CONV_2D' | 'DEPTHWISE_2D', x: Tensor): Tensor {
    const { random } = this;
    const [n, h, w, c] = x.dims as Dims;
    const [kh, kw] = [random.pick([1, 3, 3, 5, 2]), random.pick([1, 3, 3, 5, 7])];
    const stride = [random.pick([1, 1, 2, 3]), random.pick([1, 1, 2])] as const;
    const dilation = random.pick([1, 1, 1, 2]);
    const pads = Array.from({ length: 4 }, () => random.between(0, 2));
    const [top = 0, left = 0, bottom = 0, right = 0] = pads;
    const size = (along: number, k: number, s: number, pad: number): number =>
      Math.floor((along + pad - ((k - 1) * dilation + 1)) / s) + 1;
    const oh = size(h, kh, stride[0], top + bottom);
    const ow = size(w, kw, stride[1], left + right);
    if (oh < 1 || ow < 1) return x;
    const depthwise = code === 'DEPTHWISE_2D';
    const outputs = depthwise ? c : random.pick([1, 3, 8, 16, 17, 24, 40, 64, 65, 100]);
    const dims = depthwise
      ? [1, kh, kw, c]
      : this.dtype === 'i8'
        ? [outputs, kh, kw, c]
        : [kh, kw, c, outputs];
    const output = this.activationTensor([n, oh, ow, outputs]);
    const weights = this.#weights(dims, outputs, kh * kw * (depthwise ? 1 : c));
    const ints = [...stride, dilation, dilation, ...pads, 1];
    return this.#add(code, [x, ...weights], output, ints);
  }

  /** Padded such that the output is as large as the stride lets it be. */
  convolution(x: Tensor, window: number, stride: number, outputs: number): Tensor {
    const [n, h, w, c] = x.dims as Dims;
    const dims = this.dtype === 'i8' ? [outputs, window, window, c] : [window, window, c, outputs];
    const output = this.activationTensor([n, Math.ceil(h / stride), Math.ceil(w / stride), outputs]);
    const weights = this.#weights(dims, outputs, window * window * c);
    return this.#add('CONV_2D', [x, ...weights], output, same(x, window, stride));
  }

  depthwise(x: Tensor, window: number, stride: number): Tensor {
    const [n, h, w, c] = x.dims as Dims;
    const output = this.activationTensor([n, Math.ceil(h / stride), Math.ceil(w / stride), c]);
    const weights = this.#weights([1, window, window, c], c, window * window);
    return this.#add('DEPTHWISE_2D', [x, ...weights], output, same(x, window, stride));
  }

  add(a: Tensor, b: Tensor): Tensor {
    return this.#add('ADD', [a, b], this.activationTensor(a.dims), []);
  }

  fullyConnected(x: Tensor, activation?: Activation): Tensor {
    const inputs = x.dims.reduce((a, b) => a * b, 1);
    const outputs = this.random.pick([1, 5, 16, 33, 130]);
    const dims = this.dtype === 'i8' ? [outputs, inputs] : [inputs, outputs];
    const output = this.activationTensor([1, outputs]);
    return this.#add('FULLY_CONNECTED', [x, ...this.#weights(dims, outputs, inputs)], output, [], activation);
  }

  #add(
    code: Operation['code'],
    inputs: Tensor[],
    output: Tensor,
    ints: number[],
    fixed?: Activation,
  ): Tensor {
    const activation = fixed ?? this.random.pick<Activation>(['NONE', 'RELU', 'RELU6', 'RELU_N1_TO_1']);
    const origin = `${code} #${this.operations.length}`;
    this.operations.push({ code, activation, inputs, output, ints, floats: [], origin });
    return output;
  }
}

const randomNetwork = (seed: number, dtype: DType): Network => {
  const random = new Random(seed);
  const builder = new Builder(random, dtype);
  const channels = random.pick([1, 3, 4, 8, 16, 20, 33, 64, 96, 144]);
  const input = builder.activationTensor([
    random.pick([1, 1, 2]),
    random.between(1, 13),
    random.between(1, 17),
    channels,
  ]);
  let x = input;
  for (let i = random.between(1, 4); i > 0; i--)
    x = builder.window(random.pick(['CONV_2D', 'DEPTHWISE_2D']), x);
  if (builder.operations.length === 0 || random.between(0, 2) === 0) x = builder.fullyConnected(x);
  const side = { type: dtype === 'i8' ? 'i8' : 'f32' } as const;
  return { input, outputs: [x], operations: builder.operations, boundary: { input: side, outputs: [side] } };
};

const run = async (
  engine: EngineTool,
  network: Network,
  target: Target,
  seed: number,
  change = (packed: Network): Network => packed,
): Promise<number[]> => {
  const packed = packNetwork(network, {
    target,
    mostBytes: target === 'ref' ? 2 ** 30 : 20_000,
    gatherBytes: 4096,
  });
  const normalisation = { a: [1, 1, 1, 1], b: [0, 0, 0, 0] } as const;
  const graph = writeGraph(change(packed), {
    head: undefined,
    target,
    normalisation,
    segmentBytes: 1024,
    mostSegmentBytes: 2 ** 30,
  });
  const { dtype, dims } = network.input;
  const format = dtype === 'i8' ? 'i8' : 'f32';
  const { outputs } = await engine.infer(graph, format, noiseFrame({ format, dims }, seed));
  const [bytes = new Uint8Array()] = outputs;
  return dtype === 'i8' ? [...new Int8Array(bytes.buffer)] : [...new Float32Array(bytes.buffer.slice(0))];
};

/** MobileNets in small: what a stage in bands can be made of, and something behind it. */
const mobileNetwork = (seed: number, dtype: DType): Network => {
  const random = new Random(seed);
  const builder = new Builder(random, dtype);
  const input = builder.activationTensor([1, random.between(8, 40), random.between(8, 40), 3]);
  let x = builder.convolution(input, 3, random.pick([1, 2]), random.pick([8, 16, 24]));
  for (let i = random.between(1, 4); i > 0; i--) {
    const narrow = x;
    x = builder.convolution(x, 1, 1, random.pick([16, 24, 40]));
    x = builder.depthwise(x, random.pick([3, 3, 5]), random.pick([1, 1, 2]));
    x = builder.convolution(x, 1, 1, random.pick([narrow.dims[3] ?? 8, 16]));
    if (JSON.stringify(x.dims) === JSON.stringify(narrow.dims)) x = builder.add(x, narrow);
  }
  x = builder.fullyConnected(x, 'NONE'); // clipped sums would be compared with the bound instead of their own size
  const side = { type: dtype === 'i8' ? 'i8' : 'f32' } as const;
  return { input, outputs: [x], operations: builder.operations, boundary: { input: side, outputs: [side] } };
};

const reference = EngineTool.find();
const engines = ['engine_run', 'engine_run_neon', 'engine_run_neon_dot']
  .map((name) => `build/ctest/${name}`)
  .filter((path) => existsSync(path))
  .map((path) => EngineTool.find(path))
  .map((engine) => ({ engine, target: engine.target() }))
  .filter(({ target }) => target !== 'ref');

describe.each(engines)('kernels for $target equal the reference', ({ engine, target }) => {
  test.each(['i8', 'f32'] as const)('%s, random networks', async (dtype) => {
    let operators = 0;
    for (let seed = 1; seed <= 100; seed++) {
      const network = randomNetwork(seed, dtype);
      const expected = await run(reference, network, 'ref', seed);
      const actual = await run(engine, network, target, seed);
      const difference = greatestDifference(actual, expected);
      operators += network.operations.length;
      const what = `seed ${seed}: ${network.operations.map(({ code }) => code).join(', ')}`;
      expect([what, difference <= (dtype === 'i8' ? 0 : 1e-5 * Math.max(1, magnitude(expected)))]).toEqual([
        what,
        true,
      ]);
    }
    expect(operators).toBeGreaterThan(100);
  });

  test.each(['i8', 'f32'] as const)('%s, in bands', async (dtype) => {
    let banded = 0;
    for (let seed = 1; seed <= 40; seed++) {
      const network = mobileNetwork(seed, dtype);
      const expected = await run(reference, network, 'ref', seed);
      const inBands = (packed: Network): Network => {
        const { network: changed, plan } = bandNetwork(packed);
        expect(plan.arena).toBeLessThanOrEqual(planNetwork(packed).arena);
        banded += changed.bands === undefined ? 0 : 1;
        return changed;
      };
      const actual = await run(engine, network, target, seed, inBands);
      const most = dtype === 'i8' ? 0 : 1e-5 * Math.max(1, magnitude(expected));
      expect([seed, greatestDifference(actual, expected) <= most]).toEqual([seed, true]);
    }
    expect(banded).toBeGreaterThan(20);
  });
});

test('this machine has kernels of its own', () => {
  const own = { x64: 'x86', arm64: 'neon' }[process.arch as string];
  const targets = engines.map(({ target }) => target);
  expect(targets).toEqual(own === undefined ? [] : expect.arrayContaining([own]));
  if (process.env['CI'] !== undefined) expect(targets).toEqual(['x86', 'neon', 'neon-dot']);
});
