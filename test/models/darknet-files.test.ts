/* Bad Darknet files end in one error that names everything; whatever is accepted runs. */
import { existsSync } from 'node:fs';
import { Random } from '../../bench/nets/random.js';
import { importDarknet, ModelImportError, noiseFrame } from '../../clients/publisher/index.js';
import { elementCount, type Network } from '../../clients/publisher/network.js';
import { simplify } from '../../clients/publisher/simplify.js';
import { DarknetNet } from './darknet-net.js';
import { smallYolo } from './darknet-nets.js';
import { compute } from './onnx-engine.js';

const NET = '[net]\nwidth=16\nheight=16\nchannels=3\n';

const refusal = (cfg: string | Uint8Array, weights?: Uint8Array): ModelImportError => {
  try {
    importDarknet(cfg, weights ?? new Uint8Array(20), 'bad.cfg');
  } catch (error) {
    if (error instanceof ModelImportError) return error;
    throw error;
  }
  throw new Error('it was accepted');
};

const bad: [what: string, cfg: string, message: RegExp][] = [
  ['nothing', '', /does not begin with \[net\]/],
  ['no layers', NET, /no layer computes anything/],
  ['other text', 'hello', /line 1 is neither a \[section\] nor key=value/],
  ['options before sections', 'a=b', /line 1 is before the first \[section\]/],
  ['no [net]', '[convolutional]', /does not begin with \[net\]/],
  ['no picture', '[net]\ninputs=256\n[connected]', /line 1: \[net\] has no height, width and channels/],
  ['a negative size', '[net]\nwidth=-1\nheight=16\nchannels=3', /has width=-1, an integer from 1 to 16384/],
  [
    'a picture too large',
    '[net]\nwidth=16384\nheight=16384\nchannels=3\n[maxpool]',
    /has pictures of 16384 x 16384 x 3/,
  ],
  [
    '2^31 filters',
    `${NET}[convolutional]\nfilters=2147483648`,
    /line 5: \[convolutional\] has filters=2147483648, an integer/,
  ],
  ['filters in words', `${NET}[convolutional]\nfilters=many`, /has filters=many/],
  ['no stride', `${NET}[convolutional]\nstride=0`, /has stride=0/],
  ['a window larger than the picture', `${NET}[convolutional]\nsize=31`, /would give -14 x -14 x 1/],
  ['a group too many', `${NET}[convolutional]\nfilters=4\ngroups=2`, /gives 4 channels from 3 in 2 groups/],
  [
    'an unknown activation',
    `${NET}[convolutional]\nactivation=mish`,
    /activation=mish, known are linear, relu/,
  ],
  [
    'a route to itself',
    `${NET}[maxpool]\n[route]\nlayers=1`,
    /line 6: \[route\] reads layer 1, but before it are only layers 0 to 0/,
  ],
  ['a route forward', `${NET}[maxpool]\n[route]\nlayers=7\n[maxpool]`, /reads layer 7/],
  ['a route before the beginning', `${NET}[maxpool]\n[route]\nlayers=-9`, /reads layer -9/],
  ['a route to nowhere', `${NET}[maxpool]\n[route]`, /has no layers: which layers\?/],
  [
    'a route of 2^31 layers',
    `${NET}[maxpool]\n[route]\nlayers=${'0,'.repeat(70)}0`,
    /has 71 layers, at most 64/,
  ],
  [
    'a shortcut of another size',
    `${NET}[maxpool]\n[maxpool]\nstride=5\n[upsample]\nstride=9\n[shortcut]\nfrom=0`,
    /adds 16 x 16 pixels to 36 x 36/,
  ],
  [
    'a weighted shortcut',
    `${NET}[maxpool]\n[shortcut]\nfrom=0\nweights_type=per_feature`,
    /weights_type=per_feature/,
  ],
  [
    'routes of two sizes',
    `${NET}[maxpool]\n[maxpool]\nstride=2\n[route]\nlayers=0,1`,
    /puts 8 x 8 and 16 x 16 pixels together/,
  ],
  ['empty windows', `${NET}[maxpool]\nsize=2\npadding=9`, /some are empty/],
  [
    'upsampling without end',
    `${NET}${'[upsample]\nstride=255\n'.repeat(9)}`,
    /would give 4080 x 4080 x 3|would give \d+ x/,
  ],
  ['softmax over pixels', `${NET}[softmax]`, /over 16 x 16 pixels together/],
  ['yolo without anchors', `${NET}[yolo]\nclasses=1\nnum=1`, /has no anchors/],
  [
    'yolo of other channels',
    `${NET}[yolo]\nclasses=1\nnum=1\nanchors=1,1`,
    /reads 3 channels, 1 anchors x \(5 \+ 1 classes\) are 6/,
  ],
  ['a mask outside', `${NET}[yolo]\nclasses=1\nnum=1\nanchors=1,1\nmask=1`, /has 1 in its mask of 1 anchors/],
  ['a negative anchor', `${NET}[region]\nanchors=-1,1`, /two above 0/],
  ['a tree', `${NET}[region]\nanchors=1,1\ntree=a.tree`, /has a tree of classes/],
  [
    'weights shared',
    `${NET}[convolutional]\nshare_index=0\n[convolutional]\nshare_index=-1`,
    /share_index=-1, which is not supported/,
  ],
];

test.each(bad)('%s is refused', (_, cfg, message) => {
  expect(refusal(cfg).message).toMatch(message);
});

test('all sections that stand in the way are named in one run, with their lines', () => {
  const cfg = `${NET}[crop]\n[convolutional]\nactivation=selu\n\n[local]\n# a comment\n[lstm]\n[local]\n[route]\nlayers=99\n[yolo]\nclasses=80`;
  expect(refusal(cfg).problems).toEqual([
    'line 5: [crop] is not supported',
    expect.stringMatching(/^line 6: \[convolutional\] has activation=selu/),
    'lines 9, 12: [local] is not supported',
    'line 11: [lstm] is not supported',
    'line 15: [yolo] has no anchors',
  ]);
});

describe('weights', () => {
  const net = smallYolo();
  const weights = net.weights();

  test('must be there', () => {
    expect(() => importDarknet(net.cfg, undefined, 'a.cfg')).toThrow(
      /its weights are missing: the layers take [\d,]+ values/,
    );
  });

  test.each([0, 4, 15])('of %i bytes have no header', (length) => {
    expect(refusal(net.cfg, weights.subarray(0, length)).message).toMatch(/not even a header/);
  });

  test('too short or too long are those of another network', () => {
    expect(refusal(net.cfg, weights.subarray(0, -4)).message).toMatch(
      /\(4 too few\): weights of another network/,
    );
    expect(refusal(net.cfg, Buffer.concat([weights, weights])).message).toMatch(
      /left over\): weights of another/,
    );
    const wider = net.cfg.replace('filters=8', 'filters=60000').replace('filters=16', 'filters=60000');
    expect(refusal(wider, weights).message).toMatch(/the layers take 129,6\d\d,\d{3},\d{3} \(/);
  });

  test('that are no numbers are refused', () => {
    const holes = weights.slice();
    holes.fill(0xff, 400, 404);
    expect(refusal(net.cfg, holes).message).toMatch(/are not all numbers/);
  });

  test('at an odd address are read', () => {
    const odd = new Uint8Array(weights.length + 1).subarray(1);
    odd.set(weights);
    expect(importDarknet(net.cfg, odd).operations).toEqual(importDarknet(net.cfg, weights).operations);
  });

  test('given as the configuration are no text', () => {
    expect(refusal(weights).message).toMatch(/this is no text: give the \.cfg file/);
  });
});

/** One to four changes of a file: lines gone, doubled, moved, numbers replaced, bytes flipped. */
const mutate = (cfg: string, random: Random): string => {
  const lines = cfg.split('\n');
  const values = [
    '0',
    '-1',
    '1',
    '2',
    '3',
    '255',
    '65536',
    '2147483648',
    '-2147483648',
    '1e9',
    'NaN',
    '',
    '0.5',
    '7,8,9',
  ];
  const pick = <T>(list: readonly T[]): T => list[random.next() % list.length] as T;
  for (let times = (random.next() % 4) + 1; times > 0; times--) {
    const at = random.next() % lines.length;
    const line = lines[at] ?? '';
    switch (random.next() % 6) {
      case 0:
        lines.splice(at, 1);
        break;
      case 1:
        lines.splice(random.next() % lines.length, 0, line);
        break;
      case 2:
        lines[at] = line.replace(/=.*$/, () => `=${pick(values)}`);
        break;
      case 3:
        lines[at] = pick(lines);
        break;
      case 4:
        lines[at] = line.replace(/\d+/, (digits) => String(Number(digits) + (random.next() % 5) - 2));
        break;
      default:
        lines[at] =
          line.slice(0, random.next() % (line.length + 1)) + String.fromCharCode(random.next() % 256);
    }
  }
  return lines.join('\n');
};

/** Imports with as many values as the layers take, whatever they are. */
const importWithZeros = (cfg: string): Network | undefined => {
  const message = refusalOrUndefined(cfg, new Uint8Array(20));
  if (message === undefined) return importDarknet(cfg, new Uint8Array(20));
  const taken = /the layers take ([\d,]+) \(/.exec(message)?.[1];
  const bytes = Number(taken?.replaceAll(',', ''));
  return bytes < 1 << 22 ? importDarknet(cfg, new Uint8Array(bytes)) : undefined;
};

const refusalOrUndefined = (cfg: string, weights: Uint8Array): string | undefined => {
  try {
    importDarknet(cfg, weights);
    return undefined;
  } catch (error) {
    if (error instanceof ModelImportError) return error.message;
    throw error;
  }
};

test('altered files are refused in one way, or run', async () => {
  const seeds = [
    smallYolo().cfg,
    new DarknetNet(12, 10, 4, 1)
      .conv(8)
      .maxPool(2, 2)
      .conv(8, { groups: 8 })
      .conv(8)
      .shortcut(-2)
      .route([-1], 2, 1)
      .connected(5)
      .dropout()
      .softmax().cfg,
    new DarknetNet(8, 8, 4, 1).conv(4).reorg(2).upsample(2).route([-1, 0]).averagePool().cfg,
  ];
  const random = new Random(2026);
  const [rounds, began] = [3000, Date.now()];
  let [accepted, run] = [0, 0];
  const before = process.memoryUsage().rss;
  const withEngine = existsSync('build/ctest/engine_run');
  for (let round = 0; round < rounds; round++) {
    const network = importWithZeros(mutate(seeds[round % seeds.length] ?? '', random));
    if (network === undefined) continue;
    accepted++;
    const largest = Math.max(...network.operations.map(({ output }) => elementCount(output)));
    if (largest > 1 << 16 || accepted % 20 !== 0 || !withEngine) continue;
    const frame = noiseFrame({ format: 'f32', dims: network.input.dims });
    await compute(simplify(network), frame, 'f32');
    run++;
  }
  const grown = (process.memoryUsage().rss - before) / 2 ** 20;
  process.stdout.write(
    `${rounds} altered files: ${accepted} accepted, ${run} of these run, ${Date.now() - began} ms, ${grown.toFixed(0)} MiB more memory\n`,
  );
  expect(accepted).toBeGreaterThan(300);
  expect(accepted).toBeLessThan(rounds - 300);
  expect(grown).toBeLessThan(400);
});
