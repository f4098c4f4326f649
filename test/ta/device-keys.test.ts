/** The device's own keys give way to others, with an overlap in which nobody is left out; and answers to owners' statements. */
import { renameSync } from 'node:fs';
import {
  codeName,
  encodeModelBegin,
  equalBytes,
  SigningKey,
  statementDigest,
  verifyOwnerReply,
} from '../../protocol/index.js';
import { signPackage, wrapFor } from '../../clients/publisher/index.js';
import {
  DeviceUnderTest,
  expectOk,
  faceModel,
  frame,
  party,
  readyDevice,
  type DeviceKeys,
} from './device-under-test.js';
import { TaHost, type TaReply } from './ta-host.js';

const status = (reply: TaReply): string | undefined => codeName(reply.a);

let device: DeviceUnderTest;
afterEach(() => device.stop());

/** The next keys, as the device's answer names them. */
async function rotate(): Promise<DeviceKeys> {
  const reply = expectOk(await device.ta.call('OWNER', await device.statement({ type: 'rotate' })));
  const [signingKey, agreementKey] = verifyOwnerReply(reply.out).next!;
  return { signingKey, agreementKey };
}
const list = async (...devices: DeviceKeys[]): Promise<TaReply> =>
  device.ta.call(
    'ROSTER',
    await device.signedRoster(device.members, ++device.rosterVersion, undefined, { devices }),
  );
const keysOf = ({ signingKey, agreementKey }: DeviceKeys): DeviceKeys => ({ signingKey, agreementKey });

test('rotation: the next keys wait for a roster that lists them; then they are in place, and the model goes on', async () => {
  const ready = await readyDevice();
  ({ device } = ready);
  const { sensor, rules } = ready;
  const before = await device.hello();
  const channel = await device.openChannel(sensor);

  const next = await rotate();
  expect(equalBytes(next.signingKey, before.signingKey)).toBe(false);
  expect(await device.hello()).toEqual(before);
  expectOk(await device.ta.call('FRAME', channel.writer.seal(frame())));
  // Asked again, after a restart too (its answer may have been lost), it names the same keys.
  expect(await rotate()).toEqual(next);
  expectOk(await list(before));
  expectOk(await device.ta.call('FRAME', channel.writer.seal(frame())));

  expectOk(await list(before, next));
  const after = await device.hello();
  expect(keysOf(after)).toEqual(next);
  expect(equalBytes(after.bootNonce, before.bootNonce)).toBe(false);
  expect(equalBytes(after.prekey, before.prekey)).toBe(false);
  expect(after).toMatchObject({ modelSequence: 1, rosterVersion: device.rosterVersion });
  expect(status(await device.ta.call('FRAME', channel.writer.seal(frame())))).toBe('NO_CHANNEL');
  const reader = await device.labelReader(rules);
  const reply = expectOk(
    await device.ta.call('FRAME', (await device.openChannel(sensor)).writer.seal(frame())),
  );
  expect(equalBytes(reader.open(reply.out, sensor).device, after.device)).toBe(true);

  // The owner speaks to the new name from now on.
  expect(
    status(
      await device.ta.call('OWNER', await device.statement({ type: 'reset' }, { device: before.device })),
    ),
  ).toBe('WRONG_DEVICE');
  expect((await device.ta.restart()).result).toBe(0);
  expect(keysOf(await device.hello())).toEqual(next);
  expectOk(await list(next));
  expect(status(await list(before))).toBe('NOT_IN_ROSTER');
});

test('a model that was wrapped to the former key opens as long as the roster lists that key', async () => {
  const ready = await readyDevice();
  ({ device } = ready);
  const { publisher } = ready;
  const model = await faceModel();
  const before = await device.hello();
  const begin = (sequence: number, to: DeviceKeys & { device: Parameters<typeof wrapFor>[0]['kid'] }) => {
    const signed = signPackage(model, publisher.signing, sequence);
    const offer = wrapFor(
      { kid: to.device, agreementKey: to.agreementKey },
      signed,
      model.contentKey,
      publisher.signing,
    );
    return device.ta.call('MODEL_BEGIN', encodeModelBegin(signed.envelope, offer));
  };
  const next = await rotate();
  expectOk(await list(before, next));
  const after = await device.hello();
  expectOk(await begin(2, before));
  expectOk(await begin(2, after));
  await device.ta.restart();
  expectOk(await begin(2, before));
  // The former key under the new name, and the other way round, are neither.
  expect(status(await begin(2, { ...before, device: after.device }))).toBe('DECRYPT_FAILED');
  expect(status(await begin(2, { ...after, device: before.device }))).toBe('DECRYPT_FAILED');

  expectOk(await list(next));
  expect(status(await begin(2, before))).toBe('WRONG_DEVICE');
  // It does not come back with a roster that lists it again.
  expectOk(await list(before, next));
  expect(status(await begin(2, before))).toBe('WRONG_DEVICE');
  expectOk(await begin(2, after));
});

test('once more, before the first rotation is finished: the keys in between are the former ones', async () => {
  device = new DeviceUnderTest(TaHost.create());
  expectOk(await device.claim());
  const first = await device.hello();
  const second = await rotate();
  expectOk(await list(first, second));
  const third = await rotate();
  expect(equalBytes(third.signingKey, second.signingKey)).toBe(false);
  expectOk(await list(first, second, third));
  expect(keysOf(await device.hello())).toEqual(third);
  expectOk(await list(third));
});

test('a roster that lists the next keys alone puts them in place as well', async () => {
  device = new DeviceUnderTest(TaHost.create());
  expectOk(await device.claim());
  const next = await rotate();
  expectOk(await list(next));
  expect(keysOf(await device.hello())).toEqual(next);
});

test('half of the next keys is another device', async () => {
  device = new DeviceUnderTest(TaHost.create());
  expectOk(await device.claim());
  const before = await device.hello();
  const next = await rotate();
  expect(status(await list({ ...next, agreementKey: before.agreementKey }))).toBe('NOT_IN_ROSTER');
  expect(status(await list({ ...before, agreementKey: next.agreementKey }))).toBe('NOT_IN_ROSTER');
  expect(await device.hello()).toEqual(before);
});

test('where nothing can be stored, neither step is taken', async () => {
  device = new DeviceUnderTest(TaHost.create());
  expectOk(await device.claim());
  await device.enrol();
  const before = await device.hello();
  const away = `${device.ta.storage}-away`;
  renameSync(device.ta.storage, away);
  const refused = await device.ta.call('OWNER', await device.statement({ type: 'rotate' }));
  expect(status(refused)).toBe('STORAGE_FAILED');
  expect(verifyOwnerReply(refused.out).next).toBeUndefined();
  renameSync(away, device.ta.storage);
  const next = await rotate();
  renameSync(device.ta.storage, away);
  expect(status(await list(before, next))).toBe('STORAGE_FAILED');
  expect(await device.hello()).toEqual(before);
  renameSync(away, device.ta.storage);
  expectOk(await list(before, next));
  expect(keysOf(await device.hello())).toEqual(next);
});

test('a reset forgets keys that were not put in place', async () => {
  device = new DeviceUnderTest(TaHost.create());
  expectOk(await device.claim());
  const before = await device.hello();
  const next = await rotate();
  const reply = expectOk(await device.ta.call('OWNER', await device.statement({ type: 'reset' })));
  expect(verifyOwnerReply(reply.out).next).toBeUndefined();
  expect(status(await list(next))).toBe('NOT_IN_ROSTER');
  expectOk(await list(before));
  expect(equalBytes((await rotate()).signingKey, next.signingKey)).toBe(false);
});

describe('answers to statements', () => {
  beforeEach(async () => {
    device = new DeviceUnderTest(TaHost.create());
    expectOk(await device.claim());
  });

  test('name the statement by its digest: what is said to a forger is nothing to the owner', async () => {
    const counter = ++device.ownerCounter;
    const own = await device.statement({ type: 'reset' }, { counter });
    const forged = await device.statement({ type: 'reset' }, { counter }, SigningKey.generate());
    const refused = await device.ta.call('OWNER', forged);
    expect(status(refused)).toBe('NOT_OWNER');
    const answer = verifyOwnerReply(refused.out);
    expect(answer).toMatchObject({ counter, statement: statementDigest(forged) });
    expect(equalBytes(answer.statement, statementDigest(own))).toBe(false);
    expect(verifyOwnerReply(expectOk(await device.ta.call('OWNER', own)).out)).toMatchObject({
      status: 0,
      statement: statementDigest(own),
    });
  });

  test('the one that took effect last is answered again, over a restart, and does nothing again', async () => {
    const sensor = party('sensor');
    const reset = await device.statement({ type: 'reset' });
    expectOk(await device.ta.call('OWNER', reset));
    await device.enrol(sensor);
    const before = await device.hello();
    const again = expectOk(await device.ta.call('OWNER', reset));
    expect(verifyOwnerReply(again.out)).toMatchObject({ status: 0, statement: statementDigest(reset) });
    expect(await device.hello()).toEqual(before);
    await device.ta.restart();
    expectOk(await device.ta.call('OWNER', reset));
    expect((await device.hello()).rosterVersion).toBe(before.rosterVersion);
    // The next one takes its place.
    expectOk(await device.ta.call('OWNER', await device.statement({ type: 'rotate' })));
    expect(status(await device.ta.call('OWNER', reset))).toBe('STALE_NONCE');
  });

  test('one that failed is not answered as if it had taken effect', async () => {
    const rollback = await device.statement({ type: 'rollback' });
    expect(status(await device.ta.call('OWNER', rollback))).toBe('MODEL_UNKNOWN');
    expect(status(await device.ta.call('OWNER', rollback))).toBe('MODEL_UNKNOWN');
  });
});
