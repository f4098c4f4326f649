import { Buffer } from 'node:buffer';
import { isSmartZoneError, SmartZoneError } from '../../protocol/errors.js';
import { verifyHello } from '../../protocol/messages/hello.js';
import { encodeModelBegin } from '../../protocol/messages/model-begin.js';
import { verifyModelStatus, type DeviceModelStatus } from '../../protocol/messages/model-status.js';
import type { Log } from '../log.js';
import type { TeeClient } from '../tee/client.js';
import type { ModelStore, StoredPackage } from './model-store.js';

/** Published retained on model/status. */
export interface ModelStatus {
  readonly state: 'none' | 'loading' | 'active' | 'failed';
  readonly sequence?: number;
  /** Why it failed: a code of protocol/codes.json. */
  readonly code?: string;
  /** The same in words, with what would help where that is known. */
  readonly reason?: string;
  /** Bytes that the active model streams for each frame, as it does not fit in secure memory. */
  readonly streamed?: number;
  /** Segments given to the TA, and how many there are. */
  readonly done?: number;
  readonly total?: number;
}

interface Reports {
  readonly model: (status: ModelStatus) => void;
  /** The TA's own signed word. */
  readonly signed: (status: Uint8Array) => void;
}

/** A package's sequence number is at most so much higher than the last one's (the TA refuses others: MODEL_SEQUENCE). */
const MODEL_SEQUENCE_STEP = 2 ** 16;
const TEE_LOST = ['TEE_DIED', 'TEE_TIMEOUT', 'TEE_UNREACHABLE'] as const;
/** A package whose installation ended the TA so often is not tried again. */
const DEATHS = 2;

/** Brings the models on disk into the TA: the staged one if the TA takes it, else the one that is committed. */
export class ModelLoader {
  /** Why the TA refused a package, by fingerprint: the same again would be refused again. */
  readonly #failed = new Map<string, SmartZoneError>();
  readonly #deaths = new Map<string, number>();
  #status: ModelStatus = { state: 'none' };
  #onTrial = false;
  /** The TA's last word. */
  #word: DeviceModelStatus | undefined;

  constructor(
    private readonly tee: TeeClient,
    private readonly store: ModelStore,
    private readonly log: Log,
    private readonly reports: Reports,
  ) {}

  get status(): ModelStatus {
    return this.#status;
  }

  /** The TA wants to be asked again, once there were labels. */
  get onTrial(): boolean {
    return this.#onTrial;
  }

  /**
   * Looks at the store and at the TA, and does what is to be done. A model that cannot be used is reported, not thrown: the
   * one that runs goes on running. Throws when the TEE was lost.
   */
  async refresh(): Promise<void> {
    if (!(await this.#installStaged())) await this.#loadCommitted();
    await this.settle();
  }

  /** Why the staged package was not taken; undefined: it was, or there is none. */
  async refusal(): Promise<SmartZoneError | undefined> {
    const staged = await this.#readable(() => this.store.staged());
    return staged && this.#failed.get(staged.fingerprint);
  }

  /** Why the TA would not take a package, as far as its number tells; the TA decides. Its committed one it always takes. */
  objection(digest: string, sequence: number): SmartZoneError | undefined {
    if (!this.#word || committedDigest(this.#word) === digest) return undefined;
    const { floor } = this.#word;
    if (sequence > floor && sequence <= floor + MODEL_SEQUENCE_STEP) return undefined;
    return new SmartZoneError(
      'MODEL_SEQUENCE',
      `${sequence}; above ${floor}, by at most ${MODEL_SEQUENCE_STEP}`,
    );
  }

  /** Lets the TA store what a model on trial has achieved, gives it what can stay in memory, and publishes its word. */
  async settle(): Promise<DeviceModelStatus> {
    const { signed, wanted, onTrial } = await this.tee.modelStatus();
    const status = verifyModelStatus(signed, verifyHello(await this.tee.hello()).signingKey);
    this.#onTrial = onTrial;
    this.#word = status;
    this.reports.signed(signed);
    if (wanted !== undefined) await this.#grow(status, wanted);
    return status;
  }

  /** After another model's failed installation there is room again for what the running one gave up. */
  async #grow(status: DeviceModelStatus, first: number): Promise<void> {
    const current = await this.#readable(() => this.store.current());
    if (!current || current.digest !== committedDigest(status)) return;
    await this.tee.useModel(current.file, current.places, true);
    for (let wanted: number | undefined = first; wanted !== undefined;)
      ({ wanted } = await this.tee.modelSegment(wanted));
  }

  async #loadCommitted(): Promise<void> {
    const { modelActive } = await this.tee.ping();
    const current = await this.#readable(() => this.store.current());
    if (modelActive && current) {
      const { sequence } = current;
      if (sequence !== verifyHello(await this.tee.hello()).modelSequence) return;
      await this.#readable(() => this.tee.useModel(current.file, current.places, true));
      if (this.#status.state !== 'active') this.#say({ state: 'active', sequence });
      return;
    }
    if (modelActive) return;
    if (current && !this.#failed.has(current.fingerprint) && (await this.#load(current))) return;
    // The TA may have gone back: after a trial that failed, or because the owner said so.
    const failure = current && this.#failed.get(current.fingerprint);
    if (current && !isSmartZoneError(failure, 'MODEL_TRIAL', 'MODEL_UNKNOWN')) return;
    const previous = await this.#readable(() => this.store.previous());
    if (previous && (await this.#load(previous))) {
      await this.store.takeBack();
      this.log.warn('the model before is in force again', { sequence: previous.sequence });
    } else if (!current && this.#status.state !== 'failed') {
      this.#say({ state: 'none' });
    }
  }

  async #installStaged(): Promise<boolean> {
    const staged = await this.#readable(() => this.store.staged());
    if (!staged || this.#failed.has(staged.fingerprint)) return false;
    if (!(await this.#load(staged, true))) return false;
    const { previous } = await this.settle();
    await this.store.promote(previous && Buffer.from(previous[1]).toString('hex'));
    return true;
  }

  /** Gives a package to the TA. Returns whether it is active now. */
  async #load(stored: StoredPackage, install = false): Promise<boolean> {
    const { sequence, file, places, fingerprint } = stored;
    const total = places.length;
    let streamed = 0;
    try {
      await this.tee.useModel(file, places, false);
      let wanted = await this.#begin(stored, install);
      let done = 0;
      this.#say({ state: 'loading', sequence, done, total });
      while (wanted !== undefined) {
        if (!places[wanted]) throw new SmartZoneError('MODEL_ORDER', `segment ${wanted} of ${total}`);
        ({ wanted, streamed } = await this.tee.modelSegment(wanted));
        // Where not all of them fit, the self-test wants some again.
        done = Math.min(done + 1, total);
        if (done < total && done % Math.ceil(total / 10) === 0)
          this.#say({ state: 'loading', sequence, done, total });
      }
    } catch (error) {
      if (!isSmartZoneError(error, ...TEE_LOST)) {
        this.#fail(error as Error, stored);
        return false;
      }
      const deaths = (this.#deaths.get(fingerprint) ?? 0) + 1;
      this.#deaths.set(fingerprint, deaths);
      if (install && deaths >= DEATHS && error.code !== 'TEE_UNREACHABLE')
        this.#fail(
          new SmartZoneError(error.code, `the TA ended ${deaths} times while it was installed`),
          stored,
        );
      throw error;
    }
    this.log.info('a model is active', { sequence, streamed });
    this.#say({ state: 'active', sequence, ...(streamed > 0 && { streamed }) });
    return true;
  }

  /** As the committed model first: after a power cut between the TA's commit and ours it is. */
  async #begin({ envelope }: StoredPackage, install: boolean): Promise<number | undefined> {
    try {
      return await this.tee.modelBegin(encodeModelBegin(envelope, null));
    } catch (error) {
      const offer = install ? await this.store.offer() : undefined;
      if (!isSmartZoneError(error, 'MODEL_UNKNOWN') || !offer) throw error;
      return await this.tee.modelBegin(encodeModelBegin(envelope, offer));
    }
  }

  async #readable<T>(read: () => Promise<T>): Promise<T | undefined> {
    try {
      return await read();
    } catch (error) {
      if (isSmartZoneError(error, ...TEE_LOST)) throw error;
      this.#fail(error as Error);
      return undefined;
    }
  }

  #fail(error: Error, stored?: StoredPackage): void {
    const failure = isSmartZoneError(error) ? error : new SmartZoneError('MODEL_PROFILE', error.message);
    const { code, message: reason } = failure;
    if (stored) this.#failed.set(stored.fingerprint, failure);
    this.log.error('a model cannot be used', { code, reason, sequence: stored?.sequence });
    this.#say({ state: 'failed', code, reason, ...(stored && { sequence: stored.sequence }) });
  }

  #say(status: ModelStatus): void {
    this.#status = status;
    this.reports.model(status);
  }
}

const committedDigest = ({ committed }: DeviceModelStatus): string | undefined =>
  committed && Buffer.from(committed[1]).toString('hex');
