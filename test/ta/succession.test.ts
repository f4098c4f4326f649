/**
 * The owner's keys give way to others, generation by generation: a device follows from one roster alone, however long it was away, and
 * whoever was replaced says nothing any more.
 */
import { codeName, signOwners, SigningKey } from '../../protocol/index.js';
import { DeviceUnderTest, expectOk, party } from './device-under-test.js';
import { TaHost, type TaReply } from './ta-host.js';

/** A refusal's name; undefined where there is none. */
const status = (reply: TaReply): string | undefined => codeName(reply.a);
const link = (generation: number, keys: readonly SigningKey[], signer: SigningKey): Uint8Array =>
  signOwners({ generation, keys: keys.map(({ publicKey }) => publicKey) }, signer);

const recovery = SigningKey.generate();
const second = SigningKey.generate();
const third = SigningKey.generate();
const stranger = SigningKey.generate();

let device: DeviceUnderTest;
let first: SigningKey;
const sensor = party('sensor');

beforeEach(async () => {
  device = new DeviceUnderTest(TaHost.create());
  first = device.owner;
  expectOk(await device.claim([first.publicKey, recovery.publicKey]));
  await device.enrol(sensor); // roster 1
});
afterEach(() => device.stop());

const send = async (
  version: number,
  key: SigningKey,
  succession?: readonly Uint8Array[],
  members = [sensor],
): Promise<TaReply> =>
  device.ta.call(
    'ROSTER',
    await device.signedRoster(members, version, undefined, { key, ...(succession && { succession }) }),
  );
const reset = async (key: SigningKey): Promise<string | undefined> =>
  status(await device.ta.call('OWNER', await device.statement({ type: 'reset' }, {}, key)));

/** How the owner's keys went: the first and the recovery key, then the second and the recovery key, then the third alone. */
const links = (): Uint8Array[] => [
  link(1, [first, recovery], first),
  link(2, [second, recovery], first),
  link(2, [recovery, second], second),
  link(3, [third], recovery),
];

test('one roster leads over all generations; who was replaced is nobody, over a restart too', async () => {
  expectOk(await send(2, third, links()));
  for (const restarted of [false, true]) {
    if (restarted) expect((await device.ta.restart()).result).toBe(0);
    for (const former of [first, second, recovery]) {
      expect(status(await send(9, former))).toBe('NOT_OWNER');
      expect(status(await send(9, former, links()))).toBe('NOT_OWNER');
      expect(await reset(former)).toBe('NOT_OWNER');
    }
    expect((await device.hello()).rosterVersion).toBe(2);
    expectOk(await device.ta.call('OFFER', (await device.sealOffer(sensor)).offer));
  }
  expectOk(await send(3, third)); // who is known already needs no succession
  expect(await reset(third)).toBeUndefined();
});

test('step by step is the same, and the recovery key alone can do it', async () => {
  expectOk(await send(2, second, links().slice(0, 2)));
  expect(status(await send(3, first, links().slice(0, 2)))).toBe('NOT_OWNER');
  expectOk(await send(3, recovery)); // still of the second set
  expectOk(await send(4, third, links().slice(1)));
  expect(status(await send(5, recovery, links()))).toBe('NOT_OWNER');
});

test.each<[string, string, () => readonly [SigningKey, readonly Uint8Array[]]]>([
  ['a link that a stranger signed', 'NOT_OWNER', () => [stranger, [link(2, [stranger], stranger)]]],
  ['a generation that is missing', 'NOT_OWNER', () => [third, [link(3, [third], first)]]],
  ['links in the wrong order', 'NOT_OWNER', () => [third, links().reverse()]],
  ['an owner who names successors without himself', 'NOT_OWNER', () => [first, links().slice(0, 2)]],
  [
    'another set of the present generation',
    'OWNERS_CONFLICT',
    () => [second, [link(1, [first, stranger], first), link(2, [second], first)]],
  ],
  [
    'a set of the next generation, then another',
    'OWNERS_CONFLICT',
    () => [second, [link(2, [second], first), link(2, [second, stranger], first)]],
  ],
  ['generation 0', 'MALFORMED', () => [second, [link(0, [first], first), link(2, [second], first)]]],
  [
    'a link that was altered',
    'BAD_SIGNATURE',
    () => {
      const altered = link(2, [second], first);
      altered[altered.length - 1]! ^= 1;
      return [second, [altered]];
    },
  ],
  ['half a link', 'TRUNCATED', () => [second, [new Uint8Array([0xd2, 0x84])]]],
])('refused, and nothing changes: %s', async (_what, code, make) => {
  const before = await device.hello();
  const [key, succession] = make();
  expect(status(await send(2, key, succession))).toBe(code);
  expect(await device.hello()).toEqual(before);
  expectOk(await send(2, first, [link(1, [recovery, first], first)]));
});

test('the first of two successions counts: a fork is told apart from a stranger', async () => {
  expectOk(await send(2, second, [link(2, [second], first)]));
  expect(status(await send(3, third, [link(2, [third], recovery), link(3, [third], third)]))).toBe(
    'OWNERS_CONFLICT',
  );
});

test('a succession with an older roster changes no owner', async () => {
  expectOk(await send(5, first));
  expect(status(await send(4, second, links().slice(0, 2)))).toBe('STALE_ROSTER');
  expectOk(await send(6, first));
});

test('as many links as there is room for, and no more', async () => {
  const chain = (length: number): { last: SigningKey; links: Uint8Array[] } => {
    let last = first;
    const made = Array.from({ length }, (_each, i) => {
      const next = SigningKey.generate();
      const step = link(i + 2, [next], last);
      last = next;
      return step;
    });
    return { last, links: made };
  };
  const { last, links: sixteen } = chain(16);
  expectOk(await send(2, last, sixteen));
  await expect(device.signedRoster([], 3, undefined, { succession: chain(17).links })).rejects.toThrow();
});

test('a device that is claimed later begins with the generation of the day', async () => {
  const later = new DeviceUnderTest(TaHost.create());
  const claim = { type: 'claim', owners: [third.publicKey], generation: 3 } as const;
  expectOk(await later.ta.call('OWNER', await later.statement(claim, {}, third)));
  const roster = await later.signedRoster([], 1, undefined, { key: third, succession: links() });
  expectOk(await later.ta.call('ROSTER', roster));
  const other = await later.signedRoster([], 2, undefined, {
    key: second,
    succession: [link(3, [second], recovery)],
  });
  expect(status(await later.ta.call('ROSTER', other))).toBe('OWNERS_CONFLICT');
  await later.stop();
});
