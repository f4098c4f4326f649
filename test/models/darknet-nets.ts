/** Networks as the .cfg files that are published with Darknet describe them, and small ones of the same kind. */
import { DarknetNet } from './darknet-net.js';

/** darknet.cfg: "Darknet Reference". */
export const darknetReference = (side = 256, classes = 1000): DarknetNet => {
  const net = new DarknetNet(side, side, 3, 1);
  for (const filters of [16, 32, 64, 128, 256, 512]) net.conv(filters).maxPool(2, 2);
  return net.conv(1024).averagePool().conv(classes, { size: 1, norm: false, activation: 'linear' }).softmax();
};

/** resnet18.cfg: shortcuts beyond a change of size read every second pixel. */
export const resNet18 = (side: number): DarknetNet => {
  const net = new DarknetNet(side, side, 3, 2);
  net.conv(64, { size: 7, stride: 2 }).maxPool(2, 2);
  for (const filters of [64, 128, 256, 512])
    for (const first of [true, false])
      net
        .conv(filters, { stride: first && filters > 64 ? 2 : 1 })
        .conv(filters, { activation: 'linear' })
        .shortcut(-3, 'leaky');
  return net.averagePool().conv(1000, { size: 1, norm: false, activation: 'linear' }).softmax();
};

/** MobileNetV1 (Howard et al. 2017, table 1) in Darknet's words: groups as many as channels. */
export const mobileNetV1 = (side: number, width: number): DarknetNet => {
  const net = new DarknetNet(side, side, 3, 3);
  const wide = (channels: number): number => channels * width;
  net.conv(wide(32), { stride: 2, activation: 'relu6' });
  const blocks = [
    [64, 1],
    [128, 2],
    [128, 1],
    [256, 2],
    [256, 1],
    [512, 2],
    [512, 1],
    [1024, 2],
    [1024, 1],
  ] as const;
  for (const [filters, stride] of blocks) {
    const groups = net.last.shape[0];
    net
      .conv(groups, { stride, groups, activation: 'relu6' })
      .conv(wide(filters), { size: 1, activation: 'relu6' });
  }
  return net.averagePool().conv(1000, { size: 1, norm: false, activation: 'linear' }).softmax();
};

export const TINY_ANCHORS = [10, 14, 23, 27, 37, 58, 81, 82, 135, 169, 344, 319];

/** yolov3-tiny.cfg: two maps, 80 classes. */
export const yoloV3Tiny = (side = 416, classes = 80): DarknetNet => {
  const net = new DarknetNet(side, side, 3, 4);
  for (const filters of [16, 32, 64, 128, 256]) net.conv(filters).maxPool(2, 2);
  net.conv(512).maxPool(2, 1).conv(1024).conv(256, { size: 1 }).conv(512);
  const last = { size: 1, norm: false, activation: 'linear' } as const;
  net.conv(3 * (5 + classes), last).yolo([3, 4, 5], TINY_ANCHORS, classes);
  net.route([-4]).conv(128, { size: 1 }).upsample(2).route([-1, 8]).conv(256);
  return net.conv(3 * (5 + classes), last).yolo([0, 1, 2], TINY_ANCHORS, classes);
};

/** yolov4-tiny.cfg: routes of a group of channels, scale_x_y. */
export const yoloV4Tiny = (side: number, classes = 80): DarknetNet => {
  const net = new DarknetNet(side, side, 3, 5);
  net.conv(32, { stride: 2 }).conv(64, { stride: 2 }).conv(64);
  for (const filters of [32, 64, 128]) {
    net
      .route([-1], 2, 1)
      .conv(filters)
      .conv(filters)
      .route([-1, -2])
      .conv(2 * filters, { size: 1 });
    net
      .route([-6, -1])
      .maxPool(2, 2)
      .conv(4 * filters);
  }
  const last = { size: 1, norm: false, activation: 'linear' } as const;
  const options = { scale_x_y: 1.05, beta_nms: 0.6 };
  net
    .conv(256, { size: 1 })
    .conv(512)
    .conv(3 * (5 + classes), last);
  net.yolo([3, 4, 5], TINY_ANCHORS, classes, options);
  net.route([-4]).conv(128, { size: 1 }).upsample(2).route([-1, 23]).conv(256);
  return net.conv(3 * (5 + classes), last).yolo([1, 2, 3], TINY_ANCHORS, classes, options);
};

export const REGION_ANCHORS = [
  1.3221, 1.73145, 3.19275, 4.00944, 5.05587, 8.09892, 9.47112, 4.84053, 11.2364, 10.0071,
];

/** The end of yolov2.cfg, with less before it: the finer map reorganised beside the coarser one, region with softmax. */
export const yoloV2Like = (width: number, height: number, classes: number): DarknetNet => {
  const net = new DarknetNet(width, height, 3, 6);
  net.conv(16).maxPool(2, 2).conv(32).maxPool(2, 2).conv(64).maxPool(2, 2).conv(64);
  net.route([-3]).conv(16, { size: 1 }).maxPool(2, 2).conv(16, { size: 1 });
  net.reorg(2).route([-6]).maxPool(2, 2).conv(64).route([-1, -4]).conv(64);
  return net
    .conv(5 * (5 + classes), { size: 1, norm: false, activation: 'linear' })
    .region(REGION_ANCHORS, classes);
};

/** A detector of a few kilobytes. */
export const smallYolo = (classes = 3): DarknetNet => {
  const net = new DarknetNet(48, 32, 3, 7);
  net.conv(8, { stride: 2 }).conv(16, { stride: 2 }).maxPool(2, 2).conv(16);
  const last = { size: 1, norm: false, activation: 'linear' } as const;
  net.conv(2 * (5 + classes), last).yolo([1, 2], [4, 6, 12, 9, 20, 28], classes);
  net.route([-3]).upsample(2).route([-1, 1]).conv(16, { activation: 'swish' });
  return net.conv(5 + classes, last).yolo([0], [4, 6, 12, 9, 20, 28], classes, { scale_x_y: 1.1 });
};
