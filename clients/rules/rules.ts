import { EventEmitter } from 'node:events';
import { toHex } from '../../protocol/bytes.js';
import { SmartZoneError } from '../../protocol/errors.js';
import { Topics } from '../../protocol/topics.js';
import type { BrokerLink } from '../link/index.js';
import type { ZoneWatch } from '../trust/index.js';
import { EventTracker, type TrackerOptions } from './event-tracker.js';
import { LabelStream } from './label-stream.js';
import { RulesClient } from './rules-client.js';
import type { RulesOptions } from './rules-options.js';
import {
  detectionsOf,
  type DeviceEvent,
  type RulesEvent,
  type RulesEventOf,
  type RulesEventType,
} from './rules-event.js';
import type { RuleClock } from './timers.js';

type Listener<T extends RulesEventType> = (event: RulesEventOf<T>) => void;
const STATES: ReadonlySet<string> = new Set(['init', 'online', 'degraded', 'offline']);

/** The state topic is JSON: {"state", "session", …}. Cut to the words that are known: the broker could have made it up. */
function agentState(payload: Uint8Array): DeviceEvent['state'] {
  try {
    const { state } = JSON.parse(Buffer.from(payload).toString()) as { state?: unknown };
    return typeof state === 'string' && STATES.has(state) ? (state as DeviceEvent['state']) : 'unknown';
  } catch {
    return 'unknown';
  }
}

/** What `connectRules` gives: the events of all its devices, in the order in which they happened here. */
export class Rules {
  /** By prefix. */
  readonly clients = new Map<string, RulesClient>();
  readonly #emitter = new EventEmitter();
  readonly #devices = new Map<string, DeviceEvent>();
  readonly #tracker: EventTracker;
  readonly #ending = new AbortController();
  readonly #unsubscribe: (() => Promise<void>)[] = [];
  readonly #zones: ZoneWatch[] = [];
  #early: RulesEvent[] | undefined = [];

  /** @internal use connectRules */
  constructor(
    /** The connection: what actions publish through. */
    readonly link: BrokerLink,
    private readonly ownsLink: boolean,
    readonly clock: RuleClock,
    tracking: TrackerOptions | undefined,
  ) {
    // Many parts of one program listen: a bridge, a dashboard, a recorder.
    this.#emitter.setMaxListeners(0);
    this.#tracker = new EventTracker(clock, (event) => this.#tell(event), tracking);
    link.on('connected', this.#onConnected);
    link.on('disconnected', this.#onDisconnected);
  }

  on<T extends RulesEventType>(type: T, listener: Listener<T>): this {
    this.#emitter.on(type, listener);
    return this;
  }

  off<T extends RulesEventType>(type: T, listener: Listener<T>): this {
    this.#emitter.off(type, listener);
    return this;
  }

  /** Every event, of whatever type. Returns what stops it. */
  onAny(listener: (event: RulesEvent) => void): () => void {
    this.#emitter.on('*', listener);
    return () => this.#emitter.off('*', listener);
  }

  /** The last device event of each device, for who comes later. */
  get devices(): readonly DeviceEvent[] {
    return [...this.#devices.values()];
  }

  /** Events that have begun and not ended. */
  get open(): EventTracker['open'] {
    return this.#tracker.open;
  }

  /**
   * Resolves when the labels of every device can be opened; of a zone, of those of its devices that are there.
   * @throws TIMED_OUT, saying what is missing
   */
  async ready(timeout = 30_000): Promise<void> {
    const end = Date.now() + timeout;
    while (this.#zones.some(({ devices }) => devices.length === 0)) {
      if (Date.now() >= end) throw new SmartZoneError('TIMED_OUT', 'no device of a zone is known yet');
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
    await Promise.all([...this.clients.values()].map((client) => client.ready(timeout)));
  }

  /**
   * Events from now on, for `for await`; all types, or those named. Ends with `close` or the signal. Keeps at most `buffer`
   * events for a slow reader; then the oldest go, counted in the stream's `dropped`.
   */
  events<T extends RulesEventType = RulesEventType>(
    options: { readonly types?: readonly T[]; readonly signal?: AbortSignal; readonly buffer?: number } = {},
  ): LabelStream<RulesEventOf<T>> {
    const stream = new LabelStream<RulesEventOf<T>>(options.buffer ?? 4096);
    const types = options.types === undefined ? undefined : new Set<string>(options.types);
    const stop = this.onAny((event) => {
      if (types === undefined || types.has(event.type)) stream.push(event as RulesEventOf<T>);
    });
    const end = (): void => {
      stop();
      stream.end();
      for (const signal of signals) signal.removeEventListener('abort', end);
    };
    const signals = [options.signal, this.#ending.signal].filter((signal) => signal !== undefined);
    stream.onReturn = end;
    for (const signal of signals) {
      if (signal.aborted) end();
      else signal.addEventListener('abort', end, { once: true });
    }
    return stream;
  }

  [Symbol.asyncIterator](): LabelStream<RulesEvent> {
    return this.events();
  }

  /** Ends open events, the iterators, and the connection where it was made here. */
  async close(): Promise<void> {
    if (this.#ending.signal.aborted) return;
    this.#flush();
    this.#tracker.close();
    this.link.off('connected', this.#onConnected);
    this.link.off('disconnected', this.#onDisconnected);
    // Without the connection nothing is unsubscribed: the broker keeps what comes until this host is back.
    if (this.ownsLink) await this.link.close();
    await Promise.all(this.#unsubscribe.splice(0).map((each) => each()));
    await Promise.all(this.#zones.map((zone) => zone.close()));
    for (const client of this.clients.values()) await client.close();
    this.#ending.abort();
  }

  /** @internal */
  async add(prefix: string, options: RulesOptions): Promise<void> {
    const client = await RulesClient.open(options);
    this.clients.set(prefix, client);
    this.#devices.set(prefix, { type: 'device', prefix, state: 'unknown' });
    client.on('label', (label) => {
      this.#tell({ type: 'label', label });
      for (const detection of detectionsOf(label)) this.#tell(detection);
      this.#tracker.apply(label);
    });
    client.on('gap', (gap) => this.#tell({ type: 'gap', ...gap }));
    client.on('stale', (stale) => this.#tell({ type: 'stale', ...stale }));
    client.on('telemetry', (telemetry) => this.#tell({ type: 'telemetry', telemetry }));
    client.on('refused', ({ what, error }) => this.#tell({ type: 'refused', prefix, what, error }));
    client.on('device', ({ kid, name, behind, hello }) =>
      this.#changeDevice(prefix, {
        device: { kid, name },
        securityLevel: hello.securityLevel,
        taVersion: hello.taVersion,
        model: hello.modelSequence,
        boot: toHex(hello.bootNonce),
        behind,
      }),
    );
    this.#unsubscribe.push(
      await this.link.subscribe(new Topics(prefix).state, ({ payload }) => {
        this.#changeDevice(prefix, { state: agentState(payload) });
      }),
    );
  }

  /** @internal All devices of a zone, from now on. */
  async follow(zone: ZoneWatch, add: (prefix: string) => Promise<void>): Promise<void> {
    this.#zones.push(zone);
    const added = new Set<string>();
    zone.on('changed', () => {
      for (const { prefix } of zone.devices) {
        if (added.has(prefix) || this.clients.has(prefix) || this.#ending.signal.aborted) continue;
        added.add(prefix);
        // Without a connection it is tried again with the next hello.
        add(prefix).catch(() => added.delete(prefix));
      }
    });
    zone.on('refused', ({ what, error }) => this.#tell({ type: 'refused', prefix: 'zone', what, error }));
    await zone.start();
  }

  /** @internal Whoever awaited `connectRules` attaches listeners first. */
  start(): void {
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const event of early) this.#tell(event);
  }

  #changeDevice(prefix: string, change: Partial<DeviceEvent>): void {
    const before = this.#devices.get(prefix) ?? { type: 'device', prefix, state: 'unknown' };
    const after = { ...before, ...change };
    const same = (Object.keys(after) as (keyof DeviceEvent)[]).every((key) =>
      key === 'device' ? before.device?.name === after.device?.name : before[key] === after[key],
    );
    if (same) return;
    this.#devices.set(prefix, after);
    this.#tell(after);
    const { device, model } = after;
    if (device === undefined || model === undefined || model === before.model) return;
    this.#tell({
      type: 'model',
      device,
      ...(before.model === undefined ? {} : { from: before.model }),
      to: model,
    });
  }

  #tell(event: RulesEvent): void {
    if (this.#early !== undefined) {
      this.#early.push(event);
      return;
    }
    this.#emitter.emit(event.type, event);
    this.#emitter.emit('*', event);
  }

  readonly #onConnected = (): void => this.#tell({ type: 'connection', connected: true });
  readonly #onDisconnected = (): void => this.#tell({ type: 'connection', connected: false });
}
