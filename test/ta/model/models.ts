/** Installing, loading, trying and leaving models (protocol.md, "The model push"). */
import {
  accepted,
  firstOf,
  refused,
  store,
  type Committed,
  type Device,
  type Job,
  type Message,
  type ModelBeginContent,
  type Outcome,
  type SegmentContent,
  type Verdict,
} from './state.js';
import { authorise, knowsMore } from './trust.js';

/** Its weights come again for every frame, and for the golden test. */
export const isStreamed = ({ weights }: Committed): boolean => weights > 1;

/** The order in which a load wants the container's segments: header, weights, golden test, and what that streams. */
const segmentOrder = (model: Committed): number[] => {
  const weights = Array.from({ length: model.weights }, (_, i) => i + 1);
  return [0, ...weights, model.weights + 1, ...(isStreamed(model) ? weights : [])];
};

/** Which one the load under way wants. */
export const segmentWanted = ({ model, next }: Job): number => segmentOrder(model)[next] ?? 0;

const SEQUENCE_STEP = 2 ** 16;
export const TRIAL_LABELS = 100;
const TRIAL_STARTS = 3;
/** Labels that forgive a start. */
const GOOD_START = 10;

/** At most one load, and it is its session's alone. */
const busy = ({ memory, session }: Device): boolean =>
  memory.job !== undefined && memory.job.session !== session;

/** The status names the last model that was not taken, and why. */
const remember = ({ memory }: Device, code: Verdict, { sequence }: Committed): Outcome => {
  const passing: readonly Verdict[] = ['OK', 'BUSY', 'MODEL_UNKNOWN', 'MODEL_ORDER'];
  if (!passing.includes(code)) memory.refusedModel = { sequence, code };
  return refused(code);
};

export const beginModel = (device: Device, { content }: Message<ModelBeginContent>): Outcome => {
  if (busy(device)) return refused('BUSY');
  const code = content.offer === undefined ? mayLoad(device, content) : mayInstall(device, content);
  if (code === 'OK' || code === 'MODEL_VERSION') delete device.memory.job; // another one takes its place
  if (code !== 'OK') return remember(device, code, content.model);
  device.memory.job = {
    session: device.session,
    install: content.offer !== undefined,
    model: content.model,
    rightKey: content.offer?.rightKey ?? true,
    next: 0,
  };
  return accepted({ kind: 'segment', next: 0, active: false });
};

const mayInstall = (device: Device, content: ModelBeginContent): Verdict => {
  const { stored } = device;
  const { offer, model } = content;
  if (offer === undefined) return 'MODEL_UNKNOWN';
  const may = authorise(device, content.signer, 'publisher');
  if (may !== 'OK') return may;
  const step = model.sequence - stored.modelFloor;
  return firstOf(
    ['BAD_SIGNATURE', content.forged],
    ['MODEL_SEQUENCE', step <= 0 || step > SEQUENCE_STEP],
    ['UNKNOWN_SENDER', offer.signer !== content.signer],
    ['BAD_SIGNATURE', offer.forged],
    ['MODEL_DIGEST', offer.digest !== model.digest],
    ['STATE_ROLLED_BACK', knowsMore(device, offer)],
    // The former keys open models as long as the roster lists them.
    ['WRONG_DEVICE', offer.sealedTo !== stored.identity && offer.sealedTo !== stored.former],
    ['DECRYPT_FAILED', offer.device !== offer.sealedTo],
    ['MODEL_VERSION', !content.versionFits],
  );
};

/** Only what is committed is loaded without an offer; on trial every start is counted before it. */
const mayLoad = (device: Device, { model }: ModelBeginContent): Verdict => {
  const { stored, memory } = device;
  if (stored.model?.digest !== model.digest) return 'MODEL_UNKNOWN';
  if (stored.trialStarts === 0 || memory.counted === stored.model.sequence) return 'OK';
  if (!device.storageAvailable) return 'STORAGE_FAILED';
  if (stored.trialStarts >= TRIAL_STARTS) {
    store(device, { model: stored.previous, previous: undefined, trialStarts: 0, trialLabels: 0 });
    return 'MODEL_TRIAL';
  }
  store(device, { trialStarts: stored.trialStarts + 1 });
  startCounting(device);
  return 'OK';
};

const startCounting = ({ memory, stored }: Device): void => {
  memory.counted = stored.model?.sequence;
  memory.labels = 0;
  memory.settled = 0;
};

export const takeSegment = (device: Device, { content }: Message<SegmentContent>): Outcome => {
  const { job } = device.memory;
  if (busy(device)) return refused('BUSY');
  if (job === undefined) return refused('MODEL_UNKNOWN');
  if (content.index !== segmentWanted(job)) return refused('MODEL_ORDER');
  const right = content.container === job.model.container && content.place === segmentWanted(job);
  const good = right && content.intact && job.rightKey;
  if (!good) {
    delete device.memory.job;
    return remember(device, 'MODEL_DIGEST', job.model);
  }
  job.next += 1;
  if (job.next < segmentOrder(job.model).length)
    return accepted({ kind: 'segment', next: segmentWanted(job), active: false });
  if (job.install && !commit(device, job.model)) {
    delete device.memory.job;
    return remember(device, 'STORAGE_FAILED', job.model);
  }
  device.memory.running = job.model;
  delete device.memory.answer; // it was the former model's
  delete device.memory.job;
  return accepted({ kind: 'segment', next: 'all', active: true });
};

/** One atomic pointer, the floor with it. On trial where there is a confirmed one to go back to. */
const commit = (device: Device, model: Committed): boolean => {
  const { stored } = device;
  const confirmed = stored.model !== undefined && stored.trialStarts === 0;
  const previous = confirmed ? stored.model : stored.previous;
  const done = store(device, {
    model,
    previous,
    modelFloor: Math.max(stored.modelFloor, model.sequence),
    trialStarts: previous === undefined ? 0 : 1,
    trialLabels: 0,
  });
  if (done) startCounting(device);
  return done;
};

/** Stores what a trial has achieved, where that changes something. */
export const tellModels = (device: Device): Outcome => {
  const { stored, memory } = device;
  const labels = trialLabels(device);
  if (stored.trialStarts > 0 && labels >= TRIAL_LABELS) {
    if (!store(device, { trialStarts: 0, trialLabels: 0 })) return refused('STORAGE_FAILED');
  } else if (stored.trialStarts > 0 && memory.settled === 0 && memory.labels >= GOOD_START) {
    if (!store(device, { trialStarts: 1, trialLabels: labels })) return refused('STORAGE_FAILED');
    memory.settled = memory.labels;
  }
  return accepted({ kind: 'model-status' });
};

export const trialLabels = ({ stored, memory }: Device): number =>
  stored.trialLabels + memory.labels - memory.settled;
