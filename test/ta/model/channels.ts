/** Offers, label epochs and frames. */
import {
  accepted,
  firstOf,
  refused,
  type Channel,
  type Device,
  type FrameContent,
  type Message,
  type OfferContent,
  type Outcome,
  type RulesHelloContent,
  type Verdict,
} from './state.js';
import { TRIAL_LABELS } from './models.js';
import { authorise, BUILD_TIME, DAY, knowsMore } from './trust.js';

const KEPT_LABELS = 8;
/** A receipt tells of the highest number and the 127 before it. */
const RECEIPT_NUMBERS = 128;

/** Epochs strictly increase within a boot; also after claim and reset. */
export const nextEpoch = ({ memory, clock }: Device): void => {
  memory.epoch += 1;
  memory.epochSince = clock;
};

/** An epoch lasts 24 hours at most. */
export const presentEpoch = (device: Device): number => {
  if (device.clock - device.memory.epochSince > DAY) nextEpoch(device);
  return device.memory.epoch;
};

export const closeUnauthorised = (device: Device): void => {
  const { memory } = device;
  memory.channels = memory.channels.filter(({ sensor }) => authorise(device, sensor, 'sensor') === 'OK');
};

/** A member's signed message: who it is, whether it may, and whether it is the last accepted one once more. */
const fromMember = (
  device: Device,
  { id, content }: Message<OfferContent | RulesHelloContent>,
  role: 'sensor' | 'rules',
): { code: Verdict; again: boolean } => {
  const known = device.stored.roster?.content.members.some(({ party }) => party === content.signer) ?? false;
  const code = firstOf(['UNKNOWN_SENDER', !known], ['BAD_SIGNATURE', content.forged]);
  return {
    code: code === 'OK' ? authorise(device, content.signer, role) : code,
    again: device.memory.seen.get(content.signer)?.message === id,
  };
};

/** Per member, for the whole boot: lower and equal are refused, also after the member was revoked and enrolled again. */
const isStale = ({ memory }: Device, party: string, counter: number): boolean =>
  counter <= (memory.seen.get(party)?.counter ?? -1);

export const takeOffer = (device: Device, message: Message<OfferContent>): Outcome => {
  const { memory, stored } = device;
  const { content } = message;
  const { code: sender, again } = fromMember(device, message, 'sensor');
  if (sender !== 'OK' || again) return refused(sender); // retained offers come again on every reconnect
  const code = firstOf(
    ['STALE_NONCE', content.prekey !== memory.boot],
    ['DECRYPT_FAILED', content.bootNonce !== memory.boot || content.device !== stored.identity],
    ['STALE_COUNTER', isStale(device, content.signer, content.counter)],
    ['STATE_ROLLED_BACK', knowsMore(device, content)],
    ['BAD_FRAME', memory.running !== undefined && memory.running.input !== content.shape],
    ['MALFORMED', memory.channels.some(({ id }) => id === content.channel)],
  );
  if (code !== 'OK') return refused(code);
  const own = memory.channels.filter(({ sensor }) => sensor === content.signer);
  // The one in use and its successor: another offer takes the successor's place.
  if (own.length === 2) {
    const later = own.reduce((a, b) => (a.counter > b.counter ? a : b));
    memory.channels = memory.channels.filter((each) => each !== later);
  }
  memory.channels.push({
    id: content.channel,
    sensor: content.signer,
    shape: content.shape,
    counter: content.counter,
    last: 0,
    taken: [],
    labels: [],
  });
  memory.seen.set(content.signer, { counter: content.counter, message: message.id });
  if (content.time <= Math.max(BUILD_TIME, stored.ownerTime) + DAY)
    memory.offeredTime = Math.max(memory.offeredTime, content.time);
  memory.counters.offers += 1;
  return accepted();
};

export const takeRulesHello = (device: Device, message: Message<RulesHelloContent>): Outcome => {
  const { content } = message;
  const { code: sender, again } = fromMember(device, message, 'rules');
  const code =
    sender !== 'OK'
      ? sender
      : firstOf(
          ['WRONG_DEVICE', content.device !== device.stored.identity],
          ['STALE_COUNTER', !again && isStale(device, content.signer, content.time)],
          ['STATE_ROLLED_BACK', knowsMore(device, content)],
          ['BAD_KEY', content.lowOrder],
        );
  if (code !== 'OK') return refused(code);
  presentEpoch(device);
  device.memory.seen.set(content.signer, { counter: content.time, message: message.id });
  return accepted({ kind: 'label-offer' });
};

/** An authentic record uses up its number, and the first one of a channel closes the sensor's older channels. */
const useUp = ({ memory }: Device, channel: Channel, number: number): void => {
  if (channel.last === 0)
    memory.channels = memory.channels.filter(
      ({ sensor, counter }) => sensor !== channel.sensor || counter >= channel.counter,
    );
  channel.last = number;
  channel.taken = [...channel.taken, number].filter((each) => number - each < RECEIPT_NUMBERS);
  memory.counters.frames += 1;
};

export const takeFrame = (device: Device, message: Message<FrameContent>): Outcome => {
  const { memory } = device;
  const { content } = message;
  const channel = memory.channels.find(({ id }) => id === content.channel);
  if (channel === undefined) return refused('NO_CHANNEL');
  const may = authorise(device, channel.sensor, 'sensor');
  if (may !== 'OK') return refused(may);
  if (memory.running === undefined) return refused('NO_MODEL');
  if (content.number <= channel.last) {
    const kept = channel.labels.some(({ frame }) => frame === message.id);
    if (!kept) return refused('STALE_NUMBER');
    memory.counters.repeats += 1;
    return accepted({ kind: 'label', frame: message, again: true });
  }
  if (channel.shape !== memory.running.input) return refused('BAD_FRAME');
  const bound = content.sensor === channel.sensor && content.device === device.stored.identity;
  if (!content.authentic || !bound) return refused('BAD_TAG');
  useUp(device, channel, content.number);
  if (!content.wellFormed) return refused('BAD_FRAME');
  presentEpoch(device);
  channel.labels = [...channel.labels, { frame: message.id, number: content.number }].slice(-KEPT_LABELS);
  memory.counters.labels += 1;
  memory.labels = Math.min(memory.labels + 1, TRIAL_LABELS);
  return accepted({ kind: 'label', frame: message, again: false });
};
