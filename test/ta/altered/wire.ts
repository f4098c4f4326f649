/** Whole clients between a broker's two ends: what is given to the wire arrives at once, whoever sent it. */
import { createHash } from 'node:crypto';
import { EventEmitter } from 'node:events';
import type { BrokerLink, LinkMessage, MessageHandler } from '../../../clients/link/index.js';
import { filterMatches } from '../../../clients/link/filter.js';
import { publicOf, type PartyKeys, type PartyPublic } from '../../../clients/keys/index.js';
import { RulesClient } from '../../../clients/rules/index.js';
import { SensorClient } from '../../../clients/sensor/index.js';
import { askDevice, askEvidence } from '../../../clients/owner/conversation.js';
import {
  isSmartZoneError,
  Topics,
  type Evidence,
  type OwnerReply,
  type Randomness,
  type SigningKey,
  type SmartZoneError,
} from '../../../protocol/index.js';
import type { Party } from '../device-under-test.js';

const PREFIX = 'smartzone/village';
export const topics = new Topics(PREFIX);

/** The part of a BrokerLink that clients use. */
class Wire extends EventEmitter {
  readonly connected = true;
  readonly published = new Map<string, Uint8Array>();
  readonly #handlers: (readonly [filter: string, handle: MessageHandler])[] = [];
  /** Done with every message that a client publishes. */
  answer: (topic: string) => void = () => undefined;

  get link(): BrokerLink {
    return this as unknown as BrokerLink;
  }

  publish(topic: string, payload: Uint8Array): Promise<void> {
    this.published.set(topic, payload);
    this.answer(topic);
    return Promise.resolve();
  }

  subscribe(filter: string, handle: MessageHandler): Promise<() => Promise<void>> {
    this.#handlers.push([filter, handle]);
    return Promise.resolve(() => Promise.resolve());
  }

  deliver(topic: string, payload: Uint8Array): void {
    const message: LinkMessage = { topic, payload, retained: false };
    for (const [filter, handle] of this.#handlers) if (filterMatches(filter, topic)) handle(message);
  }
}

/** The same bytes in every run of a client: what was made for one run fits the next. */
class Fixed implements Randomness {
  readonly given: Uint8Array[] = [];

  constructor(private readonly seed: string) {}

  bytes(length: number): Uint8Array {
    const digest = createHash('sha512').update(`${this.seed} ${this.given.length}`).digest();
    const bytes = new Uint8Array(digest.subarray(0, length));
    this.given.push(Uint8Array.from(bytes));
    return bytes;
  }
}

/** What a client is told first. */
export interface Setting {
  readonly owner: SigningKey;
  readonly roster: Uint8Array;
  readonly hello: Uint8Array;
}

const ownerOf = ({ owner }: Setting): PartyPublic =>
  publicOf({ role: 'owner', name: 'owner', signing: owner });
const keysOf = ({ role, signing, agreement }: Party): PartyKeys => ({ role, name: role, signing, agreement });
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** A client that is running, and what it made of the messages that it got. */
export interface Running {
  readonly wire: Wire;
  /** What it drew, in order. */
  readonly drawn: readonly Uint8Array[];
  /** OK, the code of a refusal, or what else became of the last message. */
  deliver(topic: string, message: Uint8Array): string;
  close(): Promise<void>;
}

const watched = (
  wire: Wire,
  drawn: readonly Uint8Array[],
  client: EventEmitter,
  good: readonly string[],
  close: () => Promise<void>,
): Running => {
  let last = 'ignored';
  for (const event of good) client.on(event, () => (last = 'OK'));
  client.on('stale', () => (last = 'stale'));
  client.on('refused', ({ error }: { error: SmartZoneError }) => (last = error.code));
  const deliver = (topic: string, message: Uint8Array): string => {
    last = 'ignored';
    wire.deliver(topic, message);
    return last;
  };
  return { wire, drawn, deliver, close };
};

/** @param models whose labels it acts on */
export const rulesHost = async (
  host: Party,
  setting: Setting,
  now: number,
  models: readonly Uint8Array[],
): Promise<Running> => {
  const wire = new Wire();
  const random = new Fixed('rules host');
  const client = await RulesClient.open({
    link: wire.link,
    keys: keysOf(host),
    owner: ownerOf(setting),
    prefix: PREFIX,
    clock: () => now,
    models,
    random,
  });
  await settled();
  const running = watched(wire, random.given, client, ['label', 'telemetry', 'epoch'], () => client.close());
  running.deliver(topics.roster, setting.roster);
  running.deliver(topics.hello, setting.hello);
  return running;
};

/** With one frame under way. */
export const sendingSensor = async (
  sensor: Party,
  setting: Setting,
  now: number,
  data: Uint8Array,
): Promise<Running> => {
  const wire = new Wire();
  const random = new Fixed('sensor');
  const client = await SensorClient.open({
    link: wire.link,
    keys: keysOf(sensor),
    owner: ownerOf(setting),
    prefix: PREFIX,
    clock: () => now,
    random,
  });
  await settled();
  const running = watched(wire, random.given, client, ['receipted'], () => client.close());
  running.deliver(topics.roster, setting.roster);
  running.deliver(topics.hello, setting.hello);
  client.sendFrame(data);
  return running;
};

/** A millisecond suffices: what counts is there at once. */
const WAIT = 1;
const outcome = async (ask: Promise<unknown>): Promise<string> => {
  try {
    await ask;
    return 'OK';
  } catch (error) {
    if (isSmartZoneError(error)) return error.code;
    throw error;
  }
};
const answering = (topic: string, reply: Uint8Array): Wire => {
  const wire = new Wire();
  wire.answer = () => wire.deliver(topic, reply);
  return wire;
};

/** What the owner's tool makes of a reply. TIMED_OUT: it passed over it. */
export const ownerHears = (reply: Uint8Array, statement: Uint8Array, key: Uint8Array): Promise<string> => {
  const { link } = answering(topics.ownerReply, reply);
  return outcome(askDevice(link, PREFIX, statement, WAIT, key) satisfies Promise<OwnerReply>);
};

export const EVIDENCE_NONCE = new Fixed('owner').bytes(32);
export const ownerIsShown = (
  reply: Uint8Array,
  key: Uint8Array,
  judge: (evidence: Evidence) => void,
): Promise<string> => {
  const { link } = answering(topics.evidenceReply, reply);
  return outcome(askEvidence(link, PREFIX, key, new Fixed('owner'), WAIT).then(judge));
};
