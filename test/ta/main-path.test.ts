import { codeName, equalBytes, verifyReceipt } from '../../protocol/index.js';
import {
  type DeviceUnderTest,
  expectOk,
  frame,
  type Party,
  party,
  readyDevice,
} from './device-under-test.js';

let device: DeviceUnderTest;
let sensor: Party;
let rules: Party;
let publisher: Party;

beforeAll(async () => {
  ({ device, sensor, rules, publisher } = await readyDevice());
});
afterAll(() => device.stop());

test('claim, enrol, install, offer, frame, label, receipt', async () => {
  const hello = await device.hello();
  expect(hello).toMatchObject({ rosterVersion: 1, modelSequence: 1, securityLevel: 0 });
  expect(hello.claimNonce).toBeUndefined();
  expect(hello.inputShape).toEqual({ format: 'u8', dims: [128, 128, 3] });

  const channel = await device.openChannel(sensor);
  const reader = await device.labelReader(rules);
  const id = new Uint8Array([1, 2, 3, 4, 5, 6, 7, 8]);
  const reply = expectOk(await device.ta.call('FRAME', channel.writer.seal(frame(undefined, id))));
  const label = reader.open(reply.out, sensor);
  expect(label.frameNumber).toBe(1);
  expect(equalBytes(label.frameId, id)).toBe(true);
  expect(equalBytes(label.frameChannel, channel.id)).toBe(true);
  expect(label.results.kind).toBe('detections');

  const receipt = verifyReceipt(expectOk(await device.ta.call('RECEIPT', channel.id)).out, hello.signingKey);
  expect(receipt.lastNumber).toBe(1);
  expect(receipt.window).toEqual(Uint8Array.of(1, ...new Uint8Array(15)));
});

test('the byte-identical frame again gives the identical label, anything else at its number is refused', async () => {
  const channel = await device.openChannel(sensor);
  const record = channel.writer.seal(frame());
  const first = expectOk(await device.ta.call('FRAME', record));
  const again = expectOk(await device.ta.call('FRAME', record));
  expect(equalBytes(again.out, first.out)).toBe(true);

  const altered = record.slice();
  altered[altered.length - 1]! ^= 1;
  expect(codeName((await device.ta.call('FRAME', altered)).a)).toBe('STALE_NUMBER');
});

test('labels of one model have one size', async () => {
  const channel = await device.openChannel(sensor);
  const sizes = new Set<number>();
  for (let i = 0; i < 4; i++)
    sizes.add(
      expectOk(await device.ta.call('FRAME', channel.writer.seal(frame(new Uint8Array(49_152).fill(60 * i)))))
        .out.length,
    );
  expect(sizes.size).toBe(1);
});

test('after a restart the committed model loads without an offer, old channels are gone', async () => {
  const channel = await device.openChannel(sensor);
  await device.ta.restart();
  const hello = await device.hello();
  expect(hello).toMatchObject({ rosterVersion: 1, modelSequence: 1 });
  expect(hello.inputShape).toBeUndefined();
  expect(codeName((await device.ta.call('FRAME', channel.writer.seal(frame()))).a)).toBe('NO_CHANNEL');
});

test('a roster change begins a new label epoch', async () => {
  const before = (await device.ta.call('PING')).b;
  await device.enrol(party('sensor'));
  expect((await device.ta.call('PING')).b).toBe(before + 1);
  expect(publisher.role).toBe('publisher');
});
