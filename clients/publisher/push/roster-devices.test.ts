import { signOwners } from '../../../protocol/messages/owners.js';
import { MessageDevice } from '../../../test/support/message-device.js';
import { PartyFixture } from '../../../test/support/party-fixture.js';
import { generateKeys, publicOf } from '../../keys/index.js';
import { rosterDevices } from './roster-devices.js';

let fixture: PartyFixture;
beforeEach(async () => {
  fixture = await PartyFixture.create();
});
afterEach(() => fixture.close());

const devices = async (which = 'all'): Promise<unknown> =>
  rosterDevices({
    link: await fixture.link('publisher'),
    owner: publicOf(fixture.owner).signing,
    which,
    waitMs: 300,
  });

test('the newest roster of the pinned owner or a successor counts, and hellos say where its devices are', async () => {
  const [before, after] = [new MessageDevice(), new MessageDevice()];
  const next = generateKeys('owner', 'me again');
  const succession = [signOwners({ generation: 2, keys: [publicOf(next).signing] }, fixture.owner.signing)];
  // A stolen key may have signed the highest version.
  await fixture.retain('smartzone/a/roster', fixture.roster(Number.MAX_SAFE_INTEGER, before));
  await fixture.retain('smartzone/b/hello', after.hello());
  expect(await devices()).toEqual([{ name: 'pi', prefix: undefined }]);
  await fixture.retain('smartzone/b/roster', fixture.roster(7, after, { succession }, next));
  await fixture.retain('smartzone/c/roster', fixture.roster(9, before, {}, generateKeys('owner', 'mallory')));
  expect(await devices()).toEqual([{ name: 'pi', prefix: 'smartzone/b' }]);
  await expect(devices('zone:00')).rejects.toMatchObject({ code: 'BAD_REQUEST' });
});

test('without a roster of this owner: TIMED_OUT', async () => {
  await fixture.retain(
    'smartzone/c/roster',
    fixture.roster(9, new MessageDevice(), {}, generateKeys('owner', 'mallory')),
  );
  await expect(devices()).rejects.toMatchObject({ code: 'TIMED_OUT' });
});
