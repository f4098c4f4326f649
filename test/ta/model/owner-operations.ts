/** What owners say: statements and rosters. */
import { anotherDevice, anybody, perhapsWrong, today } from './choices.js';
import type { Dice } from './dice.js';
import type { Machine } from './machine.js';
import { ELSEWHERE, NEIGHBOUR, PARTIES, type Made } from './registry.js';
import { DAY } from './trust.js';
import type {
  MemberEntry,
  OwnerContent,
  Owners,
  OwnersLink,
  RoleName,
  RosterContent,
  ZoneEntry,
} from './state.js';

export const statement = (machine: Machine, dice: Dice, type?: OwnerContent['action']['type']): Made => {
  const { stored, memory } = machine.spec.device;
  const claimed = stored.owners.keys.length > 0;
  const owners = someOwners(dice);
  const chosen =
    type ??
    dice.pick(['claim', 'reset', 'rollback', 'rollback', 'rebase', 'rebase', 'rotate', 'rotate'] as const);
  const actions = {
    claim: { type: 'claim', owners, generation: 1 + dice.below(3) },
    reset: { type: 'reset' },
    rollback: { type: 'rollback' },
    rotate: { type: 'rotate' },
    rebase: { type: 'rebase', floor: Math.max(0, stored.modelFloor + dice.pick([-1, 0, 1, 2, 2, 70_000])) },
  } as const;
  const right: OwnerContent = {
    kind: 'owner',
    signer: dice.pick(claimed ? stored.owners.keys : owners),
    forged: false,
    device: stored.identity,
    counter: stored.ownerCounter + 1 + dice.below(2),
    nonce: `${claimed ? 'boot' : 'claim'} nonce of ${memory.boot}`,
    time: today(machine),
    action: actions[chosen],
  };
  return machine.make.owner(
    perhapsWrong(dice, right, [
      { signer: anybody(dice) },
      { forged: true },
      { device: anotherDevice(machine, dice) },
      { counter: Math.max(0, stored.ownerCounter - dice.below(3)) },
      { nonce: dice.pick([...machine.registry.nonces.keys()]) },
      { time: dice.pick([0, today(machine) + 3 * DAY]) },
    ]),
  );
};

export const everybody = (): MemberEntry[] => {
  const as = (parties: readonly string[], role: RoleName): MemberEntry[] =>
    parties.map((name) => ({ party: name, role }));
  return [
    ...as(PARTIES.sensors, 'sensor'),
    ...as(PARTIES.rules, 'rules'),
    ...as(PARTIES.publishers, 'publisher'),
  ];
};

const someMembers = (machine: Machine, dice: Dice): MemberEntry[] =>
  everybody()
    .filter(() => dice.chance(0.85))
    .map((member) => {
      const role = dice.chance(0.04) ? dice.pick(['sensor', 'rules', 'publisher'] as const) : member.role;
      const notAfter = today(machine) + dice.pick([-1, 50, DAY / 2, 30 * DAY]);
      return { ...member, role, ...(dice.chance(0.1) && { notAfter }) };
    });

const someOwners = (dice: Dice): string[] => {
  const some = PARTIES.owners.filter(() => dice.chance(0.6));
  return some.length > 0 ? some : [dice.pick(PARTIES.owners)];
};

/** One or two links from the owners that the device knows, now and then with one that leads nowhere. */
const succession = ({ spec }: Machine, dice: Dice): OwnersLink[] => {
  const known = spec.device.stored.owners;
  const links: OwnersLink[] = [];
  if (known.keys.length === 0) return links;
  if (dice.chance(0.3)) links.push({ ...known, signer: dice.pick(known.keys), forged: false });
  let last = known;
  for (let i = 0; i < 1 + dice.below(2); i++) {
    const right = {
      generation: last.generation + 1,
      keys: someOwners(dice),
      signer: dice.pick(last.keys),
      forged: false,
    };
    const wrong = [
      { forged: true },
      { signer: anybody(dice) },
      { generation: last.generation + dice.pick([0, 2]) },
      { generation: Math.max(1, last.generation - 1) },
    ];
    links.push((last = perhapsWrong<OwnersLink>(dice, right, wrong, 0.15)));
  }
  return links;
};

/** As a roster of before the last succession ends. */
const beforeTheLast = ({ generation, keys }: Owners): OwnersLink => ({
  generation: Math.max(1, generation - 1),
  keys: keys.length > 0 ? keys : [PARTIES.owners[0]],
  signer: PARTIES.stranger,
  forged: false,
});

/** Zones with this device in most of them, mostly, and others that come and go. */
const someZones = ({ spec }: Machine, dice: Dice): ZoneEntry[] => {
  const { identity, next } = spec.device.stored;
  const own = [identity, ...(next === undefined ? [] : [next])].filter(() => dice.chance(0.85));
  return PARTIES.zones
    .filter(() => dice.chance(0.8))
    .map((zone) => {
      const others = [ELSEWHERE, NEIGHBOUR].filter(() => dice.chance(0.7));
      const devices = [...others, ...own];
      return { zone, devices: devices.length > 0 ? devices : [NEIGHBOUR] };
    });
};

/** The device's present keys; or its next ones, mostly beside them until everybody knows. */
const listed = (machine: Machine, dice: Dice): string[] => {
  const { identity, next, former } = machine.spec.device.stored;
  const some = [ELSEWHERE, former].filter((each) => each !== undefined && dice.chance(0.3)) as string[];
  const step = next !== undefined && dice.chance(0.4);
  return step ? [...some, next, ...(dice.chance(0.6) ? [identity] : [])] : [...some, identity];
};

export const roster = (machine: Machine, dice: Dice, members = someMembers(machine, dice)): Made => {
  const { stored } = machine.spec.device;
  const next = stored.rosterFloor + 1 + dice.below(2);
  // Whoever has stolen a key can leave no version above its own: then only a succession goes on.
  const noneHigher = !Number.isSafeInteger(next);
  const links = noneHigher || dice.chance(0.2) ? succession(machine, dice) : [];
  const anyVersion = (links.length > 0 && dice.chance(0.5)) || noneHigher;
  const signers = links.at(-1)?.keys ?? stored.owners.keys;
  const replaced = stored.owners.keys.filter((key) => !signers.includes(key));
  const right: RosterContent = {
    kind: 'roster',
    // Now and then one signs whose place the roster gives to others.
    signer:
      replaced.length > 0 && dice.chance(0.15)
        ? dice.pick(replaced)
        : dice.pick(signers.length > 0 ? signers : PARTIES.owners),
    forged: false,
    version: anyVersion ? 1 + dice.below(20) : dice.chance(0.02) ? Number.MAX_SAFE_INTEGER : next,
    issued: today(machine),
    members,
    devices: listed(machine, dice),
    zones: someZones(machine, dice),
    ...(links.length > 0 && { succession: links }),
    ...(dice.chance(0.2) && { lease: 60 + dice.below(4000) }),
  };
  return machine.make.roster(
    perhapsWrong(dice, right, [
      { signer: anybody(dice) },
      { forged: true },
      { version: Math.max(1, stored.rosterFloor - dice.below(3)) },
      { devices: [anotherDevice(machine, dice)] },
      { issued: dice.pick([1, today(machine) + 2 * DAY]) },
      { members: [] },
      { succession: [beforeTheLast(stored.owners)] },
    ]),
  );
};
