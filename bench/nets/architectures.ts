import { NetBuilder, type Net } from './net.js';

/**
 * The networks that the bench measures, exactly as published, batch norm folded, with random weights: speed does not depend
 * on what a network has learnt. Sources: MobileNetV1 (Howard et al. 2017, table 1), MobileNetV2 (Sandler et al. 2018, table
 * 2), SqueezeNet 1.1 (the authors' repository: 3×3 first layer, early pooling), Darknet Reference and ResNet-18 as the darknet
 * framework describes them (darknet.cfg, resnet18.cfg), since the paper's reference is built on it.
 */
export const ARCHITECTURES = {
  'mobilenet-v1': () => mobileNetV1('mobilenet-v1', 224),
  'mobilenet-v2': () => mobileNetV2(),
  'squeezenet-1.1': () => squeezeNet(),
  'mobilenet-v1-256': () => mobileNetV1('mobilenet-v1-256', 256),
  'resnet-18-256': () => resNet18(),
  'darknet-256': () => darknetReference(),
} as const satisfies Record<string, () => Net>;

export type Architecture = keyof typeof ARCHITECTURES;
export const ARCHITECTURE_NAMES = Object.keys(ARCHITECTURES) as Architecture[];

const CLASSES = 1000;
const LEAKY_SLOPE = 0.1; // activations.h of darknet
const SEED = 12345;

const mobileNetV1 = (name: string, size: number): Net => {
  const net = new NetBuilder(name, { h: size, w: size, c: 3 }, SEED);
  let x = net.conv(0, 32, 3, 2, 'relu6');
  const blocks: [channels: number, stride: number][] = [
    [64, 1],
    [128, 2],
    [128, 1],
    [256, 2],
    [256, 1],
    [512, 2],
    ...Array.from({ length: 5 }, (): [number, number] => [512, 1]),
    [1024, 2],
    [1024, 1],
  ];
  for (const [channels, stride] of blocks)
    x = net.conv(net.depthwise(x, 3, stride, 'relu6'), channels, 1, 1, 'relu6');
  net.softmax(net.conv(net.globalMean(x), CLASSES, 1, 1, 'none'));
  return net.build();
};

const mobileNetV2 = (): Net => {
  const net = new NetBuilder('mobilenet-v2', { h: 224, w: 224, c: 3 }, SEED);
  let x = net.conv(0, 32, 3, 2, 'relu6');
  const stages: [expansion: number, channels: number, repeats: number, stride: number][] = [
    [1, 16, 1, 1],
    [6, 24, 2, 2],
    [6, 32, 3, 2],
    [6, 64, 4, 2],
    [6, 96, 3, 1],
    [6, 160, 3, 2],
    [6, 320, 1, 1],
  ];
  for (const [expansion, channels, repeats, stride] of stages)
    for (let i = 0; i < repeats; i += 1) {
      const before = x;
      const { c } = net.shape(x);
      if (expansion > 1) x = net.conv(x, c * expansion, 1, 1, 'relu6');
      x = net.depthwise(x, 3, i === 0 ? stride : 1, 'relu6');
      x = net.conv(x, channels, 1, 1, 'none');
      if (i > 0) x = net.add(before, x);
    }
  x = net.conv(x, 1280, 1, 1, 'relu6');
  net.softmax(net.conv(net.globalMean(x), CLASSES, 1, 1, 'none'));
  return net.build();
};

const squeezeNet = (): Net => {
  const net = new NetBuilder('squeezenet-1.1', { h: 224, w: 224, c: 3 }, SEED);
  const fire = (x: number, squeeze: number, expand: number): number => {
    const squeezed = net.conv(x, squeeze, 1, 1, 'relu');
    return net.concat(net.conv(squeezed, expand, 1, 1, 'relu'), net.conv(squeezed, expand, 3, 1, 'relu'));
  };
  let x = net.maxPool(net.conv(0, 64, 3, 2, 'relu', 0), 3, 2);
  x = net.maxPool(fire(fire(x, 16, 64), 16, 64), 3, 2);
  x = net.maxPool(fire(fire(x, 32, 128), 32, 128), 3, 2);
  x = fire(fire(fire(fire(x, 48, 192), 48, 192), 64, 256), 64, 256);
  net.softmax(net.globalMean(net.conv(x, CLASSES, 1, 1, 'relu')));
  return net.build();
};

/** resnet18.cfg: shortcuts that change shape take every second pixel and fill the new channels with zeros. */
const resNet18 = (): Net => {
  const net = new NetBuilder('resnet-18-256', { h: 256, w: 256, c: 3 }, SEED);
  const leakyConv = (x: number, channels: number, window: number, stride: number, pad: number): number =>
    net.leaky(net.conv(x, channels, window, stride, 'none', pad), LEAKY_SLOPE);
  let x = net.maxPool(leakyConv(0, 64, 7, 2, 3), 2, 2);
  for (const channels of [64, 128, 256, 512])
    for (const first of [true, false]) {
      const { c } = net.shape(x);
      const stride = first && channels !== c ? 2 : 1;
      const y = net.conv(leakyConv(x, channels, 3, stride, 1), channels, 3, 1, 'none', 1);
      const shortcut = stride === 1 ? x : net.padChannels(net.subsample(x, stride), channels - c);
      x = net.leaky(net.add(shortcut, y), LEAKY_SLOPE);
    }
  net.softmax(net.conv(net.globalMean(x), CLASSES, 1, 1, 'none'));
  return net.build();
};

/**
 * darknet.cfg with the mean before the classifier (as resnet18.cfg has it): 0.482 GMAC, as the paper's reference runs it.
 * Darknet's own has the classifier first, over 4 × 4 pixels: 0.498.
 */
const darknetReference = (): Net => {
  const net = new NetBuilder('darknet-256', { h: 256, w: 256, c: 3 }, SEED);
  const leakyConv = (x: number, channels: number): number =>
    net.leaky(net.conv(x, channels, 3, 1, 'none', 1), LEAKY_SLOPE);
  let x = 0;
  for (const channels of [16, 32, 64, 128, 256, 512]) x = net.maxPool(leakyConv(x, channels), 2, 2);
  x = leakyConv(x, 1024);
  net.softmax(net.conv(net.globalMean(x), CLASSES, 1, 1, 'none'));
  return net.build();
};
