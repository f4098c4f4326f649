/**
 * A TA built with OWNER_KEY=: whatever Linux does, nobody else can claim it.
 */
import { codeName, SigningKey } from '../../protocol/index.js';
import { DeviceUnderTest, expectOk } from './device-under-test.js';
import { TaHost } from './ta-host.js';

/** As in ta/test/ta_host.mk. */
const OWNER = SigningKey.fromSeed(new Uint8Array(32).fill(7));

test('only the owner that the TA was built for may claim it', async () => {
  const device = new DeviceUnderTest(TaHost.create('ta_host_one_owner'));
  const claim = async (key: SigningKey, owners: readonly Uint8Array[]): Promise<string | undefined> =>
    codeName((await device.ta.call('OWNER', await device.statement({ type: 'claim', owners }, {}, key))).a);
  const stranger = SigningKey.generate();
  expect(await claim(stranger, [stranger.publicKey])).toBe('NOT_OWNER');
  expect(await claim(stranger, [OWNER.publicKey, stranger.publicKey])).toBe('NOT_OWNER'); // listed, but did not sign
  expect((await device.hello()).claimNonce).toBeDefined();
  const owners = [OWNER.publicKey, stranger.publicKey];
  const statement = await device.statement({ type: 'claim', owners }, {}, OWNER);
  expectOk(await device.ta.call('OWNER', statement));
  expect((await device.hello()).claimNonce).toBeUndefined();
  await device.stop();
});
