/**
 * Container headers that a publisher signed but that do not say what the graph says: refused when they are loaded, not when a
 * label is wrong.
 */
import {
  decodeContainerHeader,
  encodeContainerHeader,
  openSegment,
  sealSegment,
  type ContainerHeader,
} from '../../protocol/messages/model-container.js';
import { codeName } from '../../protocol/index.js';
import { importTflite, pack, type SealedModel } from '../../clients/publisher/index.js';
import { buildTflite, floats, Type } from '../models/tflite-builder.js';
import { type DeviceUnderTest, expectOk, type Party, readyDevice } from './device-under-test.js';

let device: DeviceUnderTest;
let publisher: Party;

beforeAll(async () => {
  ({ device, publisher } = await readyDevice());
});
afterAll(() => device.stop());

const withHeader = (model: SealedModel, change: Partial<ContainerHeader>): SealedModel => {
  const header = decodeContainerHeader(openSegment(model.contentKey, 0, model.segments[0]!));
  const altered = sealSegment(model.contentKey, 0, encodeContainerHeader({ ...header, ...change }));
  return { ...model, segments: [altered, ...model.segments.slice(1)] };
};

const classifier = (kind: 'vector' | 'topK'): Promise<SealedModel> => {
  const tensor = { shape: [1, 7], type: Type.FLOAT32 };
  const network = importTflite(
    buildTflite({
      tensors: [
        tensor,
        { ...tensor, shape: [7, 7], data: floats(Array.from({ length: 49 }, (_, i) => i / 49)) },
        { ...tensor, shape: [7], data: floats(Array.from({ length: 7 }, (_, i) => i)) },
        tensor,
      ],
      operators: [{ name: 'FULLY_CONNECTED', inputs: [0, 1, 2], outputs: [3] }],
      inputs: [0],
      outputs: [3],
    }),
  );
  return pack(network, { name: 'small', results: { kind } });
};

test('results and input other than the graph says', async () => {
  const topK = await classifier('topK');
  const vector = await classifier('vector');
  const sequence = async (): Promise<number> => (await device.hello()).modelSequence + 1;
  const load = async (model: SealedModel, change: Partial<ContainerHeader>): Promise<string | undefined> =>
    codeName((await device.install(publisher, withHeader(model, change), await sequence())).a);
  expect(await load(topK, { results: { kind: 4, most: 28 } })).toBe('MODEL_GRAPH');
  expect(await load(topK, { results: { kind: 1, most: 6 } })).toBe('MODEL_GRAPH');
  expect(await load(topK, { input: { format: 'f32', dims: [5] } })).toBe('MODEL_GRAPH');
  expect(await load(vector, { results: { kind: 4, most: 27 } })).toBe('MODEL_GRAPH'); // 28 bytes come out
  expectOk(await device.install(publisher, withHeader(vector, {}), await sequence()));
});
