/* ONNX files that are no models, or models made to harm: one clear error each, in bounded time and memory. */
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { NetBuilder, type Net } from '../../bench/nets/net.js';
import { quantise } from '../../bench/nets/quantise.js';
import { floatOnnx, int8Onnx } from '../../bench/peers/onnx.js';
import { OnnxGraph, type OnnxType } from '../../bench/peers/onnx-graph.js';
import { MessageWriter } from '../../bench/peers/protobuf.js';
import {
  importModel,
  importOnnx,
  ModelImportError,
  planGraph,
  SUPPORTED_ONNX_OPERATORS,
} from '../../clients/publisher/index.js';
import { boundInputs, CASES_FOLDER, casesIn, operatorsOf } from './onnx-cases.js';

/** The problems of an import that must fail. */
const problemsOf = (
  file: Uint8Array,
  beside?: (name: string) => Uint8Array | undefined,
): readonly string[] => {
  try {
    importModel(file, 'test.onnx', beside ?? (() => undefined));
  } catch (error) {
    if (error instanceof ModelImportError) return error.problems;
    throw error;
  }
  throw new Error('the import succeeded');
};

const int64s = (...values: number[]): Uint8Array => new Uint8Array(BigInt64Array.from(values, BigInt).buffer);

type Nodes = (graph: OnnxGraph) => void;

const model = (nodes: Nodes, dims: readonly number[] = [1, 4], output = 'y'): Uint8Array => {
  const graph = new OnnxGraph('test');
  nodes(graph);
  return graph.finish({ name: 'x', type: 'float', dims }, { name: output, type: 'float', dims });
};

const small = (): Net => {
  const net = new NetBuilder('small', { h: 8, w: 8, c: 3 }, 3);
  const x = net.depthwise(net.conv(0, 8, 3, 2, 'relu6'), 3, 1, 'relu6');
  const y = net.add(net.conv(x, 8, 1, 1, 'none'), x);
  net.softmax(net.conv(net.globalMean(net.concat(y, net.maxPool(x, 3, 1, 'same'))), 10, 1, 1, 'none'));
  return net.build();
};
const FLOAT = floatOnnx(small());
const INT8 = int8Onnx(quantise(small(), new Array<[number, number]>(20).fill([-3, 3])), true);

test('the files that are to be damaged are whole', () => {
  for (const file of [FLOAT, INT8]) expect(planGraph(importOnnx(file)).arena).toBeGreaterThan(0);
});

describe('what cannot be imported', () => {
  test('every unsupported operator is named with its place, in one run', () => {
    const file = model((graph) => {
      graph.node('Erf', ['x'], 'a');
      graph.node('Relu', ['a'], 'b');
      graph.node('ConvTranspose', ['b', 'b'], 'c');
      graph.node('Einsum', ['c'], 'd');
      graph.node('GRU', ['x', 'x', 'x'], 'y');
    });
    expect(problemsOf(file)).toEqual([
      'Erf #0 "a" (gives a) is not supported',
      'ConvTranspose #2 "c" (gives c) is not supported',
      'Einsum #3 "d" (gives d) is not supported',
      'GRU #4 "y" (gives y) is not supported',
    ]);
  });

  const constant = (
    graph: OnnxGraph,
    name: string,
    type: OnnxType,
    dims: number[],
    data: Uint8Array,
  ): string => graph.constant(name, type, dims, data);

  const CASES: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ['nothing', new Uint8Array(0), /not an ONNX model/],
    ['text', Buffer.from('A text that is no model at all.'), /not an ONNX model/],
    ['zeros', new Uint8Array(100_000), /not an ONNX model/],
    ['another format', Buffer.from('\x1c\0\0\0TFL3\0\0\0\0'), /not an ONNX model/],
    [
      'a circle',
      model((graph) => {
        graph.node('Add', ['x', 'b'], 'a');
        graph.node('Relu', ['a'], 'b');
        graph.node('Relu', ['b'], 'y');
      }),
      /Add #0 .* reads b before it is computed/,
    ],
    [
      'a node that reads itself',
      model((graph) => graph.node('Relu', ['y'], 'y')),
      /reads y before it is computed/,
    ],
    [
      'two nodes that give one value',
      model((graph) => {
        graph.node('Relu', ['x'], 'y');
        graph.node('Tanh', ['x'], 'y');
      }),
      /Tanh #1 .* writes y, which has a value already/,
    ],
    [
      'an output that nothing gives',
      model((graph) => graph.node('Relu', ['x'], 'z')),
      /output y reads y before/,
    ],
    ['2^31 elements', model((graph) => graph.node('Relu', ['x'], 'y'), [1, 2 ** 31]), /dimension 1/],
    [
      '2^60 elements',
      model((graph) => graph.node('Relu', ['x'], 'y'), [2 ** 20, 2 ** 20, 2 ** 20]),
      /too large/,
    ],
    ['2^31 - 1 rows', model((graph) => graph.node('Relu', ['x'], 'y'), [1, 3, 2 ** 31 - 1, 1]), /too large/],
    [
      'a reshape into too much',
      model((graph) => {
        graph.node(
          'Reshape',
          ['x', constant(graph, 's', 'int64', [3], int64s(2 ** 31, 2 ** 31, 2 ** 31))],
          'y',
        );
      }),
      /Reshape #0 .* makes \[2147483648/,
    ],
    [
      'a constant of 2^40 zeros',
      model((graph) => {
        graph.node('ConstantOfShape', [constant(graph, 's', 'int64', [2], int64s(2 ** 20, 2 ** 20))], 'a');
        graph.node('Add', ['x', 'a'], 'y');
      }),
      /makes a constant of/,
    ],
    [
      'many constants, each of the greatest size',
      model((graph) => {
        const shape = constant(graph, 's', 'int64', [1], int64s(2 ** 24));
        for (let i = 0; i < 200; i++) graph.node('ConstantOfShape', [shape], `a${i}`);
        graph.node('Relu', ['x'], 'y');
      }),
      /more of the constants than they can be meant for/,
    ],
    [
      'an impossible padding',
      model((graph) =>
        graph.node('Pad', ['x', constant(graph, 'p', 'int64', [4], int64s(0, 2 ** 40, 0, 0))], 'y'),
      ),
      /Pad #0 .* has paddings/,
    ],
    [
      'a resized picture beyond any size',
      model(
        (graph) => {
          const sizes = constant(graph, 'sizes', 'int64', [4], int64s(1, 3, 2 ** 22, 2 ** 22));
          graph.node('Resize', ['x', '', '', sizes], 'y', { mode: { text: 'nearest' } });
        },
        [1, 3, 4, 4],
      ),
      /Resize #0/,
    ],
    [
      'constants with fewer bytes than their shape',
      model((graph) => {
        constant(graph, 'w', 'float', [2 ** 15, 2 ** 15], new Uint8Array(64));
        graph.node('MatMul', ['x', 'w'], 'y');
      }),
      /constant w is float \[32768, 32768\], but the file has 64 bytes for it/,
    ],
    [
      'a step of 0',
      model((graph) => {
        const list = (name: string, value: number): string =>
          constant(graph, name, 'int64', [1], int64s(value));
        graph.node('Slice', ['x', list('a', 0), list('b', 4), list('c', 1), list('d', 0)], 'y');
      }),
      /Slice #0 .* has a step of 0/,
    ],
    [
      'a window larger than the picture',
      model((graph) => graph.node('MaxPool', ['x'], 'y', { kernel_shape: [9, 9] }), [1, 1, 4, 4]),
      /has a window of 9 over 4 elements/,
    ],
    [
      'strides of 0',
      model(
        (graph) => graph.node('MaxPool', ['x'], 'y', { kernel_shape: [2, 2], strides: [0, 1] }),
        [1, 1, 4, 4],
      ),
      /stride 0/,
    ],
  ];

  test.each(CASES)('%s', (_, file, message) => {
    expect(problemsOf(file).join('\n')).toMatch(message);
  });

  test('negative dimensions', () => {
    const minusOne = Uint8Array.of(...new Array<number>(9).fill(0xff), 1);
    const tensor = new MessageWriter()
      .bytes(1, minusOne)
      .integer(2, 1)
      .text(8, 'w')
      .bytes(9, new Uint8Array(4));
    const node = new MessageWriter().text(1, 'x').text(1, 'w').text(2, 'y').text(4, 'Add');
    const shape = new MessageWriter().message(1, new MessageWriter().integer(1, 4));
    const type = new MessageWriter().message(1, new MessageWriter().integer(1, 1).message(2, shape));
    const value = (name: string): MessageWriter => new MessageWriter().text(1, name).message(2, type);
    const graph = new MessageWriter()
      .message(1, node)
      .message(5, tensor)
      .message(11, value('x'))
      .message(12, value('y'));
    const opset = new MessageWriter().integer(2, 13);
    const file = new MessageWriter().integer(1, 8).message(7, graph).message(8, opset).finish();
    expect(problemsOf(file).join()).toMatch(/constant w has the impossible shape \[-1\]/);
  });

  test('millions of empty nodes', () => {
    const graph = Buffer.alloc(6_000_000);
    for (let i = 0; i < graph.length; i += 2) graph[i] = 0x0a;
    const file = new MessageWriter().integer(1, 8).bytes(7, graph).finish();
    expect(problemsOf(file).join()).toMatch(/more than 2000000 fields/);
  });
});

describe('values in another file', () => {
  const external = (entries: Record<string, string>): Uint8Array => {
    const tensor = new MessageWriter().integer(1, 4).integer(2, 1).text(8, 'w').integer(14, 1);
    for (const [key, value] of Object.entries(entries))
      tensor.message(13, new MessageWriter().text(1, key).text(2, value));
    const node = new MessageWriter().text(1, 'x').text(1, 'w').text(2, 'y').text(4, 'Add');
    const shape = new MessageWriter().message(1, new MessageWriter().integer(1, 4));
    const type = new MessageWriter().message(1, new MessageWriter().integer(1, 1).message(2, shape));
    const value = (name: string): MessageWriter => new MessageWriter().text(1, name).message(2, type);
    const graph = new MessageWriter()
      .message(1, node)
      .message(5, tensor)
      .message(11, value('x'))
      .message(12, value('y'));
    return new MessageWriter()
      .integer(1, 8)
      .message(7, graph)
      .message(8, new MessageWriter().integer(2, 13))
      .finish();
  };
  const data = new Uint8Array(Float32Array.of(9, 1, 2, 3, 4).buffer);
  const beside = (name: string): Uint8Array | undefined => (name === 'weights.bin' ? data : undefined);

  test('are read from where the model says', () => {
    const file = external({ location: 'weights.bin', offset: '4', length: '16' });
    const network = importOnnx(file, 'test', { beside });
    expect([...(network.operations[0]?.inputs[1]?.data ?? [])]).toEqual([1, 2, 3, 4]);
  });

  test.each([
    [{ location: '../weights.bin' }, /not a file beside the model/],
    [{ location: 'a/../../weights.bin' }, /not a file beside the model/],
    [{ location: '/etc/passwd' }, /not a file beside the model/],
    [{ location: 'C:\\weights.bin' }, /not a file beside the model/],
    [{}, /not a file beside the model/],
    [{ location: 'other.bin' }, /"other.bin", which is missing/],
    [{ location: 'weights.bin', offset: '8' }, /has 12 bytes for it/],
    [{ location: 'weights.bin', offset: '8', length: '16' }, /lies at 8 to 24 .* which has 20 bytes/],
    [{ location: 'weights.bin', offset: '9007199254740993' }, /impossible offset/],
    [{ location: 'weights.bin', offset: '-4' }, /impossible offset/],
    [{ location: 'weights.bin', length: '1e3' }, /impossible length/],
  ])('%j', (entries, message) => {
    expect(problemsOf(external(entries), beside).join()).toMatch(message);
  });
});

/** Numerical Recipes' generator: the same damage every time. */
const random = (seed: number): ((most: number) => number) => {
  let state = seed;
  return (most) => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % most;
  };
};

describe('damaged files', () => {
  const none = new Map<string, Uint8Array>();
  const real = [
    { file: FLOAT, inputs: none },
    { file: INT8, inputs: none },
  ];
  // ONNX's own models, where they are installed: every eighth of those that can be imported.
  const leftOut = JSON.parse(readFileSync('test/models/onnx-left-out.json', 'utf8')) as Record<
    string,
    string
  >;
  if (existsSync(CASES_FOLDER))
    for (const one of casesIn('node').filter((_, i) => i % 8 === 0)) {
      const operators = operatorsOf(one.model);
      if (one.name in leftOut || !operators.every((name) => SUPPORTED_ONNX_OPERATORS.includes(name)))
        continue;
      if (operators.length > 0) real.push({ file: one.model, inputs: boundInputs(one) });
    }

  test('cut off anywhere: no network where an operator is missing', () => {
    for (let length = 0; length < FLOAT.length - 1; length += 61)
      expect(problemsOf(FLOAT.subarray(0, length)).length).toBeGreaterThan(0);
  });

  test('bytes changed, taken out and put in: one clear error, or a network', () => {
    const next = random(2026);
    const outcomes = { refused: 0, imported: 0 };
    const before = process.memoryUsage().rss;
    for (let round = 0; round < 2000; round++) {
      const { file: whole, inputs } = real[next(2) === 0 ? next(2) : next(real.length)] ?? real[0]!;
      let file = Buffer.from(whole);
      for (let i = 0; i <= next(3); i++) {
        const at = next(Math.max(1, file.length));
        // Single bits, the ends of ranges, and lengths that do not fit any more.
        const kind = next(8);
        if (kind < 2) file[at] = next(256);
        else if (kind < 5) file[at] = (file[at] ?? 0) ^ (1 << next(8));
        else if (kind === 5) file.fill(0xff, at, Math.min(file.length, at + 1 + next(10)));
        else if (kind === 6) file = Buffer.concat([file.subarray(0, at), file.subarray(at + 1 + next(8))]);
        else file = Buffer.concat([file.subarray(0, at), file.subarray(Math.max(0, at - next(40)))]);
      }
      try {
        planGraph(importOnnx(file, 'damaged', { inputs }));
        outcomes.imported++;
      } catch (error) {
        if (!(error instanceof ModelImportError)) throw new Error(`round ${round}`, { cause: error });
        outcomes.refused++;
      }
    }
    const grown = (process.memoryUsage().rss - before) / 2 ** 20;
    process.stdout.write(
      `damaged ONNX files: ${outcomes.refused} refused, ${outcomes.imported} imported, memory grew by ${grown.toFixed(0)} MiB\n`,
    );
    expect(outcomes.refused).toBeGreaterThan(400);
    expect(outcomes.imported).toBeGreaterThan(50);
    expect(grown).toBeLessThan(400);
  });
});

test('the command ends with status 65', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'smart-zone-onnx-'));
  try {
    const file = join(folder, 'damaged.onnx');
    writeFileSync(file, FLOAT.subarray(0, 1000));
    const run = new Promise((done) => {
      execFile(
        process.execPath,
        [resolve('dist/clients/cli/main.js'), 'model', 'import', file],
        (error, _, stderr) => done([error?.code, stderr]),
      );
    });
    expect(await run).toEqual([
      65,
      expect.stringMatching(/^smart-zone: .*damaged.onnx: not an ONNX model, or damaged: .*\n$/),
    ]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
