import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { SoftwareDevice } from '../../clients/cli/software-device.js';
import { decodePicture, resizePicture, type Picture } from '../../clients/picture/index.js';
import {
  EngineTool,
  importTflite,
  inputRange,
  noiseFrame,
  openPackage,
  openReference,
  pack,
  readEdges,
  readModelFile,
  readPackage,
  signPackage,
  verify,
  type Agreement,
  type NamedFrame,
  type PackOptions,
  type SealedModel,
} from '../../clients/publisher/index.js';
import { SigningKey } from '../../protocol/index.js';
import { CASES } from './cases.js';
import { describeWithOracle, shared, sharedFile } from './shared.js';

interface VerifyCase {
  readonly file: string;
  readonly pack?: Partial<PackOptions>;
  /** What has to be changed before today's TFLite computes what the file says. */
  readonly patch?: ((file: Uint8Array) => Uint8Array) | undefined;
}

const MODULES = 'node_modules/@mediapipe';

/** Models that come with npm packages. */
const PUBLISHED: readonly VerifyCase[] = [
  { file: `${MODULES}/objectron/objectron_solution_packed_assets.data`, pack: { arena: 0 } },
  { file: `${MODULES}/objectron/object_detection_3d_camera.tflite`, pack: { arena: 0 } },
  { file: `${MODULES}/face_detection/face_detection_short_range.tflite` },
  { file: `${MODULES}/face_detection/face_detection_full_range.tflite` },
];

const SHARED: readonly VerifyCase[] = CASES.map(({ file, pixels, patch }) => ({
  file: path.join(shared, 'models', file),
  ...(pixels !== undefined && { pack: { pixels } }),
  patch,
}));

/**
 * Every model there is: imported, packed, run in a software TEE, and its labels compared with what its format's own runtime
 * computes.
 */
describe('every model verifies', () => {
  let device: SoftwareDevice;
  const engine = EngineTool.find();
  const publisher = SigningKey.generate();

  beforeAll(async () => {
    device = await SoftwareDevice.start();
    process.stdout.write(
      'model | frames | agree | least overlap | scores | outputs, relative | streamed KiB\n',
    );
  });
  afterAll(() => device.stop());

  const run = async (
    test: VerifyCase,
    frames: (model: SealedModel) => Promise<NamedFrame[]>,
  ): Promise<Agreement> => {
    const bytes = readModelFile(test.file);
    const model = await pack(importTflite(bytes, test.file), {
      name: path.basename(test.file).slice(0, 64),
      target: engine.target(),
      ...test.pack,
    });
    const signed = readPackage(signPackage(model, publisher, 1).bytes);
    await device.load(signed, model.contentKey, model.header.input);
    const agreement = await verify({
      content: openPackage(signed, model.contentKey),
      reference: await openReference(test.patch ? test.patch(bytes) : bytes, test.file),
      file: test.file,
      frames: await frames(model),
      device: (frame) => device.label(frame),
      engine,
    });
    const { agreeing, of, leastOverlap, scoreDifference, outputs } = agreement;
    const relative = outputs.map(({ greatest, magnitude }) => (greatest / magnitude).toExponential(1));
    process.stdout.write(
      `${path.basename(test.file)} | ${agreement.frames} | ${agreeing}/${of} | ${leastOverlap?.toFixed(4) ?? '-'} | ${scoreDifference.toExponential(1)} | ${relative.join(', ')} | ${(device.streamed / 1024).toFixed(0)}\n`,
    );
    expect(agreement.disagreements).toEqual([]);
    expect(agreeing).toBe(of);
    expect(scoreDifference).toBeLessThanOrEqual(0.05);
    expect(leastOverlap ?? 1).toBeGreaterThanOrEqual(0.9);
    return agreement;
  };

  const framesOf =
    (pictures: readonly (readonly [string, Picture])[]) =>
    ({ header: { input }, graph }: SealedModel): Promise<NamedFrame[]> => {
      const [height = 1, width = 1, channels = 1] = input.dims;
      const edge = readEdges(graph.bytes, graph.segments).input;
      const range = inputRange(edge.dtype === 'i8' ? edge : undefined);
      if (input.format !== 'u8')
        return Promise.resolve(
          [1, 2].map((seed) => ({ name: `noise ${seed}`, data: noiseFrame(input, seed, range) })),
        );
      const shape = { width, height, channels: channels === 1 ? 1 : 3 } as const;
      return Promise.resolve(
        pictures.map(([name, picture]) => ({ name, data: resizePicture(picture, shape).data })),
      );
    };

  const read = async (names: readonly string[]): Promise<(readonly [string, Picture])[]> =>
    Promise.all(
      names.map(async (name) => [path.basename(name), await decodePicture(readFileSync(name))] as const),
    );

  test.each(PUBLISHED)('$file', async (test) => {
    const names = [1, 4].map((i) => `node_modules/@vladmandic/face-api/demo/sample${i}.jpg`);
    const sharedNames = existsSync(shared)
      ? ['cat', 'grace_hopper'].map((name) => `${shared}/images/${name}.bmp`)
      : [];
    await run(test, framesOf(await read([...names, ...sharedNames])));
  });

  describeWithOracle('of the measured ones', () => {
    test('all are there', () => {
      const files = readdirSync(path.join(shared, 'models')).filter((name) => name.endsWith('.tflite'));
      expect(SHARED.map(({ file }) => path.basename(file)).sort()).toEqual(files.sort());
      expect(sharedFile('images/cat.bmp').length).toBeGreaterThan(0);
    });

    test.each(SHARED)('$file', async (test) => {
      const names = ['cat', 'grace_hopper', 'person'].map((name) => `${shared}/images/${name}.bmp`);
      await run(test, framesOf(await read(names)));
    });
  });
});
