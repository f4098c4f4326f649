/** What publishers send, and what loads of models do. */
import { above, anotherDevice, anybody, perhapsWrong, seenBy, seenOfOtherOwners } from './choices.js';
import type { Dice } from './dice.js';
import type { Machine } from './machine.js';
import { segmentWanted } from './models.js';
import { PARTIES } from './registry.js';
import type { ModelBeginContent } from './state.js';

type BeginDraft = Omit<ModelBeginContent, 'model'>;

export const begin = async (machine: Machine, dice: Dice, right = false): Promise<void> => {
  const { registry, spec } = machine;
  const { stored } = spec.device;
  // The one that streams as often as all others.
  const containers = [...registry.containers.keys()];
  const container = dice.pick(dice.chance(0.5) ? containers.slice(-1) : containers);
  const publisher = dice.pick(PARTIES.publishers);
  const seen = seenBy(machine, dice);
  const sequence = stored.modelFloor + 1 + dice.below(2);
  // Perhaps keys of before, which the roster lists no more.
  const recent = machine.identities.at(-2) ?? stored.identity;
  const present = !right && dice.chance(0.15) ? recent : stored.identity;
  const keys = stored.former !== undefined && dice.chance(0.5) ? stored.former : present;
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
export const segment = async (machine: Machine, dice: Dice): Promise<void> => {
  const { memory } = machine.spec.device;
  const { job } = memory;
  const containers = [...machine.registry.containers.keys()];
  const container = job?.model.container ?? dice.pick(containers);
  const place = job === undefined ? dice.below(3) : segmentWanted(job);
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

export const segments = async (machine: Machine): Promise<void> => {
  const { job, running } = machine.spec.device.memory;
  if (job?.next === 0) await machine.sendSegments(job.model.container);
  if (running) return;
};

export const load = async (machine: Machine, dice: Dice): Promise<void> => {
  const { registry, spec } = machine;
  const { model } = spec.device.stored;
  const digests = [...registry.packages.keys()];
  if (digests.length === 0) return;
  await machine.send(machine.make.modelLoad(model && dice.chance(0.9) ? model.digest : dice.pick(digests)));
  if (dice.chance(0.9)) await segments(machine);
};
