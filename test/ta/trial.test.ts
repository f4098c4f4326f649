/**
 * A new model is on trial: only then may the device go back by itself, and nobody who can merely kill the TA chooses the older
 * model. Each test has its own device with model 2 confirmed and model 3 on trial.
 */
import { renameSync } from 'node:fs';
import { codeName, encodeModelBegin, equalBytes, verifyModelStatus } from '../../protocol/index.js';
import { readPackage, type SignedPackage } from '../../clients/publisher/index.js';
import { DeviceUnderTest, expectOk, faceModel, frame, readyDevice, type Party } from './device-under-test.js';
import type { TaReply } from './ta-host.js';

const status = (reply: TaReply): string => {
  expect(reply.result).toBe(0);
  return codeName(reply.a) ?? 'OK';
};

let device: DeviceUnderTest;
let publisher: Party;
let sensor: Party;
let first: SignedPackage;
let second: SignedPackage;

const word = async (): Promise<ReturnType<typeof verifyModelStatus>> => {
  const { signingKey } = await device.hello();
  return verifyModelStatus(expectOk(await device.ta.call('MODEL_STATUS')).out, signingKey);
};
const begin = (signed: SignedPackage): Promise<TaReply> =>
  device.ta.call('MODEL_BEGIN', encodeModelBegin(readPackage(signed.bytes).envelope, null));
const load = (signed: SignedPackage): Promise<TaReply> => device.load(readPackage(signed.bytes), null);
const installed = async (sequence: number): Promise<SignedPackage> => {
  const { signed, offer } = await device.package(publisher, await faceModel(), sequence);
  expectOk(await device.load(readPackage(signed.bytes), offer));
  return signed;
};
const restart = async (): Promise<void> => void expectOk(await device.ta.restart());
/** Labels of a channel of its own. */
const labels = async (count: number): Promise<void> => {
  const { writer } = await device.openChannel(sensor);
  for (let i = 0; i < count; i += 1) expectOk(await device.ta.call('FRAME', writer.seal(frame())));
};

beforeEach(async () => {
  ({ device, publisher, sensor } = await readyDevice());
  expect(await word()).toMatchObject({ floor: 1, loaded: true });
  first = await installed(2); // the helper's own model 1 cannot be loaded again: its package is not kept
  expect((await word()).trial).toEqual([0, 1]);
  await labels(100);
  expect((await word()).trial).toBeUndefined();
  second = await installed(3);
});
afterEach(() => device.stop());

test('three starts without success, and the model before is in force; the floor stays', async () => {
  expect(await word()).toMatchObject({ floor: 3, loaded: true, trial: [0, 1] });
  expect((await word()).previous?.[0]).toBe(2);
  for (const starts of [2, 3]) {
    await restart();
    expectOk(await load(second));
    expectOk(await load(second)); // the same start
    expect((await word()).trial).toEqual([0, starts]);
  }
  await restart();
  expect(status(await begin(second))).toBe('MODEL_TRIAL');
  expect(status(await begin(second))).toBe('MODEL_UNKNOWN');
  expectOk(await load(first));
  const after = await word();
  expect(after).toMatchObject({ floor: 3, loaded: true, refused: [3, 511] });
  expect(after.committed?.[0]).toBe(2);
  expect(equalBytes(after.committed?.[1] ?? new Uint8Array(0), first.digest)).toBe(true);
  expect(after.previous).toBeUndefined();
  // Clients see that nothing was put back: the floor is what they remember.
  expect(await device.hello()).toMatchObject({ modelSequence: 2, modelFloor: 3 });
  const { signed, offer } = await device.package(publisher, await faceModel(), 3);
  expect(status(await device.load(readPackage(signed.bytes), offer))).toBe('MODEL_SEQUENCE');
  await installed(4);
});

test('a confirmed model stays, however often the TA is killed', async () => {
  await labels(100);
  expect((await word()).trial).toBeUndefined();
  for (let i = 0; i < 8; i += 1) {
    await restart();
    expectOk(await begin(second));
  }
  await restart();
  expect(status(await begin(first))).toBe('MODEL_UNKNOWN');
  expectOk(await load(second));
  expect(await device.hello()).toMatchObject({ modelSequence: 3 });
});

test('a start with ten labels is forgiven, and its labels count', async () => {
  await restart();
  expectOk(await load(second));
  expect((await word()).trial).toEqual([0, 2]);
  await labels(9);
  expect((await word()).trial).toEqual([9, 2]);
  await labels(1);
  expect((await word()).trial).toEqual([10, 1]);
  await restart();
  expectOk(await load(second));
  expect((await word()).trial).toEqual([10, 2]);
});

test('a model that replaces one on trial keeps the confirmed one to go back to', async () => {
  await installed(4);
  expect((await word()).previous?.[0]).toBe(2);
});

test("the owner's rollback takes a confirmed model back, once; a rebase raises the floor and never lowers it", async () => {
  await labels(100);
  const send = async (action: Parameters<DeviceUnderTest['statement']>[0]): Promise<string> =>
    status(await device.ta.call('OWNER', await device.statement(action)));
  expect(await send({ type: 'rollback' })).toBe('OK');
  expect(await word()).toMatchObject({ floor: 3, loaded: false });
  expectOk(await load(first));
  expect(await send({ type: 'rollback' })).toBe('MODEL_UNKNOWN');
  expect(await send({ type: 'rebase', floor: 3 })).toBe('MODEL_SEQUENCE');
  expect(await send({ type: 'rebase', floor: 2 ** 20 })).toBe('OK');
  expect(await device.hello()).toMatchObject({ modelSequence: 2, modelFloor: 2 ** 20 });
  const { signed, offer } = await device.package(publisher, await faceModel(), 2 ** 17);
  expect(status(await device.load(readPackage(signed.bytes), offer))).toBe('MODEL_SEQUENCE');
  await installed(2 ** 20 + 1);
});

test('where trusted storage fails nothing is counted, confirmed, taken back or installed by halves', async () => {
  const away = (): void => renameSync(device.ta.storage, `${device.ta.storage}.away`);
  const back = (): void => renameSync(`${device.ta.storage}.away`, device.ta.storage);
  const settle = async (): Promise<string> => status(await device.ta.call('MODEL_STATUS'));
  // The start's attempt.
  await restart();
  away();
  expect(status(await begin(second))).toBe('STORAGE_FAILED');
  expect((await word()).trial).toEqual([0, 1]);
  back();
  expectOk(await load(second));
  expect((await word()).trial).toEqual([0, 2]);
  // The end of the trial.
  await labels(100);
  away();
  expect(await settle()).toBe('STORAGE_FAILED');
  expectOk(await device.ta.call('FRAME', (await device.openChannel(sensor)).writer.seal(frame())));
  back();
  expect(await settle()).toBe('OK');
  expect((await word()).trial).toBeUndefined();
  // The commit of another model, with which its trial begins.
  const { signed, offer } = await device.package(publisher, await faceModel(), 4);
  away();
  expect(status(await device.load(readPackage(signed.bytes), offer))).toBe('STORAGE_FAILED');
  expect(await word()).toMatchObject({ loaded: true, floor: 3, refused: [4, 105] });
  back();
  await restart();
  expectOk(await load(second));
  expect((await word()).trial).toBeUndefined();
  const third = await installed(4);
  // Going back after the last attempt.
  for (let i = 0; i < 2; i += 1) {
    await restart();
    expectOk(await load(third));
  }
  await restart();
  away();
  expect(status(await begin(third))).toBe('STORAGE_FAILED');
  expect((await word()).trial).toEqual([0, 3]);
  back();
  expect(status(await begin(third))).toBe('MODEL_TRIAL');
  expectOk(await load(second));
});
