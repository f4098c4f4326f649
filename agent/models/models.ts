import type { SmartZoneError } from '../../protocol/errors.js';
import type { Roster } from '../../protocol/messages/roster.js';
import type { Topics } from '../../protocol/topics.js';
import type { BrokerLink } from '../broker/link.js';
import type { Config } from '../config.js';
import type { Log } from '../log.js';
import type { TeeClient } from '../tee/client.js';
import { ModelLoader, type ModelStatus } from './model-loader.js';
import { ModelReport } from './model-report.js';
import type { ModelStore } from './model-store.js';
import { PushReceiver } from './push-receiver.js';

/** So many labels of a model on trial, and the TA is asked to store them. */
const SETTLE_LABELS = 10;
/** A publisher that is away asks for itself when it is back: the agent asks again. */
const WANT_EXPIRY_S = 10;

export interface ModelsParts {
  readonly store: ModelStore;
  readonly tee: TeeClient;
  readonly link: BrokerLink;
  readonly topics: Topics;
  readonly log: Log;
  readonly config: () => Config;
  /** The roster that the TA took last. */
  readonly roster: () => Roster | undefined;
  /** The hello tells which model is in force. */
  readonly helloChanged: () => Promise<void>;
  /** A line for the service manager. */
  readonly say: (text: string) => void;
  /** Runs a task after the control messages before it. */
  readonly run: (task: () => Promise<void>) => void;
}

/** Everything about models: what lies in the directory, what a publisher pushes, what of it the TA runs, and what is said of it. */
export class Models {
  readonly #report: ModelReport;
  readonly #loader: ModelLoader;
  readonly #pushes: PushReceiver;
  /** Labels when the TA was last asked about a model on trial. */
  #labelsSettled = 0;

  constructor(private readonly parts: ModelsParts) {
    const { store, tee, link, topics, log, config, roster, run } = parts;
    this.#report = new ModelReport((message) => link.retain(topics.modelStatus, message));
    this.#loader = new ModelLoader(tee, store, log, {
      model: (status) => {
        this.#report.setModel(status);
        if (status.state === 'loading')
          parts.say(`loading model ${status.sequence}: ${status.done}/${status.total}`);
      },
      signed: (status) => this.#report.setSigned(status),
    });
    this.#pushes = new PushReceiver({
      store,
      log,
      roster,
      run,
      objection: (digest, sequence) => this.#loader.objection(digest, sequence),
      mostBytes: () => config().models.maxMebibytes * 1024 * 1024,
      subscribe: (filters, qos) => link.subscribe(filters, qos),
      unsubscribe: (filters) => link.unsubscribe(filters),
      want: (message) => void link.publish(topics.modelWant, message, WANT_EXPIRY_S).catch(() => undefined),
      report: (status) => this.#report.setPush(status),
      repeat: () => this.#report.repeat(),
      install: () => this.refresh(),
      refusal: (): Promise<SmartZoneError | undefined> => this.#loader.refusal(),
    });
  }

  get status(): ModelStatus {
    return this.#loader.status;
  }

  /** Files in the model directory have changed: what is to be done about it is run. */
  watch(): void {
    this.parts.store.onChange(() => this.parts.run(() => this.refresh()));
  }

  /** Brings the TA to what lies in the directory. Throws when the TEE was lost. */
  async refresh(): Promise<void> {
    await this.#loader.refresh();
    await this.parts.helloChanged();
  }

  /** A session with the TA is open. The hello is not published yet: clients take one with an older model for a rollback. */
  async sessionOpened(): Promise<void> {
    await this.#loader.refresh();
    await this.#pushes.settled();
  }

  rosterChanged(): Promise<void> {
    return this.#pushes.rosterChanged();
  }

  receiveOffer(offer: Buffer): Promise<void> {
    return this.#pushes.receiveOffer(offer);
  }

  /** A message on a package's topics. Resolves when it is on the disk, so that segments do not pile up in memory. */
  receive(topic: string, payload: Buffer): Promise<void> {
    return this.#pushes.receive(topic, payload);
  }

  /** The TA stores nothing while it answers frames: what a trial has achieved is stored when it is asked. */
  settleTrial(labels: number): void {
    if (!this.#loader.onTrial || labels < this.#labelsSettled + SETTLE_LABELS) return;
    this.#labelsSettled = labels;
    this.parts.run(async () => void (await this.#loader.settle()));
  }

  stop(): void {
    this.parts.store.close();
    this.#pushes.stop();
  }
}
