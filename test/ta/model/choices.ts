/** Choices that all operations make: right in all respects, or wrong in one. */
import type { Dice } from './dice.js';
import type { Machine } from './machine.js';
import { PARTIES } from './registry.js';
import { rosterVersion } from './trust.js';
import type { Seen } from './state.js';

/** Seconds since 1970; with the TEE's clock added. */
const TODAY = 1_800_000_000;

export const today = ({ spec }: Machine): number => TODAY + spec.device.clock;

/** Right in all respects, or wrong in one. */
export const perhapsWrong = <T>(dice: Dice, right: T, ways: readonly Partial<T>[], wrong = 0.25): T =>
  dice.chance(wrong) ? { ...right, ...dice.pick(ways) } : right;

export const anotherBoot = (machine: Machine, dice: Dice): string =>
  dice.pick([...machine.registry.boots.keys()]);
export const anotherDevice = (machine: Machine, dice: Dice): string =>
  dice.pick([...machine.registry.identities.keys()]);
export const anybody = (dice: Dice): string =>
  dice.pick([
    ...PARTIES.owners,
    ...PARTIES.sensors,
    ...PARTIES.rules,
    ...PARTIES.publishers,
    PARTIES.stranger,
  ]);

/** The highest versions that a client may have seen, now and then more than the device has. */
export const seenBy = ({ spec: { device } }: Machine, dice: Dice): Seen => ({
  rosterVersion: rosterVersion(device),
  modelSequence: device.stored.modelFloor,
  ...(dice.chance(0.7) && { ownerGeneration: Math.max(1, device.stored.owners.generation) }),
});

export const above = (version: number): number => Math.min(version + 1, Number.MAX_SAFE_INTEGER);

/** More than the device has, or less, by the owners' generation. */
export const seenOfOtherOwners = ({ spec: { device } }: Machine): Partial<Seen>[] => {
  const { generation } = device.stored.owners;
  return [
    { ownerGeneration: generation + 1, rosterVersion: 1 },
    { ownerGeneration: Math.max(1, generation - 1), rosterVersion: above(rosterVersion(device)) },
  ];
};
