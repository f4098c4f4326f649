/**
 * The owner's keys give way to others, generation by generation: a device follows from one roster alone, however long it was away, and
 * whoever was replaced says nothing any more.
 */
import { randomBytes } from 'node:crypto';
import {
  asChannelId,
  asKid,
  type CborValue,
  type ChannelId,
  codeName,
  decodeStrict,
  encodeDeterministic,
  type Kid,
  parseProfiledSign1,
  purposeAad,
  sealSign1,
  sealZoneOffer,
  signOwners,
  SigningKey,
  signRulesHello,
} from '../../protocol/index.js';
import { DeviceUnderTest, expectOk, party, seconds } from './device-under-test.js';
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
const rules = party('rules');
const publisher = party('publisher');

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

test('a succession with a roster that is refused changes no owner', async () => {
  const elsewhere = await device.signedRoster([sensor], 5, undefined, {
    key: second,
    devices: [],
    succession: links().slice(0, 2),
  });
  expect(status(await device.ta.call('ROSTER', elsewhere))).toBe('NOT_IN_ROSTER');
  expectOk(await send(6, first));
});

describe('a stolen key that signed the highest version', () => {
  /** The owner's own set, then the next one, which keeps the recovery key. */
  const toSecond = (): Uint8Array[] => links().slice(0, 2);

  test('does not block the owners who replace it', async () => {
    const stolen = await device.signedRoster([sensor], Number.MAX_SAFE_INTEGER, undefined, { key: first });
    expectOk(await device.ta.call('ROSTER', stolen));
    expect(status(await send(7, first))).toBe('STALE_ROSTER');
    expectOk(await send(7, second, toSecond()));
    for (const restarted of [false, true]) {
      if (restarted) expect((await device.ta.restart()).result).toBe(0);
      expect(await device.hello()).toMatchObject({ rosterVersion: 7, ownerGeneration: 2 });
      expect(status(await device.ta.call('ROSTER', stolen))).toBe('NOT_OWNER');
      // From here on versions count again, under any key of the new set.
      expect(status(await send(6, second))).toBe('STALE_ROSTER');
      expect(status(await send(7, recovery))).toBe('ROSTER_CONFLICT');
    }
    expectOk(await send(8, recovery));
    expect(await reset(second)).toBeUndefined();
    expect(status(await send(8, second, toSecond()))).toBe('STALE_ROSTER');
    expectOk(await send(9, second, toSecond()));
  });

  test('a version that no client can hold is none', async () => {
    for (const version of [0, 2n ** 53n, 2n ** 64n - 1n]) {
      const { payload } = parseProfiledSign1(await device.signedRoster([sensor], 9));
      const members = decodeStrict(payload ?? new Uint8Array(0)) as Map<number, CborValue>;
      members.set(1, version);
      const roster = sealSign1(encodeDeterministic(members), first, purposeAad('roster'));
      expect(status(await device.ta.call('ROSTER', roster))).toBe('MALFORMED');
    }
    expect((await device.hello()).rosterVersion).toBe(1);
  });

  test('nor does the same version, and a roster of before counts by no key that stayed', async () => {
    expectOk(await send(7, first));
    expectOk(await send(7, second, toSecond()));
    expect(status(await send(8, recovery, [link(1, [first, recovery], first)]))).toBe('STALE_ROSTER');
    expect((await device.hello()).rosterVersion).toBe(7);
  });

  test('what members have seen is compared in the same order', async () => {
    expectOk(await send(7, second, toSecond(), [sensor, publisher, rules]));
    const offer = async (
      ownerGeneration: number | undefined,
      rosterVersion: number,
    ): Promise<string | undefined> =>
      status(
        await device.ta.call(
          'OFFER',
          (
            await device.sealOffer(sensor, {
              rosterVersion,
              ...(ownerGeneration !== undefined && { ownerGeneration }),
            })
          ).offer,
        ),
      );
    const hello = await device.hello();
    const askedBy = async (ownerGeneration: number, rosterVersion: number): Promise<string | undefined> =>
      status(
        await device.ta.call(
          'RULES_HELLO',
          signRulesHello(
            {
              device: hello.device,
              freshNonce: new Uint8Array(16),
              prekey: rules.agreement.publicKey,
              time: device.counter(),
              rosterVersion,
              ownerGeneration,
              modelSequence: 0,
            },
            rules.signing,
          ),
        ),
      );
    for (const say of [offer, askedBy]) {
      expect(await say(1, Number.MAX_SAFE_INTEGER)).toBeUndefined();
      expect(await say(2, 7)).toBeUndefined();
      expect(await say(2, 8)).toBe('STATE_ROLLED_BACK');
      expect(await say(3, 1)).toBe('STATE_ROLLED_BACK');
      expect(await say(0, 1)).toBe('MALFORMED');
    }
    // Who does not say whose roster it was means the present owners.
    expect(await offer(undefined, 8)).toBe('STATE_ROLLED_BACK');
    expect(await offer(undefined, 7)).toBeUndefined();
  });

  test('a zone that it changed is open to the offers of later rosters, and closed to the channels of its own', async () => {
    const zone = asKid(new Uint8Array(8).fill(7));
    const kid = (await device.hello()).device;
    const publish = async (
      version: number,
      devices: readonly Kid[],
      key: SigningKey,
      succession?: readonly Uint8Array[],
    ): Promise<void> => {
      const zones = [{ id: zone, devices, name: 'porch' }];
      const roster = await device.signedRoster([sensor], version, undefined, {
        key,
        zones,
        ...(succession && { succession }),
      });
      expectOk(await device.ta.call('ROSTER', roster));
    };
    const offer = async (
      rosterVersion: number,
      ownerGeneration: number,
    ): Promise<{ channel: ChannelId; code: string | undefined }> => {
      const channel = asChannelId(randomBytes(8));
      const hello = await device.hello();
      const sealed = sealZoneOffer(
        {
          channel,
          secret: new Uint8Array(32).fill(3),
          inputShape: { format: 'u8', dims: [1] },
          counter: device.counter(),
          rosterVersion,
          ownerGeneration,
          modelSequence: 0,
          time: seconds(),
        },
        zone,
        sensor.signing,
        [hello],
      );
      return { channel, code: status(await device.ta.call('ZONE_OFFER', sealed)) };
    };
    const isOpen = async (channel: ChannelId): Promise<boolean> =>
      status(await device.ta.call('RECEIPT', channel)) === undefined;
    const others = [1, 2].map((n) => asKid(new Uint8Array(8).fill(n)));
    await publish(7, [kid, ...others], first);
    // The thief takes a device out, under the highest version.
    await publish(Number.MAX_SAFE_INTEGER, [kid, ...others.slice(1)], first);
    const thiefs = await offer(Number.MAX_SAFE_INTEGER, 1);
    expect(thiefs.code).toBeUndefined();
    // The owner leaves the zone as it is: the channel stays, and offers of the new rosters are taken.
    await publish(8, [kid, ...others.slice(1)], second, toSecond());
    expect(await isOpen(thiefs.channel)).toBe(true);
    const owners = await offer(8, 2);
    expect(owners.code).toBeUndefined();
    // And takes another device out: what was sealed before that is closed, and refused.
    await publish(9, [kid], second);
    expect(await isOpen(thiefs.channel)).toBe(false);
    expect(await isOpen(owners.channel)).toBe(false);
    expect((await offer(Number.MAX_SAFE_INTEGER, 1)).code).toBe('STALE_ROSTER');
    expect((await offer(8, 2)).code).toBe('STALE_ROSTER');
    expect((await offer(9, 2)).code).toBeUndefined();
  });
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
