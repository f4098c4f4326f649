import { EventEmitter } from 'node:events';
import { equalBytes, toHex } from '../../protocol/bytes.js';
import { isSmartZoneError, SmartZoneError } from '../../protocol/errors.js';
import { kidToHex, type Kid } from '../../protocol/kid.js';
import { verifyLabel } from '../../protocol/messages/label.js';
import { openRecord, parseRecord, type SealedRecord } from '../../protocol/messages/record.js';
import type { Roster } from '../../protocol/messages/roster.js';
import { verifyTelemetry, type Telemetry } from '../../protocol/messages/telemetry.js';
import { systemRandomness, type Randomness } from '../../protocol/randomness.js';
import { Topics } from '../../protocol/topics.js';
import { Witness, type PartyKeys, type PartyPublic } from '../keys/index.js';
import type { BrokerLink, LinkMessage } from '../link/index.js';
import { DeviceTrust, sameBoot, type Refusal, type TrustedDevice } from '../trust/index.js';
import { Epochs, type Epoch } from './epochs.js';
import { Freshness } from './freshness.js';
import type { LabelEvent, NamedParty } from './label-event.js';
import { LabelStream } from './label-stream.js';
import { RecentFrames } from './recent-frames.js';

export interface RulesOptions {
  /** Open connection to the broker; the caller closes it. */
  readonly link: BrokerLink;
  /** Keys with the role rules. */
  readonly keys: PartyKeys;
  /** The owner whose roster counts: the one anchor. */
  readonly owner: PartyPublic;
  /** What the device's topics start with. One client listens to one device; several may share link and keys. */
  readonly prefix: string;
  /** File of what this host has seen, beside its key file; one per device. Without it a restart forgets. */
  readonly seenPath?: string;
  /** Milliseconds that a label's sensor time may be off this host's clock. Default 30 000. */
  readonly maxAge?: number;
  /** Digests of the manifests of the models whose labels count. Default: any that the device runs. */
  readonly models?: readonly Uint8Array[];
  /** Records kept that arrived before the offer that opens them: all that the broker kept while this host was away. Default 4096, of 1 KiB or so. */
  readonly heldRecords?: number;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
  readonly random?: Randomness;
}

export interface TelemetryEvent extends Telemetry {
  readonly name: string;
}

export interface LabelGap {
  readonly device: NamedParty;
  readonly sensor: NamedParty;
  /** Labels that did not arrive before the one that did: lost, withheld or refused. */
  readonly missed: number;
}

export interface RulesEvents {
  /** A label that passed every check, for the first time. */
  label: [LabelEvent];
  telemetry: [TelemetryEvent];
  /** The device, verified: for the first time, after a start of the TA, or with another model or roster. */
  device: [TrustedDevice];
  /** The owner's newest roster, verified: who takes part. */
  roster: [Roster];
  /** Labels of this epoch can be opened from here on. */
  epoch: [{ readonly device: NamedParty; readonly epoch: number }];
  gap: [LabelGap];
  /** A label older (or newer) than allowed: not acted on. */
  stale: [{ readonly device: NamedParty; readonly sensor: NamedParty; readonly ageMs: number }];
  /** Something that was not believed. */
  refused: [
    {
      readonly what: Refusal['what'] | 'label-offer' | 'label' | 'telemetry';
      readonly error: SmartZoneError;
    },
  ];
}

export interface RulesStats {
  readonly labels: number;
  readonly telemetry: number;
  /** Repeats, by record number or by frame. */
  readonly doubles: number;
  readonly stale: number;
  /** Labels that are missing, by the gaps in the numbers. */
  readonly missed: number;
  readonly refused: number;
  /** Records that wait for the offer that opens them. */
  readonly held: number;
  /** Records that waited and gave way to newer ones. */
  readonly unopened: number;
}

interface Held {
  readonly topic: string;
  readonly record: SealedRecord;
}

const HELD_RECORDS = 4096;
const DAY = 24 * 3600 * 1000;
const HOUSEKEEPING_INTERVAL = 1000;
/** First wait for a label offer before asking again; doubles up to the longest. */
const ASK_AGAIN = 10_000;
const ASK_AGAIN_MOST = 5 * 60_000;

/**
 * Opens the labels of one device. Everything that the broker delivers is suspect: an old boot, an old epoch, a label made by
 * another rules host, a repeat, or one held back; what comes out as `label` is none of these.
 */
export class RulesClient extends EventEmitter<RulesEvents> {
  private readonly topics: Topics;
  private readonly witness: Witness;
  private readonly trust: DeviceTrust;
  private readonly freshness: Freshness;
  private readonly epochs = new Epochs();
  private readonly recent = new RecentFrames();
  private readonly clock: () => number;
  private readonly counts = {
    labels: 0,
    telemetry: 0,
    doubles: 0,
    stale: 0,
    missed: 0,
    refused: 0,
    unopened: 0,
  };
  private readonly subscriptions: (() => Promise<void>)[] = [];
  private held: Held[] = [];
  /** The device, in the boot, that the last rules hello was for. */
  private asked: TrustedDevice | undefined;
  private askedAt = 0;
  private askAgainAfter = ASK_AGAIN;
  private answered = false;
  private lastHello: Uint8Array | undefined;
  /** A broker that was restarted may have lost what it retained. */
  private readonly onConnected = (): void => this.publishHello();
  private state: 'starting' | 'running' | 'closed' = 'starting';
  private timer: NodeJS.Timeout | undefined;
  private ending = new AbortController();

  private constructor(private readonly options: RulesOptions) {
    super();
    const { keys, owner } = options;
    if (keys.role !== 'rules')
      throw new SmartZoneError('WRONG_ROLE', `a key for ${keys.role}, not for rules`);
    if (owner.role !== 'owner')
      throw new SmartZoneError('WRONG_ROLE', `the public line of a ${owner.role}, not of the owner`);
    this.topics = new Topics(options.prefix);
    this.clock = options.clock ?? Date.now;
    this.witness = Witness.open(options.seenPath, owner.kid);
    this.trust = new DeviceTrust(owner.signing, this.witness);
    this.freshness = new Freshness(keys.signing, options.random ?? systemRandomness);
    for (const [frame, time] of this.witness.frames) this.recent.add(frame, time);
  }

  /** Subscribes and starts; resolves before a device is found. */
  static async open(options: RulesOptions): Promise<RulesClient> {
    const client = new RulesClient(options);
    await client.start();
    return client;
  }

  get device(): TrustedDevice | undefined {
    return this.trust.device;
  }

  /** The owner's newest roster that this host has seen. */
  get roster(): Roster | undefined {
    return this.trust.roster;
  }

  /** The current epoch's number: labels can be opened. */
  get epoch(): number | undefined {
    return this.epochs.newest?.number;
  }

  get stats(): RulesStats {
    return { ...this.counts, held: this.held.length };
  }

  /** Resolves when labels can be opened. @throws TIMED_OUT, or what was refused last */
  async ready(timeout = 30_000): Promise<void> {
    if (this.epochs.newest !== undefined) return;
    return new Promise((resolve, reject) => {
      const onEpoch = (): void => finish(resolve);
      const timer = setTimeout(() => finish(() => reject(this.whyNotReady())), timeout);
      const finish = (then: () => void): void => {
        clearTimeout(timer);
        this.off('epoch', onEpoch);
        then();
      };
      this.on('epoch', onEpoch);
    });
  }

  /**
   * The labels from now on, for `for await`. Ends with `close` or the signal. Keeps at most `buffer` labels for a slow
   * reader; then the oldest go, counted in the stream's `dropped`.
   */
  labels(options: { readonly signal?: AbortSignal; readonly buffer?: number } = {}): LabelStream {
    const stream = new LabelStream(options.buffer ?? 1024);
    const onLabel = (label: LabelEvent): void => stream.push(label);
    const end = (): void => {
      this.off('label', onLabel);
      stream.end();
    };
    this.on('label', onLabel);
    stream.onReturn = end;
    for (const signal of [options.signal, this.ending.signal]) {
      if (signal?.aborted === true) end();
      else signal?.addEventListener('abort', end, { once: true });
    }
    return stream;
  }

  [Symbol.asyncIterator](): LabelStream {
    return this.labels();
  }

  async close(): Promise<void> {
    this.state = 'closed';
    this.options.link.off('connected', this.onConnected);
    clearInterval(this.timer);
    this.ending.abort();
    this.epochs.wipe();
    await Promise.all(this.subscriptions.splice(0).map((unsubscribe) => unsubscribe()));
  }

  private async start(): Promise<void> {
    const { link, keys } = this.options;
    this.trust.on('device', () => this.onDevice());
    this.trust.on('roster', (roster) => this.emit('roster', roster));
    link.on('connected', this.onConnected);
    this.trust.on('refused', ({ what, error }) => this.refuse(what, error));
    this.timer = setInterval(() => this.keepHouse(), HOUSEKEEPING_INTERVAL);
    this.timer.unref();
    const subscribe = async (topic: string, handle: (message: LinkMessage) => void): Promise<void> => {
      this.subscriptions.push(await link.subscribe(topic, handle));
    };
    await subscribe(this.topics.roster, ({ payload }) => this.trust.receiveRoster(payload));
    await subscribe(this.topics.hello, ({ payload }) => this.trust.receiveHello(payload));
    await subscribe(this.topics.rulesOffer(keys.signing.kid), ({ payload }) => this.receiveOffer(payload));
    await subscribe(this.topics.label('+'), ({ topic, payload }) => this.receiveRecord(topic, payload));
    await subscribe(this.topics.telemetry, ({ topic, payload }) => this.receiveRecord(topic, payload));
    // Whoever awaited `open` attaches listeners first: nothing can be opened, so nothing missed, before the rules hello.
    setImmediate(() => {
      this.state = this.state === 'starting' ? 'running' : this.state;
      this.onDevice();
    });
  }

  private onDevice(): void {
    const { device } = this.trust;
    if (this.state !== 'running' || device === undefined) return;
    this.emit('device', device);
    this.considerHello();
  }

  private whyNotReady(): SmartZoneError {
    const { device, roster } = this.trust;
    const { prefix, keys } = this.options;
    if (roster === undefined) return new SmartZoneError('TIMED_OUT', `no roster at ${prefix}`);
    if (device === undefined)
      return new SmartZoneError('TIMED_OUT', `no hello of a device in the roster at ${prefix}`);
    if (this.trust.member(keys.signing.kid, 'rules') === undefined)
      return new SmartZoneError('UNKNOWN_SENDER', `${keys.name} in roster ${roster.version}`);
    return new SmartZoneError('TIMED_OUT', `no label offer of ${device.name}`);
  }

  /** Tells the device our freshness: once per boot of it, and when it may have missed or refused the last one. */
  private considerHello(): void {
    const { device } = this.trust;
    if (device === undefined || device.behind) return;
    if (this.trust.member(this.options.keys.signing.kid, 'rules') === undefined) return;
    if (this.asked === undefined || !sameBoot(this.asked, device)) {
      this.askAgainAfter = ASK_AGAIN;
      this.sendHello(device);
    }
  }

  private sendHello(device: TrustedDevice): void {
    const now = this.clock();
    this.asked = device;
    this.askedAt = now;
    this.answered = false;
    this.lastHello = this.freshness.renew({
      device: device.kid,
      time: this.witness.nextCounter(now),
      rosterVersion: this.trust.roster?.version ?? 0,
      modelSequence: this.witness.device(device.kid).model,
    });
    this.publishHello();
  }

  private publishHello(): void {
    const { link, keys } = this.options;
    if (this.lastHello === undefined) return;
    link
      .publish(this.topics.rulesHello(keys.signing.kid), this.lastHello, { retain: true })
      .catch(() => undefined);
  }

  private receiveOffer(message: Uint8Array): void {
    const { device } = this.trust;
    if (device === undefined || message.length === 0) return;
    let epoch: Epoch | undefined;
    try {
      const offer = this.freshness.open(message, device.hello.signingKey);
      if (!equalBytes(offer.bootNonce, device.hello.bootNonce))
        throw new SmartZoneError('STALE_NONCE', 'label offer of another boot');
      this.answered = true;
      this.trust.confirmAlive();
      epoch = this.epochs.adopt(offer);
      offer.secret.fill(0);
    } catch (error) {
      this.refuse('label-offer', error);
      return;
    }
    if (epoch === undefined) return;
    const channels = new Set(this.epochs.channels);
    this.witness.keepLabelStreams((stream) => channels.has(stream.split('/')[0] ?? ''));
    this.emit('epoch', { device: { kid: device.kid, name: device.name }, epoch: epoch.number });
    const waiting = this.held;
    this.held = [];
    for (const { topic, record } of waiting) this.openOrHold(topic, record);
  }

  private receiveRecord(topic: string, payload: Uint8Array): void {
    let record: SealedRecord;
    try {
      record = parseRecord(payload);
    } catch (error) {
      this.refuse(topic === this.topics.telemetry ? 'telemetry' : 'label', error);
      return;
    }
    this.openOrHold(topic, record);
  }

  private openOrHold(topic: string, record: SealedRecord): void {
    const epoch = this.epochs.find(record.channel);
    if (epoch === undefined) {
      // Its offer comes before the first record of an epoch. Without one our hello did not reach the device, or somebody put
      // an older one in its place: ask again, not more often than for a first answer.
      this.answered = false;
      this.held.push({ topic, record });
      if (this.held.length > (this.options.heldRecords ?? HELD_RECORDS)) {
        this.held.shift();
        this.counts.unopened++;
      }
      return;
    }
    const what = topic === this.topics.telemetry ? 'telemetry' : 'label';
    try {
      if (what === 'telemetry') this.openTelemetry(record, epoch);
      else this.openLabel(topic, record, epoch);
    } catch (error) {
      this.refuse(what, error);
    }
  }

  private openLabel(topic: string, record: SealedRecord, epoch: Epoch): void {
    const { device } = this.trust;
    const parsed = this.topics.parse(topic);
    if (device === undefined || parsed?.kind !== 'label')
      throw new SmartZoneError('UNTRUSTED_DEVICE', 'label');
    const sensorKid = parsed.kid;
    const stream = streamName(epoch, kidToHex(sensorKid));
    const last = this.witness.labelNumber(stream);
    if (record.number <= last) {
      // The device gives the identical label for a frame that came again.
      this.counts.doubles++;
      return;
    }
    const context = { purpose: 'label', device: device.kid, sender: sensorKid } as const;
    const plaintext = openRecord(record, epoch.key(context), context);
    const label = verifyLabel(plaintext, device.hello.signingKey);
    if (!equalBytes(label.device, device.kid)) throw new SmartZoneError('WRONG_DEVICE', 'label');
    if (!equalBytes(label.bootNonce, epoch.bootNonce)) throw new SmartZoneError('STALE_NONCE', 'label');
    if (!equalBytes(label.sensor, sensorKid))
      throw new SmartZoneError('UNKNOWN_SENDER', 'label for another sensor');
    const member = this.trust.member(sensorKid, 'sensor');
    if (member === undefined) throw new SmartZoneError('UNKNOWN_SENDER', `sensor ${kidToHex(sensorKid)}`);
    const { models, maxAge = 30_000 } = this.options;
    if (models !== undefined && !models.some((model) => equalBytes(model, label.model)))
      throw new SmartZoneError('MODEL_UNKNOWN', toHex(label.model));
    const named = { device: name(device.kid, device.name), sensor: name(sensorKid, member.name) };
    const received = this.clock();
    const ageMs = received - label.sensorTime;
    // Neither an old label nor a repeat moves the number: another rules host could have sealed it anew under a high one.
    if (Math.abs(ageMs) > maxAge) {
      this.counts.stale++;
      this.emit('stale', { ...named, ageMs });
      return;
    }
    const sensor = kidToHex(sensorKid);
    const byId = `${sensor}/${toHex(label.frameId)}`;
    const byNumber = `${sensor}/${toHex(label.frameChannel)}/${label.frameNumber}`;
    if (this.recent.has(byId) || this.recent.has(byNumber)) {
      this.counts.doubles++;
      return;
    }
    this.recent.add(byId, label.sensorTime);
    this.recent.add(byNumber, label.sensorTime);
    this.witness.sawLabel(stream, record.number, byId, label.sensorTime);
    const missed = last > 0 || epoch.fromStart ? record.number - last - 1 : 0;
    if (missed > 0) {
      this.counts.missed += missed;
      this.emit('gap', { ...named, missed });
    }
    this.counts.labels++;
    this.emit('label', {
      ...named,
      number: label.frameNumber,
      frameId: Uint8Array.from(label.frameId),
      sensorTime: label.sensorTime,
      received,
      model: Uint8Array.from(label.model),
      results: label.results,
    });
  }

  private openTelemetry(record: SealedRecord, epoch: Epoch): void {
    const { device } = this.trust;
    if (device === undefined) throw new SmartZoneError('UNTRUSTED_DEVICE', 'telemetry');
    const stream = streamName(epoch, 'telemetry');
    if (record.number <= this.witness.labelNumber(stream)) {
      this.counts.doubles++;
      return;
    }
    const context = { purpose: 'telemetry', device: device.kid, sender: device.kid } as const;
    const telemetry = verifyTelemetry(
      openRecord(record, epoch.key(context), context),
      device.hello.signingKey,
    );
    if (!equalBytes(telemetry.device, device.kid)) throw new SmartZoneError('WRONG_DEVICE', 'telemetry');
    if (!equalBytes(telemetry.bootNonce, epoch.bootNonce))
      throw new SmartZoneError('STALE_NONCE', 'telemetry');
    this.witness.sawLabel(stream, record.number);
    this.counts.telemetry++;
    this.emit('telemetry', { ...telemetry, name: device.name });
  }

  private keepHouse(): void {
    const now = this.clock();
    this.recent.forgetBefore(now - (this.options.maxAge ?? 30_000));
    const { device } = this.trust;
    if (device === undefined || this.asked === undefined || !this.options.link.connected) return;
    const since = now - this.askedAt;
    if (this.answered ? since >= DAY : since >= this.askAgainAfter) {
      this.askAgainAfter = this.answered ? ASK_AGAIN : Math.min(2 * this.askAgainAfter, ASK_AGAIN_MOST);
      this.sendHello(device);
    }
  }

  private refuse(what: RulesEvents['refused'][0]['what'], error: unknown): void {
    if (!isSmartZoneError(error)) throw error;
    this.counts.refused++;
    this.emit('refused', { what, error });
  }
}

function name(kid: Kid, text: string): NamedParty {
  return { kid, name: text };
}

function streamName(epoch: Epoch, what: string): string {
  return `${toHex(epoch.channel)}/${what}`;
}
