import { isSmartZoneError, SmartZoneError } from '../../protocol/errors.js';
import { verifyHello } from '../../protocol/messages/hello.js';
import { encodeModelBegin } from '../../protocol/messages/model-begin.js';
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

const TEE_LOST = ['TEE_DIED', 'TEE_TIMEOUT', 'TEE_UNREACHABLE'] as const;

/** Brings the model on disk into the TA: the staged one if the TA takes it, else the committed one. */
export class ModelLoader {
  /** Fingerprints of what the TA refused: the same again would be refused again. */
  readonly #failed = new Set<string>();
  #status: ModelStatus = { state: 'none' };

  constructor(
    private readonly tee: TeeClient,
    private readonly store: ModelStore,
    private readonly log: Log,
    private readonly report: (status: ModelStatus) => void,
  ) {}

  get status(): ModelStatus {
    return this.#status;
  }

  /**
   * Looks at the store and at the TA, and does what is to be done. A model that cannot be used is reported, not thrown: the
   * one that runs goes on running. Throws when the TEE was lost.
   */
  async refresh(): Promise<void> {
    if (await this.#installStaged()) return;
    const { modelActive } = await this.tee.ping();
    const current = await this.#readable(() => this.store.current());
    if (!current) {
      if (!modelActive && this.#status.state !== 'failed') this.#say({ state: 'none' });
      return;
    }
    const { sequence, fingerprint } = current;
    if (modelActive && sequence === verifyHello(await this.tee.hello()).modelSequence) {
      await this.#readable(() => this.tee.useModel(current.file, current.places, true));
      if (this.#status.state === 'none') this.#say({ state: 'active', sequence });
      return;
    }
    if (!this.#failed.has(fingerprint)) await this.#load(current);
  }

  async #installStaged(): Promise<boolean> {
    const staged = await this.#readable(() => this.store.staged());
    if (!staged || this.#failed.has(staged.fingerprint)) return false;
    if (!(await this.#load(staged))) return false;
    await this.store.promote();
    return true;
  }

  /** Gives a package to the TA. Returns whether it is active now. */
  async #load(stored: StoredPackage): Promise<boolean> {
    const { sequence, file, places } = stored;
    const total = places.length;
    let streamed = 0;
    try {
      await this.tee.useModel(file, places, false);
      let wanted = await this.#begin(stored);
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
      if (isSmartZoneError(error, ...TEE_LOST)) throw error;
      this.#fail(error as Error, stored);
      return false;
    }
    this.log.info('a model is active', { sequence, streamed });
    this.#say({ state: 'active', sequence, ...(streamed > 0 && { streamed }) });
    return true;
  }

  /** As the committed model first: after a power cut between the TA's commit and ours it is. */
  async #begin({ envelope }: StoredPackage): Promise<number | undefined> {
    try {
      return await this.tee.modelBegin(encodeModelBegin(envelope, null));
    } catch (error) {
      const offer = await this.store.offer();
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
    const code = isSmartZoneError(error) ? error.code : 'MODEL_PROFILE';
    if (stored) this.#failed.add(stored.fingerprint);
    this.log.error('a model cannot be used', { code, reason: error.message, sequence: stored?.sequence });
    this.#say({ state: 'failed', code, reason: error.message, ...(stored && { sequence: stored.sequence }) });
  }

  #say(status: ModelStatus): void {
    this.#status = status;
    this.report(status);
  }
}
