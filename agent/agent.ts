import { join } from 'node:path';
import { BUFFER, VERSION } from '../protocol/codes.js';
import { Topics } from '../protocol/topics.js';
import { BrokerLink } from './broker/link.js';
import { changedKeys, isLiveKey, type Config } from './config.js';
import { Gate } from './flow/gate.js';
import { EvidenceDesk } from './flow/evidence-desk.js';
import { Hello } from './flow/hello.js';
import { Inbox } from './flow/inbox.js';
import { LabelOffers } from './flow/label-offers.js';
import { Membership } from './flow/membership.js';
import { Receipts } from './flow/receipts.js';
import { RosterFile } from './flow/roster-file.js';
import { SensorOffers } from './flow/sensor-offers.js';
import { Sequence } from './flow/sequence.js';
import { TaSession } from './flow/ta-session.js';
import { TelemetrySender } from './flow/telemetry-sender.js';
import { HealthServer } from './health.js';
import { FramePump } from './intake/frame-pump.js';
import { FrameQueue } from './intake/frame-queue.js';
import { LabelWindow } from './intake/label-window.js';
import { Log } from './log.js';
import { ModelStore } from './models/model-store.js';
import { Models } from './models/models.js';
import { SystemdNotifier, type Notifier } from './service/notifier.js';
import { Watchdog } from './service/watchdog.js';
import { TeeClient } from './tee/client.js';
import { Counters } from './telemetry.js';
import { ZoneIntake } from './zones/zone-intake.js';

/** Added to the queue's depth: dropped frames are acknowledged in order, behind the one in the TEE, and must not stop the
 * broker from sending newer ones meanwhile. */
const RECEIVE_HEADROOM = 64;
const DRAIN_MS = 5_000;
/** The state topic follows the drop counter at most this often. */
const STATE_INTERVAL_MS = 5_000;

export interface AgentOptions {
  readonly log?: Log;
  /** NOTIFY_SOCKET, WATCHDOG_USEC and the like. Default: none, as for an agent inside another program. */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** For backoff. Default Math.random. */
  readonly random?: () => number;
}

/** The daemon: frames from the broker to the TA, labels back. It holds no key that opens anything. */
export class Agent {
  #config: Config;
  readonly log: Log;
  readonly counters = new Counters();
  readonly tee: TeeClient;
  readonly link: BrokerLink;
  readonly topics: Topics;
  readonly #env: Readonly<Record<string, string | undefined>>;
  readonly #notifier: Notifier;
  readonly #session: TaSession;
  readonly #inbox: Inbox;
  readonly #ready = new Gate();
  readonly #queue: FrameQueue;
  readonly #pump: FramePump;
  readonly #hello: Hello;
  readonly #sensorOffers: SensorOffers;
  readonly #labelOffers: LabelOffers;
  readonly #membership: Membership;
  readonly #receipts: Receipts;
  readonly #zones: ZoneIntake;
  readonly #evidence: EvidenceDesk;
  readonly #telemetry: TelemetrySender;
  readonly #models: Models;
  #health: HealthServer | undefined;
  #watchdog: Watchdog | undefined;
  #stateTimer: NodeJS.Timeout | undefined;
  #stopped: Promise<void> | undefined;

  private constructor(config: Config, store: ModelStore, { log, env = {}, random }: AgentOptions) {
    this.#config = config;
    this.#env = env;
    this.log = log ?? Log.forProcess(config.log.level);
    this.#notifier = SystemdNotifier.create(env, this.log);
    this.topics = new Topics(config.topics.prefix);
    const limits = {
      receiveMaximum: Math.min(65_535, config.queue.depth + RECEIVE_HEADROOM),
      maximumPacketSize: BUFFER.in + 65_536,
    };
    this.tee = TeeClient.create(config.tee, this.log, random);
    this.link = BrokerLink.create({
      config: config.broker,
      log: this.log,
      subscriptions: Inbox.subscriptions(this.topics),
      state: {
        topic: this.topics.state,
        payload: (state, session) => this.#statePayload(state, session),
      },
      ...limits,
      ...(random && { random }),
    });
    const { tee, link, topics, counters } = this;
    const current = (): Config => this.#config;
    const labels = new LabelWindow();
    this.#queue = new FrameQueue(config.queue.depth, () => this.#dropped());
    this.#hello = new Hello(tee, link, topics.hello, this.log);
    this.#sensorOffers = new SensorOffers((offer) => tee.offer(offer), this.log, counters);
    this.#labelOffers = new LabelOffers(tee, link, topics, this.log, counters);
    this.#membership = new Membership(
      tee,
      link,
      topics,
      this.#hello,
      this.#sensorOffers,
      this.#labelOffers,
      new RosterFile(join(config.models.directory, 'roster')),
      this.log,
    );
    this.#receipts = new Receipts(tee, link, labels, current, this.log);
    this.#evidence = new EvidenceDesk(tee, link, topics, counters);
    this.#telemetry = new TelemetrySender(tee, link, topics, this.#labelOffers, counters, this.log);
    this.#models = new Models({
      store,
      tee,
      link,
      topics,
      log: this.log,
      config: current,
      roster: () => this.#membership.roster,
      helloChanged: () => this.#hello.refresh(),
      say: (text) => void this.#notifier.status(text),
      run: (task) => void this.#session.controlled(task),
    });
    this.#zones = new ZoneIntake({
      link: { config: config.broker, ...limits, ...(random && { random }) },
      log: this.log,
      tee,
      counters,
      queue: this.#queue,
      roster: () => this.#membership.roster,
      control: (task) => void this.#session.controlled(task),
    });
    this.#pump = new FramePump({
      config: current,
      log: this.log,
      tee,
      link,
      topics,
      queue: this.#queue,
      labels,
      ready: this.#ready,
      sensorOffers: this.#sensorOffers,
      labelOffers: this.#labelOffers,
      receipts: this.#receipts,
      counters,
      loading: () => this.#models.status.state === 'loading',
    });
    this.#inbox = new Inbox({
      topics,
      counters,
      queue: this.#queue,
      membership: this.#membership,
      models: this.#models,
      zones: this.#zones,
      evidence: this.#evidence,
      sensorOffers: this.#sensorOffers,
      labelOffers: this.#labelOffers,
      controlled: (task) => this.#session.controlled(task),
    });
    this.#session = new TaSession({
      tee,
      control: new Sequence(),
      log: this.log,
      ready: this.#ready,
      steps: [
        // The model before the hello: clients take a hello with an older model for a rollback.
        () => this.#models.sessionOpened(),
        () => this.#membership.replay(),
        () => this.#models.rosterChanged(),
        () => this.#labelOffers.replayAll(),
        () => this.#sensorOffers.replayAll(),
        () => this.#zones.replayAll(),
        () => this.#hello.refresh(),
      ],
      opened: (restarted) => {
        link.setState('online');
        if (restarted) void this.#notifier.status(`labels for ${topics.prefix}`);
      },
      lost: () => {
        counters.add('tee_restarts');
        this.#zones.pause();
        link.setState('degraded');
        void this.#notifier.status('the TEE was lost, opening it again');
      },
      failed: () => link.setState('degraded'),
      beat: async (epoch) => {
        await this.#labelOffers.ensure(epoch);
        this.#models.settleTrial(counters.get('labels_published'));
      },
    });
  }

  static async create(config: Config, options: AgentOptions = {}): Promise<Agent> {
    return new Agent(config, await ModelStore.create(config.models.directory), options);
  }

  /** Starts everything; resolves when the TA is set up and the broker connected. */
  async start(): Promise<void> {
    const { port } = this.#config.health;
    if (port !== 0) this.#health = await HealthServer.create(port, () => this.#healthView());
    this.link.on('message', (message) => this.#inbox.receive(message, this.#stopped !== undefined));
    this.link.on('online', ({ connection, sessionPresent }) => {
      if (this.link.connections > 1) this.counters.add('reconnects');
      // The broker sends again what was not acknowledged; the copies in the queue could not be acknowledged any more.
      if (sessionPresent) this.counters.add('frames_redelivered', this.#queue.forget(connection));
    });
    this.#models.watch();
    if (this.#config.tee.library === 'soft')
      this.log.warn('the software TEE is for development: it protects nothing from this machine');
    this.#session.start();
    this.link.start();
    this.#pump.start();
    // systemd hears that the daemon is ready without a broker too: it must not be killed while that is away.
    if (!(await this.#ready.pass())) return;
    this.#telemetry.setInterval(this.#config.telemetry.intervalMs);
    if (this.#config.watchdog.enabled)
      this.#watchdog = Watchdog.create({
        env: this.#env,
        check: () => this.tee.ping(),
        feed: () => this.#notifier.watchdog(),
        log: this.log,
      });
    await this.#notifier.ready(`labels for ${this.topics.prefix}`);
    await this.link.whenOnline();
    this.log.info('ready', { prefix: this.topics.prefix });
  }

  /** Stops intake, works off what is queued, says offline, closes the TEE session. */
  stop(): Promise<void> {
    return (this.#stopped ??= this.#stop());
  }

  /**
   * Takes over what can be taken over while running. Returns the changed keys that need a restart; those keep their old
   * values. Certificates and passwords are read from disk again, models looked for again.
   */
  async reload(config: Config): Promise<string[]> {
    this.#notifier.reloading();
    const changed = changedKeys(this.#config, config);
    const restart = changed.filter((key) => !isLiveKey(key));
    const { queue, labels, receipts, telemetry, log } = config;
    this.#config = { ...this.#config, queue, labels, receipts, telemetry, log };
    this.log.level = log.level;
    this.#queue.setDepth(queue.depth);
    this.#telemetry.setInterval(telemetry.intervalMs);
    if (this.link.reloadCredentials()) this.log.info('connecting again with new certificates or password');
    void this.#session.controlled(() => this.#models.refresh());
    this.log.info('reloaded the configuration', {
      applied: changed.filter(isLiveKey).join(' '),
      needRestart: restart.join(' '),
    });
    await this.#notifier.ready(`labels for ${this.topics.prefix}`);
    return restart;
  }

  /** The reload was refused: the service manager must hear that it is over. */
  async keepConfiguration(): Promise<void> {
    this.#notifier.reloading();
    await this.#notifier.ready(`labels for ${this.topics.prefix} (new configuration refused)`);
  }

  get isReady(): boolean {
    return this.#ready.isOpen && this.link.isOnline;
  }

  get healthPort(): number | undefined {
    return this.#health?.port;
  }

  async #stop(): Promise<void> {
    this.#notifier.stopping();
    this.log.info('stopping');
    this.#watchdog?.stop();
    this.#telemetry.setInterval(0);
    this.#models.stop();
    this.#session.stop();
    clearTimeout(this.#stateTimer);
    // Other devices take the frames from here on.
    this.#zones.pause();
    this.#queue.close();
    await this.#pump.stop(this.#ready.isOpen && this.link.isOnline ? DRAIN_MS : 0);
    await Promise.race([this.#receipts.flush(), new Promise((resolve) => setTimeout(resolve, 1_000))]);
    this.#receipts.stop();
    await this.#zones.stop();
    await this.link.stop();
    await this.tee.stop();
    await this.#health?.stop();
    this.log.info('stopped');
  }

  #dropped(): void {
    this.counters.lost('overload');
    this.#stateTimer ??= setTimeout(() => {
      this.#stateTimer = undefined;
      this.log.warn('frames arrive faster than the TEE works', {
        dropped: this.counters.get('frames_lost_overload'),
      });
      if (this.#ready.isOpen) this.link.setState('online');
    }, STATE_INTERVAL_MS);
  }

  #statePayload(state: string, session: number): Buffer {
    return Buffer.from(
      JSON.stringify({
        state,
        session,
        version: VERSION,
        framesLost: this.counters.get('frames_lost'),
        framesDropped: this.counters.get('frames_lost_overload'),
      }),
    );
  }

  #healthView() {
    const reason = this.#ready.isOpen ? 'no connection to the broker' : 'the TA is not set up';
    return {
      ready: this.isReady,
      reason,
      gauges: {
        ready: this.isReady ? 1 : 0,
        queue_length: this.#queue.length,
        broker_connected: this.link.isOnline ? 1 : 0,
        tee_open: this.tee.isOpen ? 1 : 0,
        model_active: this.#models.status.state === 'active' ? 1 : 0,
      },
      counters: this.counters,
    };
  }
}
