/** Found by machine.test.ts: what a change of the model, or a load that is refused, must leave as it is. */
import { randomBytes } from 'node:crypto';
import { codeName, encodeFrame, verifyModelStatus } from '../../protocol/index.js';
import { readPackage } from '../../clients/publisher/index.js';
import { DeviceUnderTest, expectOk, party } from './device-under-test.js';
import { tinyModels } from './model/tiny-models.js';
import { TaHost } from './ta-host.js';

const [sensor, rules, publisher] = [party('sensor'), party('rules'), party('publisher')];
let device: DeviceUnderTest;

beforeEach(async () => {
  device = new DeviceUnderTest(TaHost.create());
  expectOk(await device.claim());
  await device.enrol(sensor, rules, publisher);
}, 300_000);
afterEach(() => device.stop());

test('a frame that comes again gets its label also when a model with smaller frames has taken over', async () => {
  const [large, , small] = await tinyModels();
  if (!large || !small) throw new Error('three models');
  expectOk(await device.install(publisher, large, 1));
  const { input } = large.header;
  const channel = await device.sealOffer(sensor, input);
  expectOk(await device.ta.call('OFFER', channel.offer));
  const data = new Uint8Array(4 * (input.dims[0] ?? 0));
  const record = channel.writer.seal(
    encodeFrame({ ...input, id: new Uint8Array(randomBytes(8)), time: 1, data }),
  );
  const label = expectOk(await device.ta.call('FRAME', record)).out;
  expectOk(await device.install(publisher, small, 2));
  expect(expectOk(await device.ta.call('FRAME', record)).out).toEqual(label);
  const altered = Uint8Array.from(record);
  altered[altered.length - 20]! ^= 1;
  expect(codeName((await device.ta.call('FRAME', altered)).a)).toBe('STALE_NUMBER');
});

test('what is said of a load that failed is of that load, though another was refused meanwhile', async () => {
  const [model] = await tinyModels();
  if (!model) throw new Error('a model');
  const good = await device.package(publisher, model, 5);
  const stranger = await device.package(party('publisher'), model, 9);
  expectOk(await device.ta.call('MODEL_BEGIN', good.begin));
  expect(codeName((await device.ta.call('MODEL_BEGIN', stranger.begin)).a)).toBe('UNKNOWN_SENDER');
  const [header] = readPackage(good.signed.bytes).segments;
  const spoilt = Uint8Array.from(header!);
  spoilt[0]! ^= 1;
  expect(codeName((await device.ta.call('MODEL_SEGMENT', spoilt, 0)).a)).toBe('MODEL_DIGEST');
  const { signingKey } = await device.hello();
  const status = verifyModelStatus(expectOk(await device.ta.call('MODEL_STATUS')).out, signingKey);
  expect(status.refused).toEqual([5, 506]);
});
