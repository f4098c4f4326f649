/**
 * What may happen to a device, each as a kind and a seed: what exactly it is follows from the seed and from the state in which it
 * happens, so that any part of a sequence is a sequence, too. Most of what is sent is right in all respects, so that much is
 * reached; the rest is wrong in one.
 */
import { Dice } from './dice.js';
import type { Machine } from './machine.js';
import { ELSEWHERE, known, PARTIES, type Made, type SensorEnd } from './registry.js';
import { shapeName } from './messages.js';
import { authorise, DAY, rosterVersion } from './trust.js';
import type {
  FrameContent,
  MemberEntry,
  ModelBeginContent,
  OfferContent,
  OwnerContent,
  Owners,
  OwnersLink,
  RoleName,
  RosterContent,
  RulesHelloContent,
  Seen,
} from './state.js';

export interface Operation {
  readonly kind: OperationKind;
  readonly seed: number;
}

/** Seconds since 1970; with the TEE's clock added. */
const TODAY = 1_800_000_000;

/** How often, in relation to each other. */
const WEIGHTS = {
  proceed: 240,
  frame: 300,
  frames: 12,
  offer: 80,
  rulesHello: 60,
  roster: 60,
  owner: 50,
  install: 40,
  begin: 20,
  segment: 25,
  load: 40,
  replay: 120,
  receipt: 20,
  evidence: 10,
  telemetry: 20,
  modelStatus: 40,
  continue: 4,
  restart: 20,
  storage: 12,
  clock: 20,
  session: 12,
  endSession: 8,
  snapshot: 6,
  putBack: 3,
  erase: 1,
};
export type OperationKind = keyof typeof WEIGHTS;

export const randomOperations = (seed: number, count: number): Operation[] => {
  const dice = new Dice(seed);
  return Array.from({ length: count }, () => ({ kind: dice.weighted(WEIGHTS), seed: dice.below(2 ** 32) }));
};

const today = ({ spec }: Machine): number => TODAY + spec.device.clock;

/** Right in all respects, or wrong in one. */
const perhapsWrong = <T>(dice: Dice, right: T, ways: readonly Partial<T>[], wrong = 0.25): T =>
  dice.chance(wrong) ? { ...right, ...dice.pick(ways) } : right;

const anotherBoot = (machine: Machine, dice: Dice): string => dice.pick([...machine.registry.boots.keys()]);
const anotherDevice = (machine: Machine, dice: Dice): string =>
  dice.pick([...machine.registry.identities.keys()]);
const anybody = (dice: Dice): string =>
  dice.pick([
    ...PARTIES.owners,
    ...PARTIES.sensors,
    ...PARTIES.rules,
    ...PARTIES.publishers,
    PARTIES.stranger,
  ]);

const statement = (machine: Machine, dice: Dice, type?: OwnerContent['action']['type']): Made => {
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

const everybody = (): MemberEntry[] => {
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
  keys,
  signer: PARTIES.stranger,
  forged: false,
});

/** The device's present keys; or its next ones, mostly beside them until everybody knows. */
const listed = (machine: Machine, dice: Dice): string[] => {
  const { identity, next, former } = machine.spec.device.stored;
  const some = [ELSEWHERE, former].filter((each) => each !== undefined && dice.chance(0.3)) as string[];
  const step = next !== undefined && dice.chance(0.4);
  return step ? [...some, next, ...(dice.chance(0.6) ? [identity] : [])] : [...some, identity];
};

const roster = (machine: Machine, dice: Dice, members = someMembers(machine, dice)): Made => {
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

/** The highest versions that a client may have seen, now and then more than the device has. */
const seenBy = ({ spec: { device } }: Machine, dice: Dice): Seen => ({
  rosterVersion: rosterVersion(device),
  modelSequence: device.stored.modelFloor,
  ...(dice.chance(0.7) && { ownerGeneration: device.stored.owners.generation }),
});

const above = (version: number): number => Math.min(version + 1, Number.MAX_SAFE_INTEGER);

/** More than the device has, or less, by the owners' generation. */
const seenOfOtherOwners = ({ spec: { device } }: Machine): Partial<Seen>[] => {
  const { generation } = device.stored.owners;
  return [
    { ownerGeneration: generation + 1, rosterVersion: 1 },
    { ownerGeneration: Math.max(1, generation - 1), rosterVersion: above(rosterVersion(device)) },
  ];
};

const offer = (machine: Machine, dice: Dice): Made => {
  const { registry, spec } = machine;
  const { stored, memory } = spec.device;
  const sensor = dice.pick(PARTIES.sensors);
  const shapes = [...registry.containers.values()].map(({ header }) => shapeName(header.input));
  const shape = memory.running && dice.chance(0.9) ? memory.running.input : dice.pick(shapes);
  const own = [...registry.channels.values()].filter((end) => end.sensor === sensor && end.shape === shape);
  const again = own.at(-1);
  const end =
    again && dice.chance(0.03) && again.device === stored.identity
      ? again
      : registry.newChannel(sensor, shape, stored.identity);
  const seen = seenBy(machine, dice);
  const counter = memory.seen.get(sensor)?.counter ?? 0;
  const right: OfferContent = {
    kind: 'offer',
    signer: sensor,
    forged: false,
    prekey: memory.boot,
    bootNonce: memory.boot,
    device: stored.identity,
    channel: end.name,
    shape,
    counter: counter + 1 + dice.below(3),
    ...seen,
    time: today(machine),
  };
  return machine.make.offer(
    perhapsWrong<OfferContent>(dice, right, [
      { signer: anybody(dice) },
      { forged: true },
      { prekey: anotherBoot(machine, dice) },
      { bootNonce: anotherBoot(machine, dice) },
      { device: anotherDevice(machine, dice) },
      { counter: Math.max(0, counter - dice.below(2)) },
      { rosterVersion: above(seen.rosterVersion) },
      { modelSequence: seen.modelSequence + 1 },
      { rosterVersion: 0, modelSequence: 0 },
      ...seenOfOtherOwners(machine),
      { time: today(machine) + dice.pick([-DAY, DAY / 2, DAY - 2000, 3 * DAY]) },
    ]),
  );
};

const rulesHello = (machine: Machine, dice: Dice): Made => {
  const { stored, memory } = machine.spec.device;
  const host = dice.pick(PARTIES.rules);
  const time = memory.seen.get(host)?.counter ?? 0;
  const seen = seenBy(machine, dice);
  const right: RulesHelloContent = {
    kind: 'rules-hello',
    signer: host,
    forged: false,
    device: stored.identity,
    lowOrder: false,
    time: time + 1 + dice.below(3),
    ...seen,
  };
  return machine.make.rulesHello(
    perhapsWrong<RulesHelloContent>(dice, right, [
      { signer: anybody(dice) },
      { forged: true },
      { device: anotherDevice(machine, dice) },
      { time: Math.max(0, time - dice.below(2)) },
      { rosterVersion: above(seen.rosterVersion) },
      { modelSequence: seen.modelSequence + 1 },
      ...seenOfOtherOwners(machine),
      { lowOrder: true },
    ]),
  );
};

/** A channel that a sensor has: mostly an open one. */
const someChannel = (machine: Machine, dice: Dice): SensorEnd | undefined => {
  const { registry, spec } = machine;
  const open = spec.device.memory.channels.map(({ id }) => known(registry.channels, id));
  const all = [...registry.channels.values()];
  if (open.length > 0 && dice.chance(0.95)) return dice.pick(open);
  return all.length > 0 ? dice.pick(all) : undefined;
};

const GOOD = { authentic: true, wellFormed: true };

const frame = async (machine: Machine, dice: Dice): Promise<void> => {
  const end = someChannel(machine, dice);
  if (end === undefined) return;
  const { held, made } = machine.registry;
  const way = dice.weighted({ next: 60, hold: 8, late: 10, again: 14, altered: 5, malformed: 3 });
  const sent = made.filter(
    ({ message: { content } }) => content.kind === 'frame' && content.channel === end.name,
  );
  switch (way) {
    case 'hold':
      held.push(machine.make.frame(end, GOOD));
      return;
    case 'late': {
      const [late] = held.length > 0 ? held.splice(dice.below(held.length), 1) : [];
      if (late) await machine.send(late);
      return;
    }
    case 'again': {
      if (sent.length > 0) await machine.send(dice.pick(sent.slice(-12)));
      return;
    }
    case 'altered': {
      // One that is altered already would be the original again.
      const originals = sent.slice(-4).filter(isAuthentic);
      await machine.send(
        originals.length > 0 && dice.chance(0.5)
          ? machine.make.alteredFrame(dice.pick(originals))
          : machine.make.frame(end, { ...GOOD, authentic: false }),
      );
      return;
    }
    case 'malformed':
      await machine.send(machine.make.frame(end, { ...GOOD, wellFormed: false }));
      return;
    case 'next':
      await machine.send(machine.make.frame(end, GOOD));
  }
};

const isAuthentic = ({ message }: Made): boolean => (message.content as FrameContent).authentic;

type BeginDraft = Omit<ModelBeginContent, 'model' | 'segments'>;

const begin = async (machine: Machine, dice: Dice, right = false): Promise<void> => {
  const { registry, spec } = machine;
  const { stored } = spec.device;
  const container = dice.pick([...registry.containers.keys()]);
  const publisher = dice.pick(PARTIES.publishers);
  const seen = seenBy(machine, dice);
  const sequence = stored.modelFloor + 1 + dice.below(2);
  const keys = stored.former !== undefined && dice.chance(0.5) ? stored.former : stored.identity;
  const anOffer = {
    signer: publisher,
    forged: false,
    digest: '',
    sealedTo: keys,
    device: keys,
    rightKey: true,
    ...seen,
  };
  const draft: BeginDraft = {
    kind: 'model-begin',
    signer: publisher,
    forged: false,
    offer: anOffer,
    versionFits: true,
  };
  const digests = [...registry.packages.keys()];
  const wrong: Partial<BeginDraft>[] = [
    { signer: anybody(dice) },
    { forged: true },
    { versionFits: false },
    { offer: { ...anOffer, signer: anybody(dice) } },
    { offer: { ...anOffer, forged: true } },
    { offer: { ...anOffer, digest: digests.length > 0 ? dice.pick(digests) : '' } },
    { offer: { ...anOffer, sealedTo: anotherDevice(machine, dice) } },
    { offer: { ...anOffer, device: anotherDevice(machine, dice) } },
    { offer: { ...anOffer, rightKey: false } },
    { offer: { ...anOffer, rosterVersion: above(seen.rosterVersion) } },
    { offer: { ...anOffer, modelSequence: seen.modelSequence + 1 } },
    ...seenOfOtherOwners(machine).map((other) => ({ offer: { ...anOffer, ...other } })),
  ];
  const tooHigh = dice.chance(right ? 0 : 0.05);
  const far = dice.pick([stored.modelFloor, stored.modelFloor + 65_537, stored.modelFloor + 65_536]);
  await machine.send(
    machine.make.modelBegin(
      perhapsWrong(dice, draft, wrong, right ? 0 : 0.3),
      container,
      tooHigh ? Math.max(1, far) : sequence,
    ),
  );
};

/** The next segment of the load under way, or one that nobody wants. */
const segment = async (machine: Machine, dice: Dice): Promise<void> => {
  const { memory } = machine.spec.device;
  const { job } = memory;
  const containers = [...machine.registry.containers.keys()];
  const container = job?.model.container ?? dice.pick(containers);
  const place = job?.next ?? dice.below(3);
  const way = dice.weighted({ right: 75, order: 8, another: 5, place: 4, altered: 8 });
  const made = {
    right: () => machine.make.segment(container, place),
    order: () => machine.make.segment(container, place, { index: place + 1 }),
    another: () => machine.make.segment(dice.pick(containers), place),
    place: () => machine.make.segment(container, (place + 1) % 3, { index: place }),
    altered: () => machine.make.segment(container, place, { intact: false }),
  }[way]();
  await machine.send(made);
};

const segments = async (machine: Machine): Promise<void> => {
  const { job, running } = machine.spec.device.memory;
  if (job?.next === 0) await machine.sendSegments(job.model.container);
  if (running) return;
};

const load = async (machine: Machine, dice: Dice): Promise<void> => {
  const { registry, spec } = machine;
  const { model } = spec.device.stored;
  const digests = [...registry.packages.keys()];
  if (digests.length === 0) return;
  await machine.send(machine.make.modelLoad(model && dice.chance(0.9) ? model.digest : dice.pick(digests)));
  if (dice.chance(0.9)) await segments(machine);
};

/** The next thing that a household does on the way to labels. */
const proceed = async (machine: Machine, dice: Dice): Promise<void> => {
  const { spec, make } = machine;
  const { device } = spec;
  const { stored, memory } = device;
  const may = (parties: readonly string[], role: RoleName): boolean =>
    parties.some((each) => authorise(device, each, role) === 'OK');
  if (!device.storageAvailable) machine.storage(true);
  else if (stored.owners.keys.length === 0) await machine.send(statement(machine, dice, 'claim'));
  else if (stored.roster === undefined && stored.rosterFloor > 0 && dice.chance(0.3)) {
    // What the broker retains comes again after a reset.
    const made = machine.registry.made.filter(
      ({
        message: {
          content: { kind },
        },
      }) => kind === 'roster',
    );
    await machine.send(dice.pick(made.slice(-3)));
  } else if (!may(PARTIES.sensors, 'sensor') || !may(PARTIES.publishers, 'publisher'))
    await machine.send(roster(machine, dice, everybody()));
  else if (memory.job !== undefined) {
    if (memory.job.session === device.session) await segment(machine, dice);
    else await machine.endSession(memory.job.session);
  } else if (memory.running === undefined) {
    if (stored.model === undefined) await begin(machine, dice, true);
    else await machine.send(make.modelLoad(stored.model.digest));
    await segments(machine);
  } else if (memory.channels.length < 2) await machine.send(offer(machine, dice));
  else await frame(machine, dice);
};

/** Any message of before, or one like it that was never sent, in this state. */
const replay = async (machine: Machine, dice: Dice): Promise<void> => {
  const { made } = machine.registry;
  if (made.length === 0) return;
  const kinds = [...new Set(made.map(({ message }) => message.content.kind))];
  const kind = dice.pick(kinds);
  const all = made.filter(({ message }) => message.content.kind === kind);
  await machine.send(dice.chance(0.5) ? dice.pick(all.slice(-4)) : dice.pick(all));
};

export const perform = async (machine: Machine, { kind, seed }: Operation): Promise<void> => {
  const dice = new Dice(seed);
  const { make, spec } = machine;
  switch (kind) {
    case 'proceed':
      return proceed(machine, dice);
    case 'frame':
      return frame(machine, dice);
    case 'frames': {
      const end = someChannel(machine, dice);
      if (!end) return;
      const lost = dice.chance(0.3) ? dice.below(130) : 0;
      const count = 9 + dice.below(30);
      for (let i = 0; i < count; i++) {
        const frame = make.frame(end, GOOD);
        if (dice.chance(0.9)) await machine.send(frame);
        for (let n = 0; n < lost && i === 4; n++) make.frame(end, GOOD);
      }
      await machine.send(make.receipt(end));
      return;
    }
    case 'offer':
      await machine.send(offer(machine, dice));
      return;
    case 'rulesHello':
      await machine.send(rulesHello(machine, dice));
      return;
    case 'roster':
      await machine.send(roster(machine, dice));
      return;
    case 'owner':
      await machine.send(statement(machine, dice));
      return;
    case 'install':
      await begin(machine, dice);
      return segments(machine);
    case 'begin':
      return begin(machine, dice);
    case 'segment':
      return segment(machine, dice);
    case 'load':
      return load(machine, dice);
    case 'replay':
      return replay(machine, dice);
    case 'receipt': {
      const end = someChannel(machine, dice);
      if (end) await machine.send(make.receipt(end));
      return;
    }
    case 'evidence':
      await machine.send(make.evidence(dice.pick([7, 8, 32, 64, 64])));
      return;
    case 'telemetry':
      await machine.send(make.telemetry(dice.chance(0.9)));
      return;
    case 'modelStatus':
      await machine.send(make.modelStatus());
      return;
    case 'continue':
      await machine.send(make.continue());
      return;
    case 'restart':
      return machine.restart();
    case 'storage':
      return machine.storage(!spec.device.storageAvailable);
    case 'clock':
      return machine.clock(dice.pick([1, 60, 3600, DAY / 2, DAY, DAY + 1]));
    case 'session':
      return machine.session(1 + dice.below(3));
    case 'endSession':
      return machine.endSession(1 + dice.below(3));
    case 'snapshot':
      return machine.takeSnapshot();
    case 'putBack': {
      const last = machine.snapshots.length - 1;
      return machine.putBack(dice.chance(0.2) ? 0 : Math.max(0, last - dice.below(3)));
    }
    case 'erase':
      return machine.putBack(undefined);
  }
};
