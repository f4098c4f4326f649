/**
 * What may happen to a device, each as a kind and a seed: what exactly it is follows from the seed and from the state in which it
 * happens, so that any part of a sequence is a sequence, too. Most of what is sent is right in all respects, so that much is
 * reached; the rest is wrong in one.
 */
import {
  interrupt,
  finish,
  frame,
  frames,
  offer,
  rulesHello,
  someChannel,
  zoneOffer,
} from './channel-operations.js';
import { Dice } from './dice.js';
import type { Machine } from './machine.js';
import { begin, load, segment, segments } from './model-operations.js';
import { everybody, roster, statement } from './owner-operations.js';
import { PARTIES } from './registry.js';
import { authorise, DAY } from './trust.js';
import type { RoleName } from './state.js';

export interface Operation {
  readonly kind: OperationKind;
  readonly seed: number;
}

/** How often, in relation to each other. */
const WEIGHTS = {
  proceed: 240,
  frame: 300,
  frames: 12,
  offer: 60,
  zoneOffer: 60,
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
  continue: 40,
  finish: 25,
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
  } else if (memory.answer !== undefined && memory.answer.session !== device.session && dice.chance(0.5))
    await machine.session(memory.answer.session);
  else if (memory.answer !== undefined) await finish(machine, dice);
  else if (memory.channels.length < 2)
    await machine.send(
      memory.zones.size > 0 && dice.chance(0.5) ? zoneOffer(machine, dice) : offer(machine, dice),
    );
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
    case 'frames':
      return frames(machine, dice);
    case 'offer':
      await machine.send(offer(machine, dice));
      return;
    case 'zoneOffer':
      await machine.send(zoneOffer(machine, dice));
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
      return interrupt(machine, dice);
    case 'finish':
      return finish(machine, dice);
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
