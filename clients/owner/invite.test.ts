import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  invitationTopics,
  inviteRequestDigest,
  sealInviteReply,
  sealInviteRequest,
} from '../../protocol/messages/invitation.js';
import { PartyFixture, PREFIX, until } from '../../test/support/party-fixture.js';
import { generateKeys, publicOf } from '../keys/index.js';
import {
  acceptInvitation,
  invitationLine,
  invite,
  newInvitation,
  Owner,
  parseInvitationLine,
  type Invitation,
} from './index.js';

let fixture: PartyFixture;
let folder: string;
let owner: Owner;
let invitation: Invitation;
beforeEach(async () => {
  fixture = await PartyFixture.create();
  folder = mkdtempSync(join(tmpdir(), 'smart-zone-invite-'));
  owner = Owner.open({ keys: fixture.owner, bookPath: join(folder, 'book.json') });
  await owner.enrol(undefined, publicOf(fixture.rules));
  invitation = make(60);
});
afterEach(async () => {
  await fixture.close();
  rmSync(folder, { recursive: true });
});

const make = (seconds: number): Invitation =>
  newInvitation({
    owner: fixture.owner.signing.publicKey,
    role: 'sensor',
    name: 'porch',
    end: Math.ceil(Date.now() / 1000) + seconds,
    broker: fixture.broker.url,
    prefix: PREFIX,
  });

/** The owner waits; resolves once the line may be handed over, with what comes of it. */
async function waiting(given = invitation): Promise<{ outcome: ReturnType<typeof invite> }> {
  const link = await fixture.link('owner');
  return new Promise((resolve, reject) => {
    const outcome = invite(owner, { link, invitation: given, ready: () => resolve({ outcome }) });
    outcome.catch(reject);
  });
}

test('over the broker, by the line alone: enrolled under the name of the invitation', async () => {
  const { outcome } = await waiting();
  const keys = generateKeys('sensor', 'whatever');
  const given = parseInvitationLine(invitationLine(invitation));
  expect(await acceptInvitation({ link: await fixture.link('guest'), invitation: given, keys })).toBe(2);
  expect(await outcome).toMatchObject({ party: { name: 'porch', role: 'sensor' }, rosterVersion: 2 });
  expect(owner.members).toMatchObject([{ name: 'home' }, { name: 'porch', kid: keys.signing.kid }]);
});

test('who does not know the secret is passed over: the broker can deny, and nothing else', async () => {
  const { outcome } = await waiting();
  const topics = invitationTopics(invitation);
  const mallory = generateKeys('sensor', 'mallory');
  const swapped = {
    signingKey: mallory.signing.publicKey,
    agreementKey: mallory.agreement?.publicKey ?? new Uint8Array(32),
  };
  // Everything that a man in the middle can make of what he sees: requests of his own, and the true one with his keys in it.
  const recorded: Uint8Array[] = [];
  await fixture.adversary.subscribe(topics.request, ({ payload }) => recorded.push(payload));
  await fixture.adversary.publish(topics.request, sealInviteRequest(swapped, new Uint8Array(16)));
  await fixture.adversary.publish(topics.request, 'nonsense');
  const true_ = sealInviteRequest(
    { signingKey: fixture.sensor.signing.publicKey, agreementKey: swapped.agreementKey },
    invitation.secret,
  );
  const at = Buffer.from(true_).indexOf(Buffer.from(fixture.sensor.signing.publicKey));
  expect(at).toBeGreaterThan(0);
  const forged = Uint8Array.from(true_);
  forged.set(swapped.signingKey, at);
  await fixture.adversary.publish(topics.request, forged);
  // The same for the answer.
  await fixture.adversary.publish(
    topics.reply,
    sealInviteReply(
      { request: inviteRequestDigest(forged), status: 0, rosterVersion: 9 },
      new Uint8Array(16),
    ),
    { retain: true },
  );
  await until(() => recorded.length === 3, 'the forgeries');
  expect(owner.members).toHaveLength(1);
  const link = await fixture.link('guest');
  expect(await acceptInvitation({ link, invitation, keys: fixture.sensor })).toBe(2);
  await outcome;
  expect(owner.members.map(({ kid }) => kid)).toEqual([
    fixture.rules.signing.kid,
    fixture.sensor.signing.kid,
  ]);
});

test('it counts once: the second party is told that somebody else has used it', async () => {
  const { outcome } = await waiting();
  const first = { link: await fixture.link('first'), invitation, keys: fixture.sensor };
  // The answer to the first stays at the broker, as where its machine was cut off.
  const publish = first.link.publish.bind(first.link);
  first.link.publish = (topic, payload, options) =>
    payload.length === 0 ? Promise.resolve() : publish(topic, payload, options);
  await acceptInvitation(first);
  await outcome;
  const second = { link: await fixture.link('second'), invitation, keys: generateKeys('sensor', 'x') };
  await expect(acceptInvitation(second)).rejects.toMatchObject({ code: 'INVITATION_INVALID' });
  expect(owner.members).toHaveLength(2);
  // The first may ask again: same keys, same answer.
  expect(await acceptInvitation(first)).toBe(2);
});

test('it ends', async () => {
  const short = make(0);
  const { outcome } = await waiting(short);
  await expect(outcome).rejects.toMatchObject({ code: 'INVITATION_INVALID' });
  const late = { link: await fixture.link('late'), invitation: short, keys: fixture.sensor };
  await until(() => Date.now() / 1000 > short.end, 'its end');
  await expect(acceptInvitation(late)).rejects.toThrow('it has ended');
  expect(owner.members).toHaveLength(1);
});

test('a name that is taken: both sides are told', async () => {
  const taken = { ...invitation, name: 'home' };
  const { outcome } = await waiting(taken);
  const link = await fixture.link('guest');
  const [guest, host] = await Promise.allSettled([
    acceptInvitation({ link, invitation: taken, keys: fixture.sensor }),
    outcome,
  ]);
  expect(guest).toMatchObject({ status: 'rejected', reason: { code: 'NAME_TAKEN' } });
  expect(host).toMatchObject({ status: 'rejected', reason: { code: 'NAME_TAKEN' } });
});

test('keys of another role are not sent', async () => {
  const link = await fixture.link('guest');
  await expect(acceptInvitation({ link, invitation, keys: fixture.rules })).rejects.toMatchObject({
    code: 'WRONG_ROLE',
  });
});

test.each(['', 'szi1.', 'sz1.sensor.x.y', 'szi1.!!!!', 'szi1.oA'])('no invitation: %j', (line) => {
  expect(() => parseInvitationLine(line)).toThrow('invitation');
});

test('a line that was cut anywhere is told from a whole one', () => {
  const line = invitationLine(invitation);
  for (let length = 0; length < line.length; length++)
    expect(() => parseInvitationLine(line.slice(0, length))).toThrow();
});
