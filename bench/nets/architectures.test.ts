import { ARCHITECTURES, type Architecture } from './architectures.js';

/** Millions of multiply-accumulates and of parameters as their papers or the table give them. */
const PUBLISHED: [Architecture, macs: number, parameters: number][] = [
  ['mobilenet-v1', 569, 4.2],
  ['mobilenet-v2', 301, 3.5],
  ['squeezenet-1.1', 349, 1.24],
  ['mobilenet-v1-256', 743, 4.2],
  ['resnet-18-256', 2344, 11.5],
  ['darknet-256', 482, 7.3],
];

describe('the networks of the bench', () => {
  test.each(PUBLISHED)('%s has the published size', (name, macs, parameters) => {
    const net = ARCHITECTURES[name]();
    expect(Math.round(net.macs / 1e6)).toBe(macs);
    let count = 0;
    for (const layer of net.layers)
      if ('weightCount' in layer) count += layer.weightCount + layer.bias.length;
    expect(Math.abs(count / 1e6 - parameters)).toBeLessThan(0.06);
    expect(net.tensors.at(-1)).toEqual({ h: 1, w: 1, c: 1000 });
  });

  it('are the same every time', () => {
    const weights = (): number[] =>
      ARCHITECTURES['squeezenet-1.1']().layers.flatMap((layer) =>
        'weightCount' in layer ? [...layer.weights.subarray(0, 5)] : [],
      );
    expect(weights()).toEqual(weights());
  });
});
