/** What sensors and rules hosts send: offers, hellos, frames. */
import {
  above,
  anotherBoot,
  anotherDevice,
  anybody,
  perhapsWrong,
  seenBy,
  seenOfOtherOwners,
  today,
} from './choices.js';
import type { Dice } from './dice.js';
import type { Machine } from './machine.js';
import { shapeName } from './messages.js';
import { isStreamed } from './models.js';
import { ELSEWHERE, known, NEIGHBOUR, PARTIES, type Made, type SensorEnd } from './registry.js';
import { everybody, roster } from './owner-operations.js';
import { DAY } from './trust.js';
import type {
  ContinueContent,
  FrameContent,
  OfferContent,
  RulesHelloContent,
  ZoneOfferContent,
} from './state.js';

/** A new channel, of the shape that the device takes; seldom the last one once more. */
const newEnd = ({ registry, spec }: Machine, dice: Dice, sensor: string, audience: string): SensorEnd => {
  const { running } = spec.device.memory;
  const shapes = [...registry.containers.values()].map(({ header }) => shapeName(header.input));
  const shape = running && dice.chance(0.9) ? running.input : dice.pick(shapes);
  const own = [...registry.channels.values()].filter((end) => end.sensor === sensor && end.shape === shape);
  const again = own.at(-1);
  return again && dice.chance(0.03) && again.audience === audience
    ? again
    : registry.newChannel(sensor, shape, audience);
};

export const offer = (machine: Machine, dice: Dice): Made => {
  const { stored, memory } = machine.spec.device;
  const sensor = dice.pick(PARTIES.sensors);
  const end = newEnd(machine, dice, sensor, stored.identity);
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
    shape: end.shape,
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

/** To all devices of a zone, mostly with this one, in any order. */
export const zoneOffer = (machine: Machine, dice: Dice): Made => {
  const { memory } = machine.spec.device;
  const sensor = dice.pick(PARTIES.sensors);
  const inForce = [...memory.zones.keys()];
  const zone = inForce.length > 0 && dice.chance(0.95) ? dice.pick(inForce) : dice.pick(PARTIES.zones);
  const end = newEnd(machine, dice, sensor, zone);
  const of = (boot: string): ZoneOfferContent['recipients'][number] => ({ prekey: boot, bootNonce: boot });
  const others = [ELSEWHERE, NEIGHBOUR].filter(() => dice.chance(0.6)).map(of);
  const counter = memory.seen.get(sensor)?.counter ?? 0;
  const seen = seenBy(machine, dice);
  const right: ZoneOfferContent = {
    kind: 'zone-offer',
    signer: sensor,
    forged: false,
    zone,
    recipients: dice.chance(0.5) ? [of(memory.boot), ...others] : [...others, of(memory.boot)],
    channel: end.name,
    shape: end.shape,
    counter: counter + 1 + dice.below(3),
    ...seen,
    time: today(machine),
  };
  const since = memory.zones.get(zone)?.since ?? [1, 1];
  return machine.make.zoneOffer(
    perhapsWrong<ZoneOfferContent>(dice, right, [
      { signer: anybody(dice) },
      { forged: true },
      { recipients: [of(ELSEWHERE)] },
      { recipients: [{ prekey: memory.boot, bootNonce: ELSEWHERE }] },
      { recipients: [of(NEIGHBOUR), { prekey: memory.boot, bootNonce: NEIGHBOUR }] },
      { counter: Math.max(0, counter - dice.below(2)) },
      { rosterVersion: above(seen.rosterVersion) },
      { modelSequence: seen.modelSequence + 1 },
      // Of before the device that left it last.
      { ownerGeneration: since[0], rosterVersion: since[1] },
      { ownerGeneration: since[0], rosterVersion: since[1] - 1 },
      { ownerGeneration: Math.max(1, since[0] - 1), rosterVersion: above(since[1]) },
      ...seenOfOtherOwners(machine),
    ]),
  );
};

export const rulesHello = (machine: Machine, dice: Dice): Made => {
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
export const someChannel = (machine: Machine, dice: Dice): SensorEnd | undefined => {
  const { registry, spec } = machine;
  const open = spec.device.memory.channels.map(({ id }) => known(registry.channels, id));
  const all = [...registry.channels.values()];
  if (open.length > 0 && dice.chance(0.95)) return dice.pick(open);
  return all.length > 0 ? dice.pick(all) : undefined;
};

const GOOD = { authentic: true, wellFormed: true };

export const frame = async (machine: Machine, dice: Dice): Promise<void> => {
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
      if (dice.chance(0.3)) await continueFrame(machine, dice);
      if (dice.chance(0.7)) await finish(machine, dice);
  }
};

/** Many frames, some of them lost on the way, in a row or many at once; then the receipt. */
export const frames = async (machine: Machine, dice: Dice): Promise<void> => {
  const end = someChannel(machine, dice);
  if (!end) return;
  const lost = dice.chance(0.3) ? dice.below(130) : 0;
  const count = 9 + dice.below(30);
  for (let i = 0; i < count; i++) {
    const frame = machine.make.frame(end, GOOD);
    if (dice.chance(0.9) && (await machine.send(frame)).code === 'NO_CHANNEL') break;
    await finish(machine, dice);
    for (let n = 0; n < lost && i === 4; n++) machine.make.frame(end, GOOD);
  }
  await machine.send(machine.make.receipt(end));
};

/** The segments that the frame of this session waits for, some at a time, until its label is there. */
export const finish = async (machine: Machine, dice: Dice): Promise<void> => {
  const { device } = machine.spec;
  for (;;) {
    const { answer, running } = device.memory;
    if (answer === undefined || running === undefined || answer.session !== device.session) return;
    const count = 1 + dice.below(running.weights - answer.next + 1);
    const parts = Array.from({ length: count }, (_, i) => ({ place: answer.next + i, intact: true }));
    const right = { index: answer.next, parts, extra: 0 };
    const { code } = await machine.send(machine.make.continue(running.container, right));
    if (code !== 'SEGMENTS_WANTED') return;
  }
};

/** Segments that are wanted, or wrong in one respect, or wanted by nobody. */
const continueFrame = async (machine: Machine, dice: Dice): Promise<void> => {
  const { answer, running } = machine.spec.device.memory;
  const streamed = [...machine.registry.containers.keys()].at(-1) ?? '';
  const container = running !== undefined && isStreamed(running) ? running.container : streamed;
  const index = answer?.next ?? 1;
  const part = (place: number, intact = true): ContinueContent['parts'][number] => ({ place, intact });
  const following = [part(index), part(index + 1)].slice(0, index < 4 ? 2 : 1);
  const rest = [1, 2, 3, 4].filter((place) => place >= index).map((place) => part(place));
  const right = { index, parts: following, extra: 0 };
  const wrong: Partial<typeof right>[] = [
    { index: index + 1 },
    { index: 0 },
    { parts: [] },
    { parts: [part(index, false)] },
    { parts: [part((index % 4) + 1)] },
    { parts: [part(index), part(index)] },
    { parts: [part(index), part((index % 4) + 1, false)] },
    { extra: -1 },
    { extra: 1 },
    { parts: rest },
    { parts: rest, extra: 1 },
  ];
  await machine.send(machine.make.continue(container, perhapsWrong(dice, right, wrong, 0.6)));
};

const isAuthentic = ({ message }: Made): boolean => (message.content as FrameContent).authentic;

/** A frame waits for segments, something happens meanwhile, and then some come. */
export const interrupt = async (machine: Machine, dice: Dice): Promise<void> => {
  const { make, spec, registry } = machine;
  const { device } = spec;
  const { running } = device.memory;
  if (running === undefined || !isStreamed(running))
    return dice.chance(0.1) ? continueFrame(machine, dice) : undefined;
  if (device.memory.answer === undefined) {
    const end = someChannel(machine, dice);
    if (end) await machine.send(make.frame(end, GOOD));
  }
  const { answer } = device.memory;
  if (answer === undefined) return continueFrame(machine, dice);
  const { session } = device;
  const lease = device.stored.roster?.content.lease;
  if (lease !== undefined && dice.chance(0.3)) await machine.clock(lease + 1);
  switch (dice.weighted({ nothing: 5, session: 3, revoked: 2, offer: 2 })) {
    case 'session': {
      await machine.session((session % 3) + 1);
      const end = someChannel(machine, dice);
      if (end && dice.chance(0.5)) await machine.send(make.frame(end, GOOD));
      else await continueFrame(machine, dice);
      await machine.session(session);
      break;
    }
    case 'revoked': {
      const { sensor } = known(registry.channels, answer.channel);
      const members = everybody().filter(({ party }) => party !== sensor);
      await machine.send(roster(machine, dice, members));
      break;
    }
    case 'offer':
      await machine.send(dice.chance(0.5) ? offer(machine, dice) : zoneOffer(machine, dice));
      break;
    case 'nothing':
  }
  await continueFrame(machine, dice);
};
