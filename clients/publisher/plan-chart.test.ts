import { readFileSync } from 'node:fs';
import sharp from 'sharp';
import { importTflite, inspect, type Network } from './index.js';
import { tensorBytes, type Operation, type Tensor } from './network.js';
import { packNetwork } from './packing/pack-network.js';
import { drawPlan, summaryOf } from './plan-chart.js';
import { readPlan, type PlanOverTime } from './plan-lives.js';
import { planNetwork } from './plan.js';
import { simplify } from './simplify.js';
import type { OpCode } from './szg1.js';

const faces = (): Network =>
  importTflite(
    new Uint8Array(readFileSync('node_modules/@mediapipe/face_detection/face_detection_short_range.tflite')),
  );

/** A convolution that makes a picture of many channels, a depthwise one, one that makes few channels of them. */
const front = (): Network => {
  const tensor = (name: string, dims: readonly number[], data?: Float32Array): Tensor => ({
    name,
    dtype: 'f32',
    dims,
    ...(data && { data }),
  });
  const weights = (...dims: number[]): Tensor =>
    tensor('w', dims, new Float32Array(dims.reduce((a, b) => a * b, 1)).fill(0.5));
  const [x, many, wide, few] = [3, 64, 64, 4].map((c, i) => tensor(`t${i}`, [1, 32, 32, c])) as [
    Tensor,
    Tensor,
    Tensor,
    Tensor,
  ];
  const window = (code: OpCode, from: Tensor, w: Tensor, to: Tensor, pad: number): Operation => ({
    code,
    activation: 'NONE',
    inputs: [from, w, null],
    output: to,
    ints: [1, 1, 1, 1, pad, pad, pad, pad, 1],
    floats: [],
    origin: code,
  });
  return {
    input: x,
    outputs: [few],
    operations: [
      window('CONV_2D', x, weights(3, 3, 3, 64), many, 1),
      window('DEPTHWISE_2D', many, weights(1, 3, 3, 64), wide, 1),
      window('CONV_2D', wide, weights(1, 1, 64, 4), few, 0),
    ],
    boundary: { input: { type: 'f32' }, outputs: [{ type: 'f32' }] },
  };
};

const elementsOf = (svg: string, name: string): number => svg.split(`<${name} class="life`).length - 1;

describe('what a graph says about its plan', () => {
  const { plan, arena, arenaLowerBound } = inspect(faces());

  test('the arena, and what is in use at its highest, are those of the planner', () => {
    expect(plan.arena).toBe(arena);
    expect(plan.peak.bytes).toBe(Math.max(...plan.inUse));
    expect(plan.peak.bytes).toBeLessThanOrEqual(arenaLowerBound);
    expect(plan.peak.bytes).toBeGreaterThan(arenaLowerBound - 64 * plan.lives.length);
  });

  test('every tensor of the arena has a life; input and outputs last as long as the caller needs them', () => {
    const network = simplify(faces());
    expect(plan.operations).toHaveLength(network.operations.length);
    expect(plan.lives).toHaveLength(planNetwork(network).offsets.size);
    const [input, ...others] = plan.lives.filter(({ kind }) => kind === 'input');
    expect([input?.first, input?.bytes, others.length]).toEqual([-1, tensorBytes(network.input), 0]);
    const outputs = plan.lives.filter(({ kind }) => kind === 'output');
    expect(outputs.map(({ last }) => last)).toEqual(network.outputs.map(() => network.operations.length));
  });

  test('in bands everything that the operators use is in use at the same time', () => {
    const banded = inspect(front(), { target: 'x86', arena: 0 }).plan;
    const alone = inspect(front(), { target: 'x86' }).plan;
    expect(alone.bands).toBe(0);
    expect(banded.arena).toBeLessThan(alone.arena / 2);
    expect(banded.bands).toBeGreaterThan(1);
    const lines = banded.lives.filter(({ kind }) => kind === 'lines');
    expect(lines).toHaveLength(banded.bands - 1);
    expect(new Set(lines.map(({ first, last }) => `${first}..${last}`))).toEqual(
      new Set([`0..${banded.bands - 1}`]),
    );
  });

  test('scratch is in use during its operator', () => {
    const scratch = inspect(faces(), { target: 'neon' }).plan.lives.filter(({ kind }) => kind === 'scratch');
    const packed = packNetwork(simplify(faces()), { target: 'neon', mostBytes: 2 ** 20 });
    expect(scratch.map(({ first, last, bytes }) => [first, last, bytes])).toEqual(
      packed.operations.flatMap(({ scratchBytes }, i) =>
        scratchBytes === undefined ? [] : [[i, i, scratchBytes]],
      ),
    );
  });

  test.each([
    ['no graph', new Uint8Array(192)],
    ['nothing', new Uint8Array(0)],
  ])('%s is refused', (_, bytes) => {
    expect(() => readPlan(bytes)).toThrow(RangeError);
  });
});

describe('the picture', () => {
  const plan: PlanOverTime = {
    arena: 3072,
    operations: ['CONV_2D 0', 'ADD 1'],
    bands: 0,
    lives: [
      { kind: 'input', name: 'in <1>', offset: 0, bytes: 1024, first: -1, last: 1 },
      { kind: 'activation', name: 'a', offset: 1024, bytes: 1024, first: 0, last: 1 },
      { kind: 'output', name: 'b', offset: 2048, bytes: 512, first: 1, last: 2 },
    ],
    inUse: [1024, 2048, 2560, 512],
    peak: { operation: 1, bytes: 2560 },
  };

  test('has a rectangle for each tensor, its scale, and the peak by name', () => {
    const svg = drawPlan(plan, 'a & b');
    expect(elementsOf(svg, 'rect')).toBe(3);
    expect(svg).toContain('<title>in &lt;1&gt;, 1 KiB at 0</title>');
    expect(svg).toContain('a &amp; b');
    expect(svg).toContain('>ADD 1: 2.5 KiB</text>');
    expect(svg).not.toMatch(/<script|href|onload|url\(/);
    expect(summaryOf(plan)).toBe('arena 3 KiB, 0.5 KiB above the lower bound; peak 2.5 KiB at ADD 1');
  });

  test('is drawn where it should be', async () => {
    const { data, info } = await sharp(Buffer.from(drawPlan(plan, 'x')))
      .raw()
      .toBuffer({ resolveWithObject: true });
    const colourAt = (x: number, y: number): string =>
      data
        .subarray((y * info.width + x) * info.channels)
        .subarray(0, 3)
        .toString('hex');
    // Four columns between 84 and 980; the arena between 118 and 524 from top to bottom.
    expect(colourAt(100, 500)).toBe('4c78a8'); // the input at the bottom, from the start
    expect(colourAt(400, 300)).toBe('8fb8a0'); // its reader's output above it
    expect(colourAt(850, 200)).toBe('d0605e'); // the output, after the last operator
    expect(colourAt(850, 500)).toBe('ffffff'); // where nothing is left
  });
});
