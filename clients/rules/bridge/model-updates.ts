import { kidToHex } from '../../../protocol/kid.js';
import type { BrokerLink, LinkMessage } from '../../link/index.js';
import type { DeviceEvent } from '../rules-event.js';
import { INSTALL, LONGEST_STATE, shortened, type BridgeTopics } from './entities.js';
import type { ModelInstaller } from './options.js';
import type { RetainedTopics } from './retained-topics.js';

interface Update {
  readonly kid: string;
  readonly prefix: string;
  /** Sequence number that the device runs; 0 = none. */
  installed: number;
  /** Of a running install, 0..1. */
  progress: number | undefined;
  /** Why the last install did not succeed; '' where it did. */
  failure: string;
  unsubscribe: (() => Promise<void>) | undefined;
}

/** The update entities: which model a device runs, which it could run, and the button that brings it. */
export class ModelUpdates {
  readonly #updates = new Map<string, Update>();
  readonly #ending = new AbortController();
  readonly #running = new Set<Promise<void>>();

  constructor(
    private readonly topics: BridgeTopics,
    private readonly retained: RetainedTopics,
    private readonly to: BrokerLink,
    private readonly installer: ModelInstaller | undefined,
    private readonly failed: (error: Error) => void,
  ) {}

  /** What is known of a device has changed. */
  show({ device, prefix, model = 0 }: DeviceEvent): void {
    if (device === undefined) return;
    const kid = kidToHex(device.kid);
    let update = this.#updates.get(kid);
    if (update === undefined) {
      update = { kid, prefix, installed: model, progress: undefined, failure: '', unsubscribe: undefined };
      this.#updates.set(kid, update);
      this.#accept(update);
    }
    update.installed = model;
    this.#publish(update);
  }

  /** The installer has another package now. */
  changed(): void {
    for (const update of this.#updates.values()) {
      update.failure = '';
      this.#publish(update);
    }
  }

  forget(kid: string): void {
    const update = this.#updates.get(kid);
    this.#updates.delete(kid);
    update?.unsubscribe?.().catch(() => undefined);
  }

  /** Gives up what is under way. */
  async close(): Promise<void> {
    this.#ending.abort();
    await Promise.all(this.#running);
    for (const { unsubscribe } of this.#updates.values()) await unsubscribe?.();
  }

  #publish({ kid, installed, progress, failure }: Update): void {
    const latest = Math.max(installed, this.installer?.sequence ?? 0);
    this.retained.set(
      this.topics.update(kid),
      JSON.stringify({
        installed_version: installed === 0 ? 'none' : String(installed),
        latest_version: latest === 0 ? 'none' : String(latest),
        title: 'Model',
        in_progress: progress !== undefined,
        update_percentage: progress === undefined ? null : Math.round(100 * progress),
        // There is no state for a failure. An empty text takes the one before away; leaving it out would keep it.
        release_summary: failure,
      }),
    );
  }

  #accept(update: Update): void {
    const { installer } = this;
    if (installer === undefined) return;
    const onCommand = ({ payload, retained }: LinkMessage): void => {
      // A retained command would install at every start.
      if (retained || update.progress !== undefined || Buffer.from(payload).toString() !== INSTALL) return;
      const running = this.#install(update, installer).finally(() => this.#running.delete(running));
      this.#running.add(running);
    };
    this.to.subscribe(this.topics.install(update.kid), onCommand).then(
      (unsubscribe) => {
        update.unsubscribe = unsubscribe;
        if (this.#updates.get(update.kid) !== update) unsubscribe().catch(() => undefined);
      },
      (error: Error) => this.failed(error),
    );
  }

  async #install(update: Update, installer: ModelInstaller): Promise<void> {
    const { sequence } = installer;
    const progress = (fraction: number): void => {
      update.progress = Math.min(1, Math.max(0, fraction));
      this.#publish(update);
    };
    update.failure = '';
    progress(0);
    try {
      await installer.install(update.prefix, progress, this.#ending.signal);
    } catch (thrown) {
      const error = thrown instanceof Error ? thrown : new Error(String(thrown));
      const text = `Installing ${sequence} failed: ${error.message}`;
      update.failure = shortened(text).slice(0, LONGEST_STATE);
      if (!this.#ending.signal.aborted) this.failed(error);
    } finally {
      update.progress = undefined;
      if (this.#updates.get(update.kid) === update) this.#publish(update);
    }
  }
}
