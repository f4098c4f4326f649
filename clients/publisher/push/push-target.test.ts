import { signModelStatus } from '../../../protocol/messages/model-status.js';
import { toHex } from '../../../protocol/bytes.js';
import { generateKeys } from '../../keys/index.js';
import { Witness } from '../../keys/index.js';
import { signRoster } from '../../../protocol/messages/roster.js';
import { MessageDevice } from '../../../test/support/message-device.js';
import { PushTarget } from './push-target.js';

const owner = generateKeys('owner', 'me').signing;
const digest = new Uint8Array(32).fill(5);

const status = (device: MessageDevice): Uint8Array => {
  const { kid, bootNonce, signing } = device;
  const word = { device: kid, bootNonce, floor: 2, loaded: true, committed: [2, digest] as const };
  const signed = Buffer.from(signModelStatus(word, signing)).toString('base64url');
  return Buffer.from(JSON.stringify({ signed }));
};

function pushed(device: MessageDevice, witness = Witness.open(undefined, owner.kid)): PushTarget {
  const target = new PushTarget('smartzone/test', owner.publicKey, witness);
  const { signing, agreement } = device;
  target.digest = toHex(digest);
  target.trust.receiveRoster(
    signRoster(
      {
        version: 1,
        issued: 1,
        members: [],
        devices: [
          { signingKey: signing.publicKey, agreementKey: agreement.publicKey, securityLevel: 0, name: 'pi' },
        ],
        zones: [],
      },
      owner,
    ),
  );
  return target;
}

test('what a device said of its models in an earlier boot does not end a push', () => {
  const device = new MessageDevice();
  const recorded = status(device);
  device.reboot();
  const target = pushed(device);
  target.trust.receiveHello(device.hello());
  target.receiveStatus(recorded);
  expect([target.state, target.word]).toEqual(['held', undefined]);
  target.receiveStatus(status(device));
  expect(target.state).toBe('committed');
});

test('a status that comes before the hello of its boot counts once that is there', () => {
  const device = new MessageDevice();
  const target = pushed(device);
  target.trust.receiveHello(device.hello());
  device.reboot();
  target.receiveStatus(status(device));
  expect(target.state).toBe('held');
  target.trust.receiveHello(device.hello());
  expect(target.state).toBe('committed');
});

test('the floor that a status names is known from then on', () => {
  const device = new MessageDevice();
  const witness = Witness.open(undefined, owner.kid);
  const target = pushed(device, witness);
  target.trust.receiveHello(device.hello());
  target.receiveStatus(status(device));
  expect(witness.device(device.kid).model).toBe(2);
  device.reboot();
  const refused: string[] = [];
  target.trust.on('refused', ({ error }) => refused.push(error.code));
  target.trust.receiveHello(device.hello());
  expect(refused).toEqual(['STATE_ROLLED_BACK']);
});
