import { EventEmitter } from 'node:events';
import { equalBytes } from '../../protocol/bytes.js';
import { isSmartZoneError, SmartZoneError } from '../../protocol/errors.js';
import { parseRecord, type SealedRecord } from '../../protocol/messages/record.js';
import type { Roster } from '../../protocol/messages/roster.js';
import { systemRandomness } from '../../protocol/randomness.js';
import type { Topics } from '../../protocol/topics.js';
import { Witness } from '../keys/index.js';
import { DeviceWatch, type DeviceTrust, type TrustedDevice } from '../trust/index.js';
import { ActedFrames } from './acted-frames.js';
import { Asking } from './asking.js';
import { Epochs, type Epoch } from './epochs.js';
import { Freshness } from './freshness.js';
import type { LabelEvent } from './label-event.js';
import { LabelStream } from './label-stream.js';
import { RecordIntake } from './record-intake.js';
import type { RulesEvents, RulesOptions, RulesStats } from './rules-options.js';

interface Held {
  readonly topic: string;
  readonly record: SealedRecord;
}

const HELD_RECORDS = 4096;
const HOUSEKEEPING_INTERVAL = 1000;

/**
 * Opens the labels of one device. Everything that the broker delivers is suspect: an old boot, an old epoch, a label made by
 * another rules host, a repeat, or one held back; what comes out as `label` is none of these.
 */
export class RulesClient extends EventEmitter<RulesEvents> {
  private readonly topics: Topics;
  private readonly witness: Witness;
  private readonly watch: DeviceWatch;
  private readonly trust: DeviceTrust;
  private readonly freshness: Freshness;
  private readonly epochs = new Epochs();
  private readonly intake: RecordIntake;
  private readonly clock: () => number;
  private readonly counts = { refused: 0, unopened: 0 };
  private held: Held[] = [];
  /** What was not believed last: it may be why there is no device. */
  private refusal: SmartZoneError | undefined;
  private readonly asking: Asking;
  /** A broker that was restarted may have lost what it retained. */
  private readonly onConnected = (): void => this.asking.publish();
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
    this.clock = options.clock ?? Date.now;
    this.witness = Witness.open(options.seenPath, owner.kid);
    this.watch = new DeviceWatch(options.link, options.prefix, owner.signing, this.witness);
    this.trust = this.watch.trust;
    this.topics = this.watch.topics;
    const acted = options.acted ?? new ActedFrames(options.maxAge);
    this.intake = new RecordIntake(this.topics, this.trust, this.witness, acted, options, this);
    this.freshness = new Freshness(keys.signing, options.random ?? systemRandomness);
    this.asking = new Asking(options, this.topics, this.trust, this.witness, this.freshness, this.clock);
    for (const [frame, time] of this.witness.frames) acted.add(time, frame);
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
    return { ...this.intake.counts, ...this.counts, held: this.held.length };
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
    this.witness.close();
    await this.watch.close();
  }

  private async start(): Promise<void> {
    const { link, keys } = this.options;
    this.trust.on('device', () => this.onDevice());
    this.trust.on('roster', (roster) => this.emit('roster', roster));
    link.on('connected', this.onConnected);
    this.trust.on('refused', ({ what, error }) => this.refuse(what, error));
    this.timer = setInterval(() => this.keepHouse(), HOUSEKEEPING_INTERVAL);
    this.timer.unref();
    await this.watch.start();
    await this.watch.also(this.topics.rulesOffer(keys.signing.kid), (offer) => this.receiveOffer(offer));
    await this.watch.also(this.topics.label('+'), (record, topic) => this.receiveRecord(topic, record));
    await this.watch.also(this.topics.telemetry, (record, topic) => this.receiveRecord(topic, record));
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
    this.asking.consider(device);
  }

  private whyNotReady(): SmartZoneError {
    const { device, roster } = this.trust;
    const { prefix, keys } = this.options;
    const { refusal } = this;
    if (roster === undefined) return refusal ?? new SmartZoneError('TIMED_OUT', `no roster at ${prefix}`);
    if (device === undefined)
      return refusal ?? new SmartZoneError('TIMED_OUT', `no hello of a device in the roster at ${prefix}`);
    if (this.trust.member(keys.signing.kid, 'rules') === undefined)
      return new SmartZoneError('UNKNOWN_SENDER', `${keys.name} in roster ${roster.version}`);
    return new SmartZoneError('TIMED_OUT', `no label offer of ${device.name}`);
  }

  private receiveOffer(message: Uint8Array): void {
    const { device } = this.trust;
    if (device === undefined || message.length === 0) return;
    let epoch: Epoch | undefined;
    try {
      const offer = this.freshness.open(message, device.hello.signingKey);
      if (!equalBytes(offer.bootNonce, device.hello.bootNonce))
        throw new SmartZoneError('STALE_NONCE', 'label offer of another boot');
      this.asking.answered = true;
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
      this.asking.answered = false;
      this.held.push({ topic, record });
      if (this.held.length > (this.options.heldRecords ?? HELD_RECORDS)) {
        this.held.shift();
        this.counts.unopened++;
      }
      return;
    }
    const what = topic === this.topics.telemetry ? 'telemetry' : 'label';
    try {
      if (what === 'telemetry') this.intake.telemetry(record, epoch);
      else this.intake.label(topic, record, epoch, this.clock());
    } catch (error) {
      this.refuse(what, error);
    }
  }

  private keepHouse(): void {
    this.intake.keepHouse(this.clock());
    this.asking.again();
  }

  private refuse(what: RulesEvents['refused'][0]['what'], error: unknown): void {
    if (!isSmartZoneError(error)) throw error;
    this.counts.refused++;
    this.refusal = error;
    this.emit('refused', { what, error });
  }
}
