/** Whom the device believes: calendar, lease, roster, owners. */
import {
  accepted,
  firstOf,
  refused,
  store,
  type Device,
  type Message,
  type Order,
  type Outcome,
  type OwnerContent,
  type Owners,
  type RoleName,
  type RosterContent,
  type Seen,
  type Verdict,
  type ZoneInForce,
} from './state.js';
import { closeUnauthorised, nextEpoch } from './channels.js';

export const DAY = 86_400;
/** No message can make the TA believe that it is earlier (ta/trust/calendar.c). */
export const BUILD_TIME = 1_793_491_200;

/** The latest of owner-signed time, build time, and sensor offers within 24 hours of the owner's last. */
const calendarFloor = ({ stored, memory }: Device): number =>
  Math.max(BUILD_TIME, stored.ownerTime, memory.offeredTime);

export const rosterVersion = ({ stored }: Device): number => stored.roster?.content.version ?? 0;

/** A member of the roster in force, in this role, not seen to be expired, while the lease lasts. */
export const authorise = (device: Device, party: string, role: RoleName): Verdict => {
  const roster = device.stored.roster?.content;
  const member = roster?.members.find((each) => each.party === party);
  return firstOf(
    ['UNKNOWN_SENDER', member === undefined],
    ['WRONG_ROLE', () => member?.role !== role],
    ['EXPIRED', () => (member?.notAfter ?? Infinity) < calendarFloor(device)],
    ['LEASE_ENDED', () => device.clock - device.memory.rosterSince > (roster?.lease ?? Infinity)],
  );
};

/** Clients are the rollback witnesses: who has seen newer state proves that this one was put back. */
export const knowsMore = (device: Device, seen: Seen): boolean =>
  isLater(orderSeen(device, seen), [device.stored.owners.generation, rosterVersion(device)]) ||
  seen.modelSequence > device.stored.modelFloor;

/** Who does not say whose roster it was means the present owners. */
export const orderSeen = (
  { stored }: Device,
  { ownerGeneration = stored.owners.generation, rosterVersion: version }: Seen,
): Order => [ownerGeneration, version];

export const isLater = (a: Order, b: Order): boolean => (a[0] === b[0] ? a[1] > b[1] : a[0] > b[0]);

/** The zones of a roster that list the device's present or next keys; who has left one keeps the keys of its channels. */
export const zonesInForce = (
  { stored: { identity, next } }: Device,
  { zones }: RosterContent,
  order: Order,
  before: ReadonlyMap<string, ZoneInForce>,
): Map<string, ZoneInForce> =>
  new Map(
    zones
      .filter(({ devices }) => devices.includes(identity) || (next !== undefined && devices.includes(next)))
      .map(({ zone, devices }) => {
        const old = before.get(zone);
        const keepsAll = old?.devices.every((each) => devices.includes(each)) === true;
        return [zone, { devices, since: old !== undefined && keepsAll ? old.since : order }];
      }),
  );

/** From the owners that are known to those of the last link. What is known already is passed over. */
const follow = (known: Owners, { succession = [] }: RosterContent): { owners: Owners; code: Verdict } => {
  let owners = known;
  for (const link of succession) {
    if (link.generation < owners.generation) continue;
    const code =
      link.generation === owners.generation
        ? firstOf(['OWNERS_CONFLICT', !sameSet(link.keys, owners.keys)])
        : firstOf(
            ['NOT_OWNER', link.generation !== owners.generation + 1 || !owners.keys.includes(link.signer)],
            ['BAD_SIGNATURE', link.forged],
          );
    if (code !== 'OK') return { owners, code };
    owners = { generation: link.generation, keys: link.keys };
  }
  return { owners, code: 'OK' };
};

const sameSet = (a: readonly string[], b: readonly string[]): boolean =>
  a.length === b.length && a.every((each) => b.includes(each)) && b.every((each) => a.includes(each));

/** Signed by an owner of the last generation that it leads to. */
const judgeSigner = (device: Device, content: RosterContent): Verdict => {
  const known = device.stored.owners;
  const { owners, code } = follow(known, content);
  const already = known.keys.includes(content.signer);
  // Nothing that an owner says is looked into before its signature; of others, only whether they follow one.
  return already
    ? firstOf(
        ['BAD_SIGNATURE', content.forged],
        [code, code !== 'OK'],
        ['NOT_OWNER', !owners.keys.includes(content.signer)],
      )
    : firstOf(
        [code, code !== 'OK'],
        ['NOT_OWNER', !owners.keys.includes(content.signer)],
        ['BAD_SIGNATURE', content.forged],
      );
};

/** @param boot names the boot that begins where the roster puts the device's next keys in place */
export const takeRoster = (device: Device, message: Message<RosterContent>, boot: string): Outcome => {
  const { stored, memory } = device;
  const { content } = message;
  const current = stored.roster;
  const same = current?.id === message.id;
  const lists = (identity: string | undefined): boolean =>
    identity !== undefined && content.devices.includes(identity);
  const signer = judgeSigner(device, content);
  const { owners } = follow(stored.owners, content);
  const generation = content.succession?.at(-1)?.generation ?? owners.generation;
  const succeeds = owners.generation > stored.owners.generation;
  const code = firstOf(
    [signer, signer !== 'OK'],
    ['STALE_ROSTER', generation < owners.generation], // of before a succession, by a key that stayed
    ['ROSTER_CONFLICT', !succeeds && content.version === current?.content.version && !same],
    ['OK', same],
    ['STALE_ROSTER', !succeeds && content.version <= stored.rosterFloor],
    ['NOT_IN_ROSTER', !lists(stored.identity) && !lists(stored.next)],
    ['STORAGE_FAILED', !device.storageAvailable],
  );
  if (code !== 'OK' || same) return refused(code);
  const order: Order = [owners.generation, content.version];
  memory.zones = zonesInForce(device, content, order, memory.zones);
  store(device, {
    roster: message,
    rosterFloor: content.version,
    ownerTime: Math.max(stored.ownerTime, content.issued),
    owners,
    ...(!lists(stored.former) && { former: undefined }),
  });
  memory.rosterSince = device.clock;
  delete memory.job; // its publisher may have gone
  if (lists(stored.next)) {
    const former = lists(stored.identity) ? stored.identity : undefined;
    store(device, { identity: stored.next ?? '', next: undefined, former });
    beginBoot(device, boot);
    return accepted();
  }
  closeUnauthorised(device);
  nextEpoch(device); // a revoked rules host cannot open the next label
  return accepted();
};

const judge = (device: Device, content: OwnerContent): Verdict => {
  const { stored, memory } = device;
  const claimed = stored.owners.keys.length > 0;
  const { action } = content;
  const owners = claimed ? stored.owners.keys : action.type === 'claim' ? action.owners : [];
  const again = claimed && action.type === 'claim';
  return firstOf(
    ['NOT_CLAIMED', !claimed && action.type !== 'claim'],
    [again ? 'ALREADY_CLAIMED' : 'NOT_OWNER', !owners.includes(content.signer)],
    ['BAD_SIGNATURE', content.forged],
    ['ALREADY_CLAIMED', again],
    ['WRONG_DEVICE', content.device !== stored.identity],
    ['STALE_NONCE', content.nonce !== `${claimed ? 'boot' : 'claim'} nonce of ${memory.boot}`],
    ['STALE_COUNTER', content.counter <= stored.ownerCounter],
    ['MODEL_UNKNOWN', action.type === 'rollback' && stored.previous === undefined],
    ['MODEL_SEQUENCE', action.type === 'rebase' && action.floor <= stored.modelFloor],
    ['STORAGE_FAILED', !device.storageAvailable],
  );
};

/** @param fresh names what a claim or reset draws anew */
export const takeStatement = (
  device: Device,
  { id, content }: Message<OwnerContent>,
  fresh: { readonly identity: string; readonly boot: string },
): Outcome => {
  // The one that took effect last is answered again: its answer may have been lost.
  const again = device.stored.owners.keys.length > 0 && device.stored.statement === id;
  const code = again ? 'OK' : judge(device, content);
  if (code === 'OK' && !again) {
    apply(device, content, fresh);
    device.stored = { ...device.stored, statement: id };
  }
  return { code, reply: { kind: 'owner-reply', statement: content, status: code } };
};

const apply = (
  device: Device,
  { action, counter, time }: OwnerContent,
  fresh: { readonly identity: string; readonly boot: string },
): void => {
  const { stored, memory } = device;
  const said = { ownerCounter: counter, ownerTime: Math.max(stored.ownerTime, time) };
  const withoutModels = { model: undefined, previous: undefined, trialStarts: 0, trialLabels: 0 };
  switch (action.type) {
    case 'claim':
      device.stored = {
        ...stored,
        ...said,
        ...withoutModels,
        identity: fresh.identity,
        owners: { generation: action.generation, keys: action.owners },
        next: undefined,
        former: undefined,
        roster: undefined,
        rosterFloor: 0,
        modelFloor: 0,
      };
      break;
    case 'reset': // members, channels and model are forgotten; identity, owners, counters and floors stay
      device.stored = {
        ...stored,
        ...said,
        ...withoutModels,
        roster: undefined,
        next: undefined,
        former: undefined,
      };
      break;
    case 'rollback':
      device.stored = { ...stored, ...said, ...withoutModels, model: stored.previous };
      stopRunning(memory);
      delete memory.job;
      return;
    case 'rebase':
      device.stored = { ...stored, ...said, modelFloor: action.floor };
      return;
    case 'rotate': // the next keys, where there are none yet
      device.stored = { ...stored, ...said, next: stored.next ?? fresh.identity };
      return;
  }
  stopRunning(memory);
  delete memory.job;
  memory.zones.clear();
  beginBoot(device, fresh.boot);
};

const stopRunning = (memory: Device['memory']): void => {
  delete memory.running;
  delete memory.answer;
};

/** Prekey, channels and what members were seen to say end with the boot before. */
const beginBoot = (device: Device, boot: string): void => {
  const { memory } = device;
  memory.boot = boot;
  memory.channels = [];
  delete memory.answer;
  memory.seen.clear();
  nextEpoch(device);
};
