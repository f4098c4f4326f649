import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Code } from '../../protocol/codes.js';
import { AgreementKey, SigningKey } from '../../protocol/keys.js';
import {
  signOwnerReply,
  statementDigest,
  verifyOwnerStatement,
  type OwnerReply,
} from '../../protocol/messages/owner.js';
import { verifyRoster, type Roster } from '../../protocol/messages/roster.js';
import { MessageDevice } from '../../test/support/message-device.js';
import { PartyFixture, PREFIX, topics, until } from '../../test/support/party-fixture.js';
import { generateKeys, publicOf } from '../keys/index.js';
import type { BrokerLink } from '../link/index.js';
import { Owner, parseLevel, levelName, type ClaimCandidate } from './index.js';

let fixture: PartyFixture;
let folder: string;
let bookPath: string;
let link: BrokerLink;
let device: MessageDevice;
const claimNonce = new Uint8Array(16).fill(7);

beforeEach(async () => {
  fixture = await PartyFixture.create();
  folder = mkdtempSync(join(tmpdir(), 'smart-zone-owner-'));
  bookPath = join(folder, 'owner.book.json');
  link = await fixture.link('owner');
  device = new MessageDevice();
  await fixture.answerEvidence(device, { securityLevel: 1 });
});
afterEach(async () => {
  await fixture.close();
  rmSync(folder, { recursive: true });
});

const openOwner = (keys = fixture.owner): Owner => Owner.open({ keys, bookPath });
const claimed = { signing: SigningKey.generate(), agreement: AgreementKey.generate() };

/** Answers owner statements as told. */
async function answer(
  change: (reply: OwnerReply) => { reply: OwnerReply; signer: SigningKey }[],
): Promise<void> {
  await fixture.adversary.subscribe(topics.owner, ({ payload }) => {
    const statement = verifyOwnerStatement(payload, [fixture.owner.signing.publicKey]);
    const reply = {
      device: statement.device,
      counter: statement.counter,
      nonce: statement.nonce,
      status: 0,
      signingKey: claimed.signing.publicKey,
      agreementKey: claimed.agreement.publicKey,
      statement: statementDigest(payload),
    };
    for (const each of change(reply))
      void fixture.adversary.publish(topics.ownerReply, signOwnerReply(each.reply, each.signer));
  });
}
const truthful = (reply: OwnerReply) => [{ reply, signer: claimed.signing }];
const claim = (owner: Owner, change = {}) =>
  owner.claim({ link, prefix: PREFIX, name: 'porch pi', accept: 0, timeout: 1000, ...change });

async function publishedRosters(): Promise<Roster[]> {
  const rosters: Roster[] = [];
  await fixture.adversary.subscribe(topics.roster, ({ payload }) =>
    rosters.push(verifyRoster(payload, [fixture.owner.signing.publicKey])),
  );
  return rosters;
}

test('claims a device, pins its new key, and publishes the roster', async () => {
  await fixture.retain(topics.hello, device.hello({ claimNonce }));
  await answer(truthful);
  const rosters = await publishedRosters();
  const owner = openOwner();
  let shown = '';
  const result = await claim(owner, {
    confirm: ({ fingerprint }: { fingerprint: string }) => {
      shown = fingerprint;
      return true;
    },
  });
  expect(shown.replaceAll(' ', '')).toBe(Buffer.from(device.kid).toString('hex'));
  expect(result).toMatchObject({
    name: 'porch pi',
    signing: claimed.signing.publicKey,
    level: 0,
    counter: 1,
  });
  await until(() => rosters.length === 1, 'the roster');
  expect(rosters[0]).toMatchObject({
    version: 1,
    members: [],
    devices: [
      { signingKey: claimed.signing.publicKey, agreementKey: claimed.agreement.publicKey, name: 'porch pi' },
    ],
  });
  // Another process reads the same from the book.
  expect(openOwner().devices).toEqual(owner.devices);
});

test('a device that has an owner is not claimed', async () => {
  await fixture.retain(topics.hello, device.hello());
  await expect(claim(openOwner())).rejects.toMatchObject({ code: 'ALREADY_CLAIMED' });
});

test('the security level must be accepted', async () => {
  await fixture.retain(topics.hello, device.hello({ claimNonce, securityLevel: 1 }));
  await answer(truthful);
  await expect(claim(openOwner(), { accept: 2 })).rejects.toMatchObject({ code: 'LEVEL_TOO_LOW' });
  expect(existsSync(bookPath)).toBe(false);
  await claim(openOwner(), { accept: 1 });
});

test('what the evidence says less than the hello counts', async () => {
  await fixture.retain(topics.hello, device.hello({ claimNonce, securityLevel: 3 }));
  await answer(truthful);
  await expect(claim(openOwner(), { accept: 2 })).rejects.toMatchObject({ code: 'LEVEL_TOO_LOW' });
  let shown: unknown;
  await claim(openOwner(), {
    accept: 1,
    confirm: ({ evidence, securityLevel }: ClaimCandidate) => {
      shown = [securityLevel, evidence.items.get('tee')];
      return true;
    },
  });
  expect(shown).toEqual([1, { value: 'software', measured: true }]);
});

test('an answer that was lost is asked for again, and the claim is finished', async () => {
  await fixture.retain(topics.hello, device.hello({ claimNonce }));
  await expect(claim(openOwner(), { timeout: 300 })).rejects.toMatchObject({ code: 'TIMED_OUT' });
  expect(openOwner().devices).toEqual([]);
  // It took effect: the device has new keys, and says no claim nonce any more.
  const own = new MessageDevice();
  Object.assign(own, { signing: claimed.signing, agreement: claimed.agreement });
  await fixture.retain(topics.hello, own.hello());
  await answer(truthful);
  expect(await claim(openOwner())).toMatchObject({ name: 'porch pi', signing: claimed.signing.publicKey });
  expect(openOwner().devices).toHaveLength(1);
  await expect(claim(openOwner())).rejects.toMatchObject({ code: 'ALREADY_CLAIMED' });
});

test('nothing is sent when the fingerprint is not confirmed', async () => {
  await fixture.retain(topics.hello, device.hello({ claimNonce }));
  let statements = 0;
  await fixture.adversary.subscribe(topics.owner, () => statements++);
  await expect(claim(openOwner(), { confirm: () => false })).rejects.toMatchObject({
    code: 'UNTRUSTED_DEVICE',
  });
  await fixture.adversary.publish(topics.owner, 'marker');
  await until(() => statements === 1, 'the marker');
});

test('replies to something else, or not signed by the key they name, are passed over', async () => {
  await fixture.retain(topics.hello, device.hello({ claimNonce }));
  await answer((reply) => [
    { reply: { ...reply, statement: new Uint8Array(32) }, signer: claimed.signing },
    { reply, signer: SigningKey.generate() },
  ]);
  await expect(claim(openOwner(), { timeout: 300 })).rejects.toMatchObject({ code: 'TIMED_OUT' });
  expect(openOwner().devices).toEqual([]);
});

test('a device that keeps its old key was not claimed', async () => {
  await fixture.retain(topics.hello, device.hello({ claimNonce }));
  const { publicKey: signingKey } = device.signing;
  await answer((reply) => [{ reply: { ...reply, signingKey }, signer: device.signing }]);
  await expect(claim(openOwner())).rejects.toThrow('kept its old key');
});

test("the device's own refusal is handed on", async () => {
  await fixture.retain(topics.hello, device.hello({ claimNonce }));
  await answer((reply) => [{ reply: { ...reply, status: Code.NOT_OWNER }, signer: claimed.signing }]);
  await expect(claim(openOwner())).rejects.toMatchObject({ code: 'NOT_OWNER' });
});

test('without an agent there is no hello, and the error says where', async () => {
  await expect(claim(openOwner(), { timeout: 100 })).rejects.toThrow(`nothing on ${topics.hello}`);
});

test('enrol and revoke change the roster, one version each; offline they wait in the book', async () => {
  await fixture.retain(topics.hello, device.hello({ claimNonce }));
  await answer(truthful);
  const rosters = await publishedRosters();
  const owner = openOwner();
  await claim(owner);
  expect(await owner.enrol(link, publicOf(fixture.sensor), { notAfter: 2_000_000_000 })).toBe(2);
  expect(await owner.enrol(undefined, publicOf(fixture.rules))).toBe(3);
  await until(() => rosters.length === 2, 'the second roster');
  await owner.publishRoster(link);
  await until(() => rosters.length === 3, 'the third roster');
  expect(rosters[2]?.members).toMatchObject([
    { role: 'sensor', name: 'porch', notAfter: 2_000_000_000 },
    { role: 'rules', name: 'home' },
  ]);
  expect(await owner.revoke(link, 'porch')).toBe(4);
  await until(() => rosters.length === 4, 'the fourth roster');
  expect(rosters[3]?.members.map(({ name }) => name)).toEqual(['home']);
  await expect(owner.revoke(link, 'porch')).rejects.toMatchObject({ code: 'UNKNOWN_SENDER' });
  expect(openOwner().rosterVersion).toBe(4);
});

test('the same key again replaces itself; another key with the same name is refused; owners are not enrolled', async () => {
  const owner = openOwner();
  await owner.enrol(undefined, publicOf(fixture.sensor));
  await owner.enrol(undefined, { ...publicOf(fixture.sensor), name: 'back door' });
  expect(owner.members.map(({ name }) => name)).toEqual(['back door']);
  await expect(owner.enrol(undefined, publicOf(generateKeys('sensor', 'back door')))).rejects.toMatchObject({
    code: 'NAME_TAKEN',
  });
  await expect(owner.enrol(undefined, publicOf(fixture.owner))).rejects.toMatchObject({ code: 'WRONG_ROLE' });
});

test('a device that is removed is told so', async () => {
  await fixture.retain(topics.hello, device.hello({ claimNonce }));
  await answer(truthful);
  const owner = openOwner();
  await claim(owner);
  const rosters = await publishedRosters();
  await owner.removeDevice(link, 'porch pi');
  await until(() => rosters.at(-1)?.version === 2, 'the roster');
  expect(rosters.at(-1)?.devices).toEqual([]);
});

test('reset: the next counter, the boot nonce, the known key, then a fresh roster', async () => {
  await fixture.retain(topics.hello, device.hello({ claimNonce }));
  const nonces: Uint8Array[] = [];
  const counters: number[] = [];
  await answer((reply) => {
    nonces.push(reply.nonce);
    counters.push(reply.counter);
    return truthful(reply);
  });
  const owner = openOwner();
  await claim(owner);
  // Someone else answers at the prefix.
  await expect(owner.reset(link, 'porch pi', 300)).rejects.toMatchObject({ code: 'UNTRUSTED_DEVICE' });
  const own = new MessageDevice();
  Object.assign(own, { signing: claimed.signing, agreement: claimed.agreement });
  await fixture.retain(topics.hello, own.hello());
  expect(await owner.reset(link, 'porch pi', 2000)).toBe(2);
  expect(counters).toEqual([1, 2]);
  expect(nonces[1]).toEqual(own.bootNonce);
  expect(openOwner().devices[0]?.counter).toBe(2);
});

test('evidence is verified with the pinned key over a fresh nonce', async () => {
  await fixture.retain(topics.hello, device.hello({ claimNonce }));
  await answer(truthful);
  const owner = openOwner();
  await claim(owner);
  const own = new MessageDevice();
  Object.assign(own, { signing: claimed.signing, rosterVersion: 1 });
  // Of the key that it had before, and of its key over somebody else's nonce.
  const off = await fixture.adversary.subscribe(topics.evidenceRequest, () => {
    void fixture.adversary.publish(topics.evidenceReply, own.evidence(new Uint8Array(32)));
  });
  await expect(owner.evidence(link, 'porch pi', 300)).rejects.toMatchObject({ code: 'TIMED_OUT' });
  await off();
  // A device that answered somebody else just now passes over the first request.
  const asked: Uint8Array[] = [];
  await fixture.adversary.subscribe(topics.evidenceRequest, ({ payload }) => {
    if (asked.push(payload) < 2) return;
    void fixture.adversary.publish(topics.evidenceReply, own.evidence(payload));
  });
  expect(await owner.evidence(link, 'porch pi', 5000)).toMatchObject({ securityLevel: 0, rosterVersion: 1 });
  expect(asked[1]).toEqual(asked[0]);
});

describe('the book', () => {
  test("is not read with another owner's key", async () => {
    await openOwner().enrol(undefined, publicOf(fixture.sensor));
    expect(() => openOwner(generateKeys('owner', 'other'))).toThrow('belongs to the owner');
  });

  test.each(['', '{}', '{"smart-zone-book":1,"devices":[],"members":[{}]}'])(
    'damaged (%j) is an error',
    (content) => {
      writeFileSync(bookPath, content);
      expect(() => openOwner()).toThrow('restore it from a backup');
    },
  );
});

test('security levels have names', () => {
  expect(parseLevel('software')).toBe(0);
  expect(levelName(3)).toBe('optee-anti-rollback');
  expect(() => parseLevel('high')).toThrow('software, optee-replaceable');
});

test('after the highest version there is no other, except under new owner keys', async () => {
  const recovery = generateKeys('owner', 'recovery');
  Owner.create({ keys: fixture.owner, bookPath }, recovery);
  const sensor = publicOf(fixture.sensor);
  await openOwner().enrol(undefined, sensor);
  const book = JSON.parse(readFileSync(bookPath, 'utf8')) as object;
  writeFileSync(bookPath, JSON.stringify({ ...book, rosterVersion: Number.MAX_SAFE_INTEGER }));
  const owner = openOwner();
  await expect(owner.revoke(undefined, 'porch')).rejects.toMatchObject({ code: 'LIMIT_REACHED' });
  expect(owner.members).toHaveLength(1);
  const next = generateKeys('owner', 'me again');
  expect(await owner.rotateKey(undefined, next, [publicOf(recovery)], 1_234)).toBe(1_234);
  expect(await owner.revoke(undefined, 'porch')).toBe(1_235);
});
