import { NetBuilder } from './net.js';
import { quantise, quantiseInput } from './quantise.js';

const build = (): NetBuilder => new NetBuilder('small', { h: 4, w: 4, c: 3 }, 1);

describe('quantise', () => {
  it('represents zero exactly and covers the range', () => {
    const net = build();
    net.conv(0, 8, 3, 1, 'none');
    const { tensors } = quantise(net.build(), [
      [-1, 1],
      [0.5, 6],
    ]);
    for (const [i, [least, greatest]] of (
      [
        [-1, 1],
        [0, 6],
      ] as const
    ).entries()) {
      const { scale, zeroPoint } = tensors[i] ?? { scale: 0, zeroPoint: 0 };
      expect(Number.isInteger(zeroPoint)).toBe(true);
      expect((-128 - zeroPoint) * scale).toBeCloseTo(least, 1);
      expect((127 - zeroPoint) * scale).toBeCloseTo(greatest, 1);
    }
  });

  it('rounds weights to half a step of their channel, symmetrically', () => {
    const net = build();
    net.conv(0, 8, 3, 1, 'relu');
    const built = net.build();
    const { weights } = quantise(built, [
      [-1, 1],
      [0, 6],
    ]);
    const [layer] = built.layers;
    if (layer?.op !== 'conv') throw new Error('no convolution');
    const quantised = weights.get(layer);
    const depth = layer.weightCount / layer.bias.length;
    layer.weights.forEach((weight, i) => {
      const scale = quantised?.scales[Math.floor(i / depth)] ?? 0;
      const q = quantised?.values[i] ?? 0;
      expect(Math.abs(q)).toBeLessThanOrEqual(127);
      expect(Math.abs(q * scale - weight)).toBeLessThanOrEqual(scale * 0.5001);
    });
  });

  it('gives one quantisation to what only moves values', () => {
    const net = build();
    const a = net.conv(0, 8, 1, 1, 'relu');
    const b = net.conv(0, 8, 3, 1, 'relu');
    const pooled = net.maxPool(net.concat(a, b), 2, 2);
    const { tensors } = quantise(net.build(), [
      [-1, 1],
      [0, 2],
      [0, 4],
      [0, 4],
      [0, 3],
    ]);
    for (const tensor of [a, b, pooled]) expect(tensors[tensor]).toEqual(tensors[3]);
    expect(tensors[0]).not.toEqual(tensors[3]);
  });

  it('clamps inputs', () => {
    expect([...quantiseInput(Float32Array.of(-9, 0, 0.5, 9), { scale: 0.5, zeroPoint: -100 })]).toEqual([
      -118, -100, -99, -82,
    ]);
    expect([...quantiseInput(Float32Array.of(-90, 900), { scale: 0.5, zeroPoint: 0 })]).toEqual([-128, 127]);
  });
});
