/** An owner's statement whose reply does not fit takes no effect: it would be done without anybody knowing. */
import { codeName, Command } from '../../protocol/index.js';
import { DeviceUnderTest } from './device-under-test.js';
import { TaHost } from './ta-host.js';

const CLAIMED = 1;

test('a claim without room for the reply is refused and can be repeated', async () => {
  const device = new DeviceUnderTest(TaHost.create());
  try {
    const statement = await device.statement({ type: 'claim', owners: [device.owner.publicKey] });
    const refused = await device.ta.send(Command.OWNER, { input: statement, capacity: 64 });
    expect(refused.result).toBe(0);
    expect(codeName(refused.a)).toBe('BUFFER_TOO_SMALL');
    expect((await device.ta.call('PING')).c & CLAIMED).toBe(0);
    expect((await device.ta.call('OWNER', statement)).a).toBe(0);
    expect((await device.ta.call('PING')).c & CLAIMED).toBe(CLAIMED);
  } finally {
    await device.stop();
  }
});
