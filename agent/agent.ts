import { BUFFER, VERSION } from '../protocol/codes.js';
import { isSmartZoneError } from '../protocol/errors.js';
import { kidToHex } from '../protocol/kid.js';
import { Topics, type ParsedTopic } from '../protocol/topics.js';
import { BrokerLink, type Incoming } from './broker/link.js';
import { changedKeys, isLiveKey, type Config } from './config.js';
import { Gate } from './flow/gate.js';
import { EvidenceDesk } from './flow/evidence-desk.js';
import { Hello } from './flow/hello.js';
import { LabelOffers } from './flow/label-offers.js';
import { Membership } from './flow/membership.js';
import { Receipts } from './flow/receipts.js';
import { SensorOffers } from './flow/sensor-offers.js';
import { Sequence } from './flow/sequence.js';
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
const RETRY_MS = 500;
/** A TA that died while nothing was asked of it is noticed so soon; also when its epoch changes without a label. */
const HEARTBEAT_MS = 500;
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
  readonly #control = new Sequence();
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
  #retryTimer: NodeJS.Timeout | undefined;
  #heartbeat: NodeJS.Timeout | undefined;
  /** Counts sessions opened and lost: what was begun for one must not be finished for the next. */
  #session = 0;
  #setUpBefore = false;
  #beating = false;
  #stopped: Promise<void> | undefined;
  #boot: number | undefined;

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
      subscriptions: subscriptionsOf(this.topics),
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
    this.#hello = new Hello(tee, link, topics.hello);
    this.#sensorOffers = new SensorOffers((offer) => tee.offer(offer), this.log, counters);
    this.#labelOffers = new LabelOffers(tee, link, topics, this.log, counters);
    this.#membership = new Membership(
      tee,
      link,
      topics,
      this.#hello,
      this.#sensorOffers,
      this.#labelOffers,
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
      run: (task) => void this.#controlled(task),
    });
    this.#zones = new ZoneIntake({
      link: { config: config.broker, ...limits, ...(random && { random }) },
      log: this.log,
      tee,
      counters,
      queue: this.#queue,
      roster: () => this.#membership.roster,
      control: (task) => void this.#controlled(task),
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
  }

  static async create(config: Config, options: AgentOptions = {}): Promise<Agent> {
    return new Agent(config, await ModelStore.create(config.models.directory), options);
  }

  /** Starts everything; resolves when the TA is set up and the broker connected. */
  async start(): Promise<void> {
    const { port } = this.#config.health;
    if (port !== 0) this.#health = await HealthServer.create(port, () => this.#healthView());
    this.link.on('message', (message) => this.#receive(message));
    this.link.on('online', ({ connection, sessionPresent }) => {
      if (this.link.connections > 1) this.counters.add('reconnects');
      // The broker sends again what was not acknowledged; the copies in the queue could not be acknowledged any more.
      if (sessionPresent) this.counters.add('frames_redelivered', this.#queue.forget(connection));
    });
    this.tee.on('open', () => this.#setUp());
    this.tee.on('lost', () => {
      this.#session += 1;
      this.counters.add('tee_restarts');
      this.#ready.close();
      this.#zones.pause();
      this.link.setState('degraded');
      void this.#notifier.status('the TEE was lost, opening it again');
    });
    this.#models.watch();
    this.#heartbeat = setInterval(() => this.#beat(), HEARTBEAT_MS);
    if (this.#config.tee.library === 'soft')
      this.log.warn('the software TEE is for development: it protects nothing from this machine');
    this.tee.start();
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
    void this.#controlled(() => this.#models.refresh());
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
    clearInterval(this.#heartbeat);
    clearTimeout(this.#stateTimer);
    clearTimeout(this.#retryTimer);
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

  #receive(message: Incoming): void {
    const { topic, payload, connection } = message;
    const parsed = this.topics.parse(topic);
    if (parsed?.kind === 'sensorFrame') {
      this.counters.add('frames_received');
      if (message.retain) {
        // A retained frame would come with every subscription, for ever.
        this.counters.lost('retained');
        return message.acknowledge();
      }
      this.#queue.push({
        sensor: kidToHex(parsed.kid),
        record: payload,
        arrived: performance.now(),
        connection,
        acknowledge: () => message.acknowledge(),
      });
      return;
    }
    if (!parsed) {
      // A package's topics. Acknowledged when it is on the disk, so that segments do not pile up in memory.
      void this.#controlled(() => this.#models.receive(topic, payload).finally(() => message.acknowledge()));
      return;
    }
    // Acknowledged at once: what is retained comes again, an owner's tool asks again.
    message.acknowledge();
    if (this.#stopped) return;
    const handled = this.#controlled(() => this.#handle(parsed, payload));
    if (parsed.kind === 'sensorOffer') this.#sensorOffers.expect(kidToHex(parsed.kid), handled);
  }

  #handle(parsed: ParsedTopic, payload: Buffer): Promise<void> {
    if (parsed.kind === 'roster')
      return this.#membership
        .receiveRoster(payload)
        .then(() => this.#models.rosterChanged())
        .then(() => this.#zones.refresh());
    if (parsed.kind === 'owner') return this.#answerOwner(payload);
    if (parsed.kind === 'modelOffer') return this.#models.receiveOffer(payload);
    if (parsed.kind === 'sensorOffer') return this.#sensorOffers.receive(kidToHex(parsed.kid), payload);
    if (parsed.kind === 'rulesHello') return this.#labelOffers.receive(kidToHex(parsed.kid), payload);
    if (parsed.kind === 'evidenceRequest') return this.#evidence.answer(payload);
    return Promise.resolve();
  }

  /** A statement may have taken the model away, or back. */
  async #answerOwner(statement: Buffer): Promise<void> {
    await this.#membership.receiveStatement(statement);
    await this.#zones.refresh();
    await this.#models.refresh();
  }

  /** Runs a task after those before it. Losing the TEE is no failure of the task: what matters is replayed in #setUp(). */
  #controlled(task: () => Promise<void>): Promise<void> {
    return this.#control.run(task).catch((error: unknown) => {
      if (!isSmartZoneError(error, 'TEE_DIED', 'TEE_TIMEOUT', 'TEE_UNREACHABLE'))
        this.log.error('a control message failed', { reason: (error as Error).message });
    });
  }

  /** A session is open: bring the TA to where the world believes it is. */
  #setUp(): void {
    clearTimeout(this.#retryTimer);
    this.#session += 1;
    const session = this.#session;
    this.#control
      .run(async () => {
        if (session !== this.#session) return;
        const { boot } = await this.tee.ping();
        const restarted = this.#boot !== undefined && boot !== this.#boot;
        this.#boot = boot;
        if (restarted) this.log.warn('the TA has restarted: channels and epochs are gone', { boot });
        // The model before the hello: clients take a hello with an older model for a rollback.
        await this.#models.sessionOpened();
        await this.#membership.replay();
        await this.#models.rosterChanged();
        await this.#labelOffers.replayAll();
        await this.#sensorOffers.replayAll();
        await this.#zones.replayAll();
        await this.#hello.refresh();
        if (session !== this.#session) return;
        this.#ready.open();
        this.#setUpBefore = true;
        this.link.setState('online');
        if (restarted) void this.#notifier.status(`labels for ${this.topics.prefix}`);
      })
      .catch((error: unknown) => {
        // Lost again: the next session sets up. Anything else (storage, say) may pass.
        if (this.#stopped || session !== this.#session) return;
        this.log.error('setting up the TA failed', { reason: (error as Error).message });
        if (this.#setUpBefore) this.link.setState('degraded');
        this.#retryTimer = setTimeout(() => this.#setUp(), RETRY_MS);
      });
  }

  /** Nothing is done about a failure here: TeeClient has noticed it. */
  #beat(): void {
    if (this.#beating || !this.#ready.isOpen) return;
    this.#beating = true;
    this.tee
      .ping()
      .then(({ epoch }) => this.#labelOffers.ensure(epoch))
      .then(() => this.#models.settleTrial(this.counters.get('labels_published')))
      .catch(() => undefined)
      .finally(() => (this.#beating = false));
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

/** In this order the broker sends what is retained: who is who, before what they send. */
const subscriptionsOf = (topics: Topics): string[] => [
  topics.roster,
  topics.owner,
  topics.evidenceRequest,
  topics.modelOffer,
  topics.rulesHello('+'),
  topics.sensorOffer('+'),
  topics.sensorFrame('+'),
];
