/** int8 networks that are made here from float ones, against the float ones and against int8 files that were published with them. */
import {
  EngineTool,
  importTflite,
  quantise,
  simplify,
  type Network,
  type Quantised,
} from '../../clients/publisher/index.js';
import { normalisationOf } from '../../clients/publisher/normalisation.js';
import { buildGraph } from '../../clients/publisher/pack.js';
import { bestOf } from '../../clients/publisher/quantise/noise.js';
import { watch } from '../../clients/publisher/quantise/watcher.js';
import { cropsOf, realOf } from './crops.js';
import { CALIBRATION_PHOTOGRAPHS, sharedPhotographs, TEST_PHOTOGRAPHS } from './photographs.js';
import { describeWithOracle, sharedFile } from './shared.js';

const model = (name: string): Network => simplify(importTflite(sharedFile(`models/${name}`), name));

/** Of how many frames each network has the same best class as the first. */
const agreements = async (
  networks: readonly Network[],
  frames: readonly Float32Array[],
): Promise<number[]> => {
  const counts = networks.map(() => 0);
  await watch(
    EngineTool.find(),
    networks,
    frames,
    (values) => {
      const best = values.map(([output]) => bestOf(output ?? []));
      best.forEach((each, i) => (counts[i] = (counts[i] ?? 0) + (each === best[0] ? 1 : 0)));
    },
    'outputs',
  );
  return counts;
};

interface Pair {
  readonly float: string;
  readonly published: string;
  readonly side: number;
  readonly real: (value: number) => number;
}

const COUNT = 1000;
/** `npm run test:long` takes all. */
const SAMPLED = process.env['SMART_ZONE_TEST_LONG'] === '1' ? COUNT : 200;

/** Quantises, and lets the float network, the published one and ours look at pictures that calibration did not see. */
const compare = async ({ float: file, published, side, real }: Pair): Promise<Quantised> => {
  const float = model(file);
  const levels = Array.from({ length: 256 }, (_, byte) => real(byte));
  const shape = { width: side, height: side };
  const calibration = cropsOf(await CALIBRATION_PHOTOGRAPHS(), { ...shape, count: 100, seed: 1 });
  const ours = await quantise(
    float,
    calibration.map((frame) => realOf(frame, real)),
    { levels },
  );
  const frames = cropsOf(await TEST_PHOTOGRAPHS(), { ...shape, count: SAMPLED, seed: 2 });
  const [of, theirs = NaN, here = NaN] = await agreements(
    [float, model(published), ours.network],
    frames.map((frame) => realOf(frame, real)),
  );
  console.info(
    `${file}: top-1 as float on ${of}/${COUNT} crops: ${published} ${theirs}, quantised here ${here}`,
  );
  expect(of).toBe(SAMPLED);
  expect(here).toBeGreaterThanOrEqual(theirs - SAMPLED / 100);
  return ours;
};

describeWithOracle('quantised from float', () => {
  test('person detection agrees with float within a point of what the published int8 file does', async () => {
    const { report } = await compare({
      ...{ float: 'vww_96_float.tflite', published: 'vww_96_int8.tflite' },
      ...{ side: 96, real: (value) => value / 255 },
    });
    expect(report.calibrationFrames).toBe(100);
    expect(report.equalised).toBe(true);
    expect(report.tried.map(({ decibels }) => decibels > 15)).toEqual([true, true, true, true]);
  });

  test('so do the classes of CIFAR', async () => {
    await compare({
      ...{ float: 'pretrainedResnet.tflite', published: 'pretrainedResnet_quant.tflite' },
      ...{ side: 32, real: (value) => value },
    });
  });

  test('it is the same on the reference kernels, and within what it says of pictures that it has not seen', async () => {
    const float = model('pretrainedResnet.tflite');
    const shape = { width: 32, height: 32, count: 20 };
    const frames = async (name: string, seed: number): Promise<Float32Array[]> =>
      cropsOf(await sharedPhotographs(name), { ...shape, seed }).map((frame) =>
        realOf(frame, (byte) => byte),
      );
    const test = await frames('bird', 4);
    const steps = new Set<string>();
    const { network, report } = await quantise(float, await frames('cat', 3), {
      test,
      progress: (step) => steps.add(step),
    });
    expect([...steps]).toContain('comparing with float');
    expect(report.test).toMatchObject({ frames: 20 });
    expect(report.test?.layers).toHaveLength(network.operations.length);
    for (const { decibels } of report.test?.layers ?? []) expect(decibels ?? 99).toBeGreaterThan(5);
    const engine = EngineTool.find();
    const outputs = await Promise.all(
      (['ref', engine.target()] as const).map((target) => {
        const graph = buildGraph(network, {
          ...{ head: undefined, target, segmentBytes: 65536, mostSegmentBytes: 65536 },
          normalisation: normalisationOf(network, 'bytes'),
        });
        return engine.run(graph, 'f32', new Uint8Array(test[0]?.buffer ?? new ArrayBuffer(0)));
      }),
    );
    expect(outputs[0]?.[0]?.length).toBe(10);
    expect(outputs[1]).toEqual(outputs[0]);
  });

  test('what is int8 already, and frames that do not fit, are refused', async () => {
    await expect(quantise(model('vww_96_int8.tflite'), [])).rejects.toThrow(
      /is i8: the network has to be float32/,
    );
    const float = model('vww_96_float.tflite');
    await expect(quantise(float, [])).rejects.toThrow('there is no frame to calibrate with');
    await expect(quantise(float, [new Float32Array(5)])).rejects.toThrow(/5 values, .* takes 27648/);
  });
});
