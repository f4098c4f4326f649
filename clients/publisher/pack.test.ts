import { readFileSync } from 'node:fs';
import { SmartZoneError } from '../../protocol/errors.js';
import { AgreementKey, SigningKey } from '../../protocol/keys.js';
import { openModelOffer, verifyModelOffer } from '../../protocol/messages/model-offer.js';
import { buildTflite, floats, Type, type ModelSpec } from '../../test/models/tflite-builder.js';
import {
  importTflite,
  openPackage,
  pack,
  readPackage,
  signPackage,
  wrapFor,
  type GoldenRunner,
  parseLabels,
  type Network,
  type PackOptions,
} from './index.js';

const faces = importTflite(
  new Uint8Array(readFileSync('node_modules/@mediapipe/face_detection/face_detection_short_range.tflite')),
);

/** The engine's place in tests of everything around it; test/models runs the real one. */
const recorded: GoldenRunner = {
  run: (graph) => {
    const view = new DataView(graph.bytes.buffer);
    return Promise.resolve(
      Array.from({ length: view.getUint16(20, true) }, (_, i) => new Uint8Array(8).fill(i + 1)),
    );
  },
};
const seal = (network: Network, options: Partial<PackOptions> = {}) =>
  pack(network, { name: 'test', golden: recorded, ...options });

/** The code of the error that it must end in. */
const codeOf = (action: () => unknown): string => {
  try {
    action();
  } catch (error) {
    if (error instanceof SmartZoneError) return error.code;
    throw error;
  }
  return 'no error';
};
const publisher = SigningKey.fromSeed(new Uint8Array(32).fill(1));

const classifier = (classes: number, softmax: boolean, type: number = Type.FLOAT32): Network => {
  const scales = type === Type.INT8 ? { scales: [0.1], zeroPoints: [0] } : {};
  const spec: ModelSpec = {
    tensors: [
      { shape: [1, classes], type, ...scales },
      { shape: [1, classes], type, ...scales },
    ],
    operators: [{ name: softmax ? 'SOFTMAX' : 'TANH', inputs: [0], outputs: [1], options: [[0, 'f32', 1]] }],
    inputs: [0],
    outputs: [1],
  };
  return importTflite(buildTflite(spec));
};

describe('a package', () => {
  test('opens with its content key, signature and all digests right', async () => {
    const model = await seal(faces, { name: 'faces' });
    const { bytes, digest } = signPackage(model, publisher, 3);
    const read = readPackage(bytes, publisher.publicKey);
    expect(read.digest).toEqual(digest);
    expect(read.manifest).toMatchObject({ sequence: 3, memory: model.memory, target: 'ref' });
    const { header, weights, golden } = openPackage(read, model.contentKey);
    expect(header).toEqual(model.header);
    expect(weights).toEqual(model.graph.segments);
    expect(golden.outputs.map(({ length }) => length)).toEqual([8, 8]);
    expect(golden.frame).toHaveLength(128 * 128 * 3);
  });

  test('does not open with another key, nor with segments exchanged', async () => {
    const model = await seal(faces);
    const read = readPackage(signPackage(model, publisher, 1).bytes);
    expect(codeOf(() => openPackage(read, new Uint8Array(16)))).toBe('MODEL_DIGEST');
    const [header, first, second, ...rest] = read.segments;
    if (!header || !first || !second) throw new Error('too few segments');
    const swapped = { ...read, segments: [header, second, first, ...rest] };
    expect(codeOf(() => openPackage(swapped, model.contentKey))).toBe('MODEL_DIGEST');
    const other = SigningKey.fromSeed(new Uint8Array(32).fill(2));
    const { bytes } = signPackage(model, publisher, 1);
    expect(codeOf(() => readPackage(bytes, other.publicKey))).toBe('BAD_SIGNATURE');
  });

  test('shows no weight in the clear', async () => {
    const model = await seal(faces);
    const { bytes } = signPackage(model, publisher, 1);
    const window = (from: Uint8Array): Buffer => Buffer.from(from.subarray(1000, 1016));
    const [segment = new Uint8Array(0)] = model.graph.segments;
    expect(Buffer.from(segment).includes(window(segment))).toBe(true);
    expect(Buffer.from(bytes).includes(window(segment))).toBe(false);
  });

  test('is given to one device by an offer', async () => {
    const model = await seal(faces);
    const signed = signPackage(model, publisher, 1);
    const device = SigningKey.fromSeed(new Uint8Array(32).fill(5)).kid;
    const deviceKey = AgreementKey.fromScalar(new Uint8Array(32).fill(6));
    const offer = wrapFor(
      { kid: device, agreementKey: deviceKey.publicKey },
      signed,
      model.contentKey,
      publisher,
      {
        rosterVersion: 7,
      },
    );
    const verified = verifyModelOffer(offer, publisher.publicKey);
    expect(verified.rosterVersion).toBe(7);
    expect(openModelOffer(verified, device, deviceKey)).toEqual(model.contentKey);
  });

  test('has a fresh content key every time', async () => {
    const [a, b] = [await seal(faces), await seal(faces)];
    expect(a.contentKey).not.toEqual(b.contentKey);
  });

  test('weights are in segments of the size asked for', async () => {
    const model = await seal(faces, { segmentBytes: 32 * 1024 });
    const sizes = model.graph.segments.map(({ length }) => length);
    expect(Math.max(...sizes)).toBeLessThanOrEqual(Math.max(32 * 1024, 4 * 96 * 96));
    expect(sizes.length).toBeGreaterThan(10);
  });
});

describe('what the results are', () => {
  test('BlazeFace is recognised by its shapes', async () => {
    const { header } = await seal(faces);
    expect(header).toMatchObject({
      results: { kind: 2 },
      labels: ['face'],
      input: { format: 'u8', dims: [128, 128, 3] },
    });
  });

  test('classes where the network ends in softmax; five of them, or fewer', async () => {
    expect((await seal(classifier(10, true))).header.results).toEqual({ kind: 1, most: 5 });
    expect((await seal(classifier(3, true))).header.results).toEqual({ kind: 1, most: 3 });
  });

  test('classes where there is a name for every output', async () => {
    const { header } = await seal(classifier(3, false), { labels: ['a', 'b', 'c'] });
    expect(header).toMatchObject({ results: { kind: 1, most: 3 }, labels: ['a', 'b', 'c'] });
  });

  test('an error of reconstruction where the output is like the input, and the input is kept for it', async () => {
    const model = await seal(classifier(3, false));
    expect(model.header.results).toEqual({ kind: 3, most: 1 });
    expect(model.graph.plan.arena).toBe(128);
  });

  test('a vector by wish, with its bytes', async () => {
    expect((await seal(classifier(7, false), { results: { kind: 'vector' } })).header.results).toEqual({
      kind: 4,
      most: 28,
    });
    const int8 = await seal(classifier(7, false, Type.INT8), { results: { kind: 'vector' } });
    expect(int8.header).toMatchObject({
      results: { kind: 4, most: 7 },
      tolerance: 0,
      input: { format: 'i8' },
    });
  });

  test.each<[string, Partial<PackOptions>]>([
    ['no name', { name: '' }],
    ['a name that is too long', { name: 'x'.repeat(65) }],
    ['a label that is too long', { labels: new Array<string>(100).fill('é'.repeat(25)) }],
    ['names for other classes', { labels: ['a', 'b'] }],
    ['more results than there can be', { results: { kind: 'topK', k: 65 } }],
    ['no results', { results: { kind: 'topK', k: 0 } }],
    ['detections of a network without anchors', { preset: 'face-detection-short-range' }],
    ['a golden frame of another size', { goldenFrame: new Uint8Array(3) }],
  ])('%s is refused', async (_, options) => {
    const wanted = seal(classifier(100, true), options);
    await expect(wanted).rejects.toBeInstanceOf(SmartZoneError);
    await expect(wanted).rejects.toMatchObject({ code: 'MODEL_IMPORT' });
  });

  const fullyConnected = (inputs: number, outputs: number): ModelSpec => ({
    tensors: [
      { shape: [1, inputs] },
      { shape: [1, outputs] },
      { shape: [outputs, inputs], data: floats(Array.from({ length: outputs * inputs }, (_, i) => i % 7)) },
    ],
    operators: [{ name: 'FULLY_CONNECTED', inputs: [0, 2], outputs: [1] }],
    inputs: [0],
    outputs: [1],
  });

  test('weights that no device could receive in one piece become several operators', async () => {
    const sealed = await seal(importTflite(buildTflite(fullyConnected(512, 1024))));
    expect(sealed.graph.segments).toHaveLength(2);
    expect(Math.max(...sealed.segments.map((segment) => segment.length))).toBeLessThanOrEqual(1572864);
  });

  test('weights of one output that are too long for a piece are refused', async () => {
    const wanted = seal(importTflite(buildTflite(fullyConnected(400_000, 2))));
    await expect(wanted).rejects.toThrow(/3200000 bytes, at most/);
  });
});

test('names of classes from a file lose synonyms where they are too long', () => {
  const text =
    '\ufefftench, Tinca tinca\r\nbald eagle, American eagle, Haliaeetus leucocephalus\n\n' +
    'ü'.repeat(30) +
    '\n';
  expect(parseLabels(text)).toEqual(['tench, Tinca tinca', 'bald eagle, American eagle', '', 'ü'.repeat(24)]);
});
