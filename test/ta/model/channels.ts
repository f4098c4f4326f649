/** Offers, label epochs and frames. */
import {
  accepted,
  firstOf,
  refused,
  type Channel,
  type Committed,
  type ContinueContent,
  type Device,
  type FrameContent,
  type Message,
  type OfferContent,
  type Outcome,
  type RulesHelloContent,
  type Verdict,
  type ZoneOfferContent,
} from './state.js';
import { isStreamed, TRIAL_LABELS } from './models.js';
import { authorise, BUILD_TIME, DAY, isLater, knowsMore, orderSeen } from './trust.js';

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
  const inForce = ({ zone, audience, roster }: Channel): boolean => {
    const since = memory.zones.get(audience)?.since;
    return !zone || (since !== undefined && !isLater(since, roster));
  };
  memory.channels = memory.channels.filter(
    (channel) => authorise(device, channel.sensor, 'sensor') === 'OK' && inForce(channel),
  );
};

/** A member's signed message: who it is, whether it may, and whether it is the last accepted one once more. */
const fromMember = (
  device: Device,
  { id, content }: Message<OfferContent | ZoneOfferContent | RulesHelloContent>,
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

export const takeOffer = (device: Device, message: Message<OfferContent | ZoneOfferContent>): Outcome => {
  const { memory, stored } = device;
  const { content } = message;
  const { code: sender, again } = fromMember(device, message, 'sensor');
  if (sender !== 'OK') return refused(sender);
  const toZone = content.kind === 'zone-offer';
  const zone = toZone ? memory.zones.get(content.zone) : undefined;
  if (toZone && zone === undefined) return refused('NOT_IN_ZONE');
  if (again) return accepted(); // retained offers come again on every reconnect
  const sealed = (toZone ? content.recipients : [content]).find(({ prekey }) => prekey === memory.boot);
  const roster = orderSeen(device, content);
  const code = firstOf(
    ['STALE_NONCE', sealed === undefined],
    ['DECRYPT_FAILED', sealed?.bootNonce !== memory.boot || (!toZone && content.device !== stored.identity)],
    ['STALE_COUNTER', isStale(device, content.signer, content.counter)],
    ['STATE_ROLLED_BACK', knowsMore(device, content)],
    ['STALE_ROSTER', zone !== undefined && isLater(zone.since, roster)], // perhaps sealed to who has left
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
    audience: toZone ? content.zone : content.device,
    zone: toZone,
    roster,
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

/** Of a zone's channel also numbers that come late, once each. */
const isOpen = ({ last, taken, zone }: Channel, number: number): boolean =>
  number > last || (zone && last - number < RECEIPT_NUMBERS && !taken.includes(number));

/** An authentic record uses up its number, and the first one of a channel closes the sensor's older channels. */
const useUp = ({ memory }: Device, channel: Channel, number: number): void => {
  if (channel.last === 0)
    memory.channels = memory.channels.filter(
      ({ sensor, counter }) => sensor !== channel.sensor || counter >= channel.counter,
    );
  channel.last = Math.max(channel.last, number);
  channel.taken = [...channel.taken, number]
    .filter((each) => channel.last - each < RECEIPT_NUMBERS)
    .sort((a, b) => a - b);
  memory.counters.frames += 1;
};

/** Another session's frame waits for segments: one at a time. */
const busy = ({ memory, session }: Device): boolean =>
  memory.answer !== undefined && memory.answer.session !== session;

export const takeFrame = (device: Device, message: Message<FrameContent>): Outcome => {
  const { memory } = device;
  const { content } = message;
  if (busy(device)) return refused('BUSY');
  delete memory.answer; // a frame of the same session takes the place of the one that waits
  const channel = memory.channels.find(({ id }) => id === content.channel);
  if (channel === undefined) return refused('NO_CHANNEL');
  const may = authorise(device, channel.sensor, 'sensor');
  if (may !== 'OK') return refused(may);
  const { running } = memory;
  if (running === undefined) return refused('NO_MODEL');
  if (!isOpen(channel, content.number)) {
    const kept = channel.labels.some(({ frame }) => frame === message.id);
    if (!kept) return refused('STALE_NUMBER');
    memory.counters.repeats += 1;
    return accepted({ kind: 'label', frame: message, again: true });
  }
  if (channel.shape !== running.input) return refused('BAD_FRAME');
  const bound = content.sensor === channel.sensor && content.audience === channel.audience;
  if (!content.authentic || !bound) return refused('BAD_TAG');
  if (!content.wellFormed) {
    useUp(device, channel, content.number);
    return refused('BAD_FRAME');
  }
  if (!isStreamed(running)) return label(device, channel, message);
  memory.answer = { session: device.session, channel: channel.id, frame: message, next: 1 };
  return wanted(running, 1);
};

/** The number stays free until there is a label. */
const wanted = ({ weights }: Committed, next: number): Outcome => ({
  code: 'SEGMENTS_WANTED',
  reply: { kind: 'wanted', segments: Array.from({ length: weights - next + 1 }, (_, i) => next + i) },
});

const label = (device: Device, channel: Channel, frame: Message<FrameContent>): Outcome => {
  const { memory } = device;
  const { number } = frame.content;
  useUp(device, channel, number);
  presentEpoch(device);
  channel.labels = [...channel.labels, { frame: frame.id, number }].slice(-KEPT_LABELS);
  memory.counters.labels += 1;
  memory.labels = Math.min(memory.labels + 1, TRIAL_LABELS);
  return accepted({ kind: 'label', frame, again: false });
};

/** Segments for the frame that waits. Whatever is wrong ends it, and nothing else. */
export const takeSegments = (device: Device, { content }: Message<ContinueContent>): Outcome => {
  const { memory } = device;
  const { answer, running } = memory;
  if (busy(device)) return refused('BUSY');
  if (answer === undefined || running === undefined) return refused('NO_INFERENCE');
  const channel = memory.channels.find(({ id }) => id === answer.channel);
  const may = channel === undefined ? 'NO_CHANNEL' : authorise(device, channel.sensor, 'sensor');
  const code = firstOf([may, may !== 'OK'], ['MODEL_ORDER', content.index !== answer.next]);
  const step = code === 'OK' ? readSegments(answer.next, running.weights, content) : code;
  if (typeof step === 'number' && step <= running.weights) {
    answer.next = step;
    return wanted(running, step);
  }
  delete memory.answer;
  if (typeof step === 'string') return refused(step);
  return channel === undefined ? refused('NO_CHANNEL') : label(device, channel, answer.frame);
};

/** @returns the segment that is wanted next, one behind the last where there are all; or what is wrong */
const readSegments = (first: number, last: number, { parts, extra }: ContinueContent): number | Verdict => {
  const whole = extra < 0 ? parts.slice(0, -1) : parts;
  const left = extra < 0 ? parts.length > 0 : extra > 0;
  let next = first;
  for (const { place, intact } of whole) {
    if (next > last) return 'TRAILING_BYTES';
    if (place !== next || !intact) return 'MODEL_DIGEST';
    next += 1;
  }
  if (next > last) return left ? 'TRAILING_BYTES' : next;
  return left || whole.length === 0 ? 'TRUNCATED' : next;
};
