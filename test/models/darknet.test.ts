/* Darknet's files in the engine against ONNX Runtime with the same values, layer by layer and for whole networks. */
import { existsSync } from 'node:fs';
import { bestTwo, greatestDifference, magnitude } from './comparison.js';
import { inBoth } from './darknet-compare.js';
import { DarknetNet } from './darknet-net.js';
import {
  darknetReference,
  mobileNetV1,
  resNet18,
  yoloV2Like,
  yoloV3Tiny,
  yoloV4Tiny,
} from './darknet-nets.js';

const small = (channels = 5): DarknetNet => new DarknetNet(13, 11, channels, 77);

const layers: [string, () => DarknetNet][] = [
  ['convolution with batch normalisation', () => small().conv(7)],
  ['convolution without', () => small().conv(7, { norm: false, activation: 'linear' })],
  ['convolution, padding of its own, stride 2', () => small().conv(6, { size: 5, stride: 2, padding: 1 })],
  ['convolution without padding', () => small().conv(6, { padding: 0, activation: 'relu' })],
  ['convolution, padding wider than its window', () => small().conv(6, { size: 1, padding: 2 })],
  ['convolution in groups', () => small(6).conv(9, { groups: 3, activation: 'logistic' })],
  ['depthwise', () => small(6).conv(6, { groups: 6, stride: 2, activation: 'relu6' })],
  ['depthwise, two outputs a channel', () => small(6).conv(12, { groups: 6, size: 5, activation: 'tanh' })],
  ['swish', () => small().conv(4, { activation: 'swish' })],
  ['max pooling', () => small().maxPool(2, 2)],
  ['max pooling, stride 1', () => small().maxPool(2, 1)],
  ['max pooling, 3 and 2', () => small().maxPool(3, 2)],
  ['max pooling, padding 1', () => small().maxPool(2, 2, 1)],
  ['max pooling, padding 0', () => small().maxPool(3, 2, 0)],
  ['max pooling, 13', () => small().maxPool(13, 1)],
  ['mean and softmax', () => small().averagePool().softmax()],
  ['softmax in groups', () => small(6).averagePool().softmax(2)],
  ['connected to a picture', () => small().maxPool(2, 2).connected(9)],
  [
    'connected with batch normalisation',
    () => small().connected(9, { norm: true, activation: 'leaky' }).dropout().connected(4),
  ],
  ['shortcut', () => small().conv(5).conv(5).shortcut(-2, 'relu')],
  [
    'shortcut to half the size',
    () => new DarknetNet(12, 10, 3, 5).conv(4).conv(9, { stride: 2 }).shortcut(-2),
  ],
  ['shortcut to half an odd size: a corner', () => small().conv(4).conv(9, { stride: 2 }).shortcut(-2)],
  ['shortcut to fewer channels', () => small().conv(4).conv(4).shortcut(0, 'leaky')],
  ['route of three', () => small().conv(4).conv(3).conv(2).route([-1, 0, -2])],
  ['route of nine', () => small().conv(4).conv(3).route([0, 1, 0, 1, 0, 1, 0, 1, 1]).conv(3)],
  ['route of a group', () => small().conv(6).route([-1], 3, 1).conv(4)],
  ['route of groups of two', () => small().conv(6).conv(4).route([-1, -2], 2, 1)],
  ['upsampling', () => small().conv(4).upsample(2)],
  ['reorg', () => new DarknetNet(8, 6, 8, 3).conv(8, { size: 1 }).reorg(2)],
  ['reorg3d', () => new DarknetNet(8, 6, 5, 3).conv(5, { size: 1 }).reorg(2, 'reorg3d')],
];

const networks: [string, () => DarknetNet][] = [
  ['Darknet Reference, 256 x 256', () => darknetReference()],
  ['ResNet-18, 128 x 128', () => resNet18(128)],
  ['MobileNetV1 0.25, 128 x 128', () => mobileNetV1(128, 0.25)],
  ['YOLOv3-tiny, 416 x 416', () => yoloV3Tiny()],
  ['YOLOv4-tiny, 160 x 160', () => yoloV4Tiny(160)],
  ['as YOLOv2, 96 x 64', () => yoloV2Like(96, 64, 4)],
];

const describeWithEngine = existsSync('build/ctest/engine_run') ? describe : describe.skip;
if (describeWithEngine !== describe) console.warn('skipped: Darknet: build the engine with make -C ta/test');

describeWithEngine('Darknet, run by the engine', () => {
  test.each(layers)('%s', async (_, net) => {
    const { ours, theirs } = await inBoth(net());
    expect(ours.length).toBeGreaterThan(3);
    expect(magnitude(theirs)).toBeGreaterThan(0.01);
    expect(greatestDifference(ours, theirs)).toBeLessThanOrEqual(1e-5 * magnitude(theirs));
  });

  test('a file with 32 bits for pictures seen', async () => {
    const { ours, theirs } = await inBoth(small().conv(4), 1);
    expect(greatestDifference(ours, theirs)).toBeLessThanOrEqual(1e-5 * magnitude(theirs));
  });

  // What the files that belong to the published .cfg files have.
  test.each([
    ['darknet.weights', () => darknetReference(), 29_293_940],
    ['yolov3-tiny.weights', () => yoloV3Tiny(), 35_434_956],
    ['yolov4-tiny.weights', () => yoloV4Tiny(416), 24_251_276],
  ] as const)('%s is as long as published', (_, net, length) => {
    expect(net().weights().length).toBe(length);
  });

  test.each(networks)('%s', async (name, net) => {
    const { network, ours, theirs } = await inBoth(net());
    const apart = greatestDifference(ours, theirs) / magnitude(theirs);
    process.stdout.write(
      `${name}: ${network.operations.length} operators, within ${apart.toExponential(1)}\n`,
    );
    expect(apart).toBeLessThanOrEqual(1e-5);
    expect(bestTwo(ours).best).toBe(bestTwo(theirs).best);
  });
});
