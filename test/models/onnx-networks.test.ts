/*
 * Whole networks from .onnx files, float32 and int8 (QDQ), against ONNX Runtime and against the same network built for the engine by
 * hand: the bench's exact architectures with random weights.
 */
import { existsSync } from 'node:fs';
import { ARCHITECTURES, type Architecture } from '../../bench/nets/architectures.js';
import type { Net } from '../../bench/nets/net.js';
import { floatNetwork, int8Network } from '../../bench/nets/network.js';
import { quantise, type Range } from '../../bench/nets/quantise.js';
import { floatOnnx, int8Onnx } from '../../bench/peers/onnx.js';
import { noiseFrame, type Network } from '../../clients/publisher/index.js';
import { simplify } from '../../clients/publisher/simplify.js';
import { bestTwo, greatestDifference, magnitude } from './comparison.js';
import { compute, inBoth } from './onnx-engine.js';

const operatorsOf = ({ operations }: Network): string[] => operations.map(({ code }) => code);

const names: Architecture[] = ['mobilenet-v2', 'squeezenet-1.1', 'mobilenet-v1', 'darknet-256'];

/** Ranges as they would be observed; which they are makes no difference here. */
const ranges = (net: Net): Range[] => {
  const of: Range[] = net.tensors.map(() => [-4, 4]);
  for (const layer of net.layers) if ('clamp' in layer && layer.clamp !== 'none') of[layer.output] = [0, 6];
  of[0] = [-1, 1];
  return of;
};

(existsSync('build/ctest/engine_run') ? describe : describe.skip)('networks from ONNX files', () => {
  test.each(names)('%s, float32', async (name) => {
    const net = ARCHITECTURES[name]();
    const { network, ours, theirs } = await inBoth(floatOnnx(net), name);
    expect(operatorsOf(network)).toEqual(operatorsOf(simplify(floatNetwork(net))));
    const [actual = [], expected = []] = [ours[0], theirs[0]];
    expect(greatestDifference(actual, expected) / magnitude(expected)).toBeLessThanOrEqual(1e-5);
    expect(bestTwo(actual).best).toBe(bestTwo(expected).best);
  });

  test.each(names.slice(0, 2))('%s, int8', async (name) => {
    const net = ARCHITECTURES[name]();
    const quantised = quantise(net, ranges(net));
    const { network, ours, theirs } = await inBoth(int8Onnx(quantised), name);
    const byHand = simplify(int8Network(quantised));
    expect(operatorsOf(network)).toEqual(operatorsOf(byHand));
    const frame = noiseFrame({ format: 'i8', dims: byHand.input.dims });
    const [expected = []] = await compute(byHand, frame, 'i8');
    const [actual = [], reference = []] = [ours[0], theirs[0]];
    // Not a unit from what the engine computes of the same weights; the output of the file is uint8.
    expect(actual).toEqual(expected.map((value) => value + 128));
    expect(new Set(actual).size).toBeGreaterThan(20);
    // ONNX Runtime rounds sums in another order of operations: a unit here and there, on the way to the output some.
    const apart = actual.reduce((sum, value, i) => sum + Math.abs(value - (reference[i] ?? NaN)), 0);
    process.stdout.write(
      `${name} int8: ${greatestDifference(actual, reference)} units at most, ${(apart / actual.length).toFixed(3)} on average from ONNX Runtime\n`,
    );
    expect(greatestDifference(actual, reference)).toBeLessThanOrEqual(4);
    expect(apart / actual.length).toBeLessThan(0.7);
  });
});
