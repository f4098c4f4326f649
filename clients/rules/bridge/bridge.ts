import { EventEmitter } from 'node:events';
import { signingKid, kidToHex } from '../../../protocol/kid.js';
import { levelName } from '../../owner/security-level.js';
import type { BrokerLink, LinkMessage } from '../../link/index.js';
import type { Rules } from '../connect-rules.js';
import type { LabelEvent } from '../label-event.js';
import {
  detectionsOf,
  type DeviceEvent,
  type RulesEventOf,
  type RulesEventType,
  type SeenEvent,
} from '../rules-event.js';
import type { Roster } from '../../../protocol/messages/roster.js';
import {
  announceDevice,
  announceSensor,
  BridgeTopics,
  deviceId,
  INSTALL,
  sensorId,
  shortened,
  UNKNOWN,
  type Announcement,
} from './entities.js';
import { Remains, type Remain } from './remains.js';
import { RetainedTopics } from './retained-topics.js';

/** Puts a newer model on a device: what stands behind the button of the update entity. */
export interface ModelInstaller {
  /** Sequence number of the package that would be installed. */
  readonly sequence: number;
  /** Resolves when the device runs it. @param progress 0..1 */
  install(device: string, progress: (fraction: number) => void): Promise<void>;
}

export interface BridgeOptions {
  /** Where the labels come from; the caller closes it, after the bridge. */
  readonly rules: Rules;
  /**
   * Where they go, readable. Opened with `bridgeWill(base)`, so that the broker says it when the bridge dies, and without a kept
   * session: an install command from yesterday must not be delivered today. The caller closes it, after the bridge.
   */
  readonly to: BrokerLink;
  /** Topics of the bridge start with it. */
  readonly base: string;
  /** Home Assistant's discovery prefix. Default `homeassistant`. */
  readonly discovery?: string;
  /** Classes that become binary sensors. Default: each that is seen, up to 32 per sensor. */
  readonly classes?: readonly string[];
  readonly installer?: ModelInstaller;
  /** Milliseconds to wait for what the broker retains of an earlier run. Default 300. */
  readonly settle?: number;
  /** At most so many milliseconds, at random, between Home Assistant's birth and the answer to it. Default 500. */
  readonly birthDelay?: number;
}

export interface BridgeEvents {
  /** Home Assistant came up; everything is announced again. */
  birth: [];
  /** Entities of this device or sensor were announced or taken away. */
  announced: [{ readonly id: string; readonly entities: number }];
  removed: [{ readonly id: string }];
  /** An install that Home Assistant asked for did not succeed. */
  failed: [Error];
}

interface BridgedSensor {
  readonly kid: string;
  readonly name: string;
  readonly classes: Set<string>;
  error: boolean;
  /** A label came since the bridge started: "not seen" is known, not guessed. */
  known: boolean;
}

interface BridgedDevice {
  readonly kid: string;
  readonly prefix: string;
  readonly sensors: Map<string, BridgedSensor>;
  missed: number;
  /** Of a running install, 0..1. */
  installing: number | undefined;
  unsubscribe: (() => Promise<void>) | undefined;
}

const MOST_CLASSES = 32;
export const bridgeWill = (base: string): { topic: string; payload: string } => ({
  topic: new BridgeTopics(base, '').status,
  payload: 'offline',
});

/**
 * Publishes labels for Home Assistant: from here on they are readable for whoever reads that broker. Holds no state that matters:
 * the roster says who is there, the labels say what is seen, and the broker keeps which classes were announced before.
 */
export class HomeAssistantBridge extends EventEmitter<BridgeEvents> {
  readonly #topics: BridgeTopics;
  readonly #retained: RetainedTopics;
  readonly #devices = new Map<string, BridgedDevice>();
  readonly #remains: Remains;
  readonly #undo: (() => unknown)[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  #connected: boolean;
  #closed = false;

  private constructor(private readonly options: BridgeOptions) {
    super();
    this.#topics = new BridgeTopics(options.base, options.discovery ?? 'homeassistant');
    this.#retained = new RetainedTopics(options.to);
    this.#remains = new Remains(this.#topics);
    this.#connected = options.rules.link.connected;
  }

  /** Resolves when what was announced before is read, and the bridge announces and follows from here on. */
  static async open(options: BridgeOptions): Promise<HomeAssistantBridge> {
    const bridge = new HomeAssistantBridge(options);
    await bridge.#start();
    return bridge;
  }

  /** Says that the bridge goes, and stops. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const undo of this.#undo.splice(0)) await undo();
    for (const timer of this.#timers) clearTimeout(timer);
    for (const { unsubscribe } of this.#devices.values()) await unsubscribe?.();
    this.#retained.set(this.#topics.status, 'offline');
    await this.#retained.flushed();
  }

  async #start(): Promise<void> {
    const { rules, to, settle = 300 } = this.options;
    const subscribe = async (topic: string, handle: (message: LinkMessage) => void): Promise<void> => {
      this.#undo.push(await to.subscribe(topic, handle));
    };
    // Entities that are left out of an announcement are deleted, with their history and settings: first see what is there.
    await subscribe(this.#topics.config('+'), (message) => this.#onRemain(message));
    await new Promise((resolve) => setTimeout(resolve, settle));
    await subscribe(this.#topics.homeAssistant, (message) => this.#onHomeAssistant(message));
    const onTo = (): void => this.#retained.again();
    to.on('connected', onTo);
    this.#undo.push(() => to.off('connected', onTo));
    this.#listen('device', (event) => this.#onDevice(event));
    this.#listen('label', ({ label }) => this.#onLabel(label));
    this.#listen('event', (event) => this.#onSeen(event));
    this.#listen('gap', ({ device, missed }) => this.#onGap(kidToHex(device.kid), missed));
    this.#listen('connection', ({ connected }) => {
      this.#connected = connected;
      for (const event of rules.devices) this.#onDevice(event);
    });
    for (const [prefix, client] of rules.clients) {
      const onRoster = (roster: Roster): void => this.#onRoster(prefix, roster);
      client.on('roster', onRoster);
      this.#undo.push(() => client.off('roster', onRoster));
      if (client.roster !== undefined) onRoster(client.roster);
    }
    for (const event of rules.devices) this.#onDevice(event);
    for (const event of rules.open) this.#setClass(event, 'ON');
    this.#retained.set(this.#topics.status, 'online');
  }

  #listen<T extends RulesEventType>(type: T, listener: (event: RulesEventOf<T>) => void): void {
    this.options.rules.on(type, listener);
    this.#undo.push(() => this.options.rules.off(type, listener));
  }

  /** An announcement that the broker kept, of this bridge's last run or of an earlier installation. */
  #onRemain({ topic, payload, retained }: LinkMessage): void {
    if (!retained) return;
    const remain = this.#remains.read(topic, payload);
    if (remain === undefined) return;
    this.#considerRemain(remain);
  }

  #considerRemain(remain: Remain): void {
    const device = this.#devices.get(remain.device);
    if (device === undefined || remain.sensor === undefined) return;
    if (!device.sensors.has(remain.sensor))
      this.#remove(sensorId(remain.device, remain.sensor), remain.states);
  }

  #onRoster(prefix: string, roster: Roster): void {
    const kids = new Set(roster.devices.map((each) => kidOf(each)));
    for (const device of this.#devices.values()) {
      if (device.prefix === prefix && !kids.has(device.kid)) this.#removeDevice(device);
    }
    const rosters = [...this.options.rules.clients.values()].map((client) => client.roster);
    if (rosters.every((each) => each !== undefined)) {
      const all = new Set(rosters.flatMap(({ devices }) => devices.map((each) => kidOf(each))));
      for (const remain of this.#remains.all())
        if (remain.ours && !all.has(remain.device)) this.#remove(remain.id, remain.states);
    }
    for (const device of this.#devices.values()) {
      if (device.prefix === prefix) this.#updateSensors(device, roster);
    }
  }

  #onDevice(event: DeviceEvent): void {
    if (event.device === undefined) return;
    const kid = kidToHex(event.device.kid);
    const client = this.options.rules.clients.get(event.prefix);
    let device = this.#devices.get(kid);
    if (device === undefined) {
      device = {
        kid,
        prefix: event.prefix,
        sensors: new Map(),
        missed: 0,
        installing: undefined,
        unsubscribe: undefined,
      };
      this.#devices.set(kid, device);
      this.#acceptInstalls(device);
    }
    this.#announce(
      deviceId(kid),
      announceDevice(this.#topics, {
        kid,
        name: event.device.name,
        taVersion: event.taVersion ?? '',
        installable: this.options.installer !== undefined,
      }),
    );
    this.#retained.set(
      this.#topics.ofDevice(kid, 'security_level'),
      event.securityLevel === undefined ? UNKNOWN : levelName(event.securityLevel),
    );
    this.#retained.set(this.#topics.ofDevice(kid, 'missed'), String(device.missed));
    this.#publishModel(device);
    if (client?.roster !== undefined) this.#updateSensors(device, client.roster);
    const serving = event.state === 'online' || event.state === 'degraded';
    this.#retained.set(this.#topics.deviceStatus(kid), this.#connected && serving ? 'online' : 'offline');
  }

  #updateSensors(device: BridgedDevice, roster: Roster): void {
    const members = sensorsOf(roster);
    for (const [kid, sensor] of device.sensors) {
      if (members.has(kid)) continue;
      device.sensors.delete(kid);
      this.#remove(sensorId(device.kid, kid), this.#statesOf(device, sensor));
    }
    for (const [kid, name] of members) {
      // A roster does not say which device a sensor sends to: with several, its first label does.
      const here = device.sensors.has(kid) || this.#remains.find(sensorId(device.kid, kid)) !== undefined;
      if (here || roster.devices.length === 1) this.#putSensor(device, kid, name);
    }
    for (const remain of this.#remains.all()) this.#considerRemain(remain);
  }

  #putSensor(device: BridgedDevice, kid: string, name: string): BridgedSensor {
    const before = device.sensors.get(kid);
    if (before?.name === name) return before;
    const sensor = { ...(before ?? this.#remembered(device.kid, kid)), kid, name };
    device.sensors.set(kid, sensor);
    this.#announceSensor(device, sensor);
    for (const topic of this.#statesOf(device, sensor))
      if (this.#retained.get(topic) === undefined) this.#retained.set(topic, UNKNOWN);
    return sensor;
  }

  /** Classes that were announced before: those that are still wanted. */
  #remembered(device: string, sensor: string): Omit<BridgedSensor, 'kid' | 'name'> {
    const remain = this.#remains.find(sensorId(device, sensor));
    const wanted = this.options.classes;
    const classes = wanted ?? remain?.classes.slice(0, MOST_CLASSES) ?? [];
    return { classes: new Set(classes), error: remain?.error === true, known: false };
  }

  #announceSensor(device: BridgedDevice, sensor: BridgedSensor): void {
    this.#announce(
      sensorId(device.kid, sensor.kid),
      announceSensor(this.#topics, { ...sensor, device: device.kid }),
    );
  }

  #announce(id: string, announcement: Announcement): void {
    const topic = this.#topics.config(id);
    const payload = JSON.stringify(announcement);
    if (this.#retained.get(topic) === payload) return;
    const gone = this.#remains.find(id)?.components ?? [];
    const removed = gone.filter(([key]) => announcement.cmps[key] === undefined);
    this.#remains.forget(id);
    if (removed.length > 0) {
      // Documented: a component with its platform alone is taken away; then the announcement without it.
      const cmps = { ...announcement.cmps, ...Object.fromEntries(removed.map(([key, p]) => [key, { p }])) };
      this.options.to
        .publish(topic, JSON.stringify({ ...announcement, cmps }), { retain: true })
        .catch(() => undefined);
    }
    this.#retained.set(topic, payload);
    this.emit('announced', { id, entities: Object.keys(announcement.cmps).length });
  }

  #remove(id: string, states: Iterable<string>): void {
    this.#remains.forget(id);
    this.#retained.clear(this.#topics.config(id));
    for (const topic of states) this.#retained.clear(topic);
    this.emit('removed', { id });
  }

  #removeDevice(device: BridgedDevice): void {
    this.#devices.delete(device.kid);
    device.unsubscribe?.().catch(() => undefined);
    for (const sensor of device.sensors.values())
      this.#remove(sensorId(device.kid, sensor.kid), this.#statesOf(device, sensor));
    this.#remove(deviceId(device.kid), [
      this.#topics.update(device.kid),
      this.#topics.ofDevice(device.kid, 'security_level'),
      this.#topics.ofDevice(device.kid, 'missed'),
      this.#topics.deviceStatus(device.kid),
    ]);
  }

  #statesOf(device: BridgedDevice, sensor: BridgedSensor): string[] {
    const of = (what: 'top' | 'score' | 'error'): string =>
      this.#topics.ofSensor(device.kid, sensor.kid, what);
    return [
      of('top'),
      of('score'),
      ...(sensor.error ? [of('error')] : []),
      ...[...sensor.classes].map((name) => this.#topics.class(device.kid, sensor.kid, name)),
    ];
  }

  #onLabel(label: LabelEvent): void {
    const device = this.#devices.get(kidToHex(label.device.kid));
    if (device === undefined) return;
    const sensor = this.#putSensor(device, kidToHex(label.sensor.kid), label.sensor.name);
    const of = (what: 'top' | 'score' | 'error'): string =>
      this.#topics.ofSensor(device.kid, sensor.kid, what);
    if (label.results.kind === 'reconstruction') {
      if (!sensor.error) {
        sensor.error = true;
        this.#announceSensor(device, sensor);
      }
      this.#retained.set(of('error'), String(Number(label.results.error.toPrecision(4))));
    }
    if (!sensor.known) {
      sensor.known = true;
      for (const name of sensor.classes) {
        const topic = this.#topics.class(device.kid, sensor.kid, name);
        if (this.#retained.get(topic) === UNKNOWN) this.#retained.set(topic, 'OFF');
      }
    }
    if (label.results.kind === 'reconstruction' || label.results.kind === 'tensor') return;
    let top: { class: string; index: number; score: number } | undefined;
    for (const each of detectionsOf(label)) if (top === undefined || each.score > top.score) top = each;
    this.#retained.set(of('top'), top === undefined ? 'nothing' : shortened(nameOf(top)));
    this.#retained.set(of('score'), String(Math.round(100 * (top?.score ?? 0))));
  }

  #onSeen(event: SeenEvent): void {
    this.#setClass(event, event.phase === 'end' ? 'OFF' : 'ON');
    const { to } = this.options;
    // Stale news is none: events are not kept for a broker that is away, and not retained.
    if (!to.connected) return;
    const { id, score, count, labels, box, start, last } = event;
    const payload = {
      event_type: event.phase,
      id,
      class: event.class,
      score: Number(score.toFixed(3)),
      count,
      labels,
      ...(box === undefined ? {} : { box }),
      start: new Date(start).toISOString(),
      last: new Date(last).toISOString(),
    };
    const topic = this.#topics.ofSensor(kidToHex(event.device.kid), kidToHex(event.sensor.kid), 'event');
    to.publish(topic, JSON.stringify(payload)).catch(() => undefined);
  }

  #setClass(event: SeenEvent, state: 'ON' | 'OFF'): void {
    const device = this.#devices.get(kidToHex(event.device.kid));
    const sensor = device?.sensors.get(kidToHex(event.sensor.kid));
    if (device === undefined || sensor === undefined) return;
    if (!sensor.classes.has(event.class)) {
      if (this.options.classes !== undefined || sensor.classes.size >= MOST_CLASSES) return;
      sensor.classes.add(event.class);
      this.#announceSensor(device, sensor);
    }
    this.#retained.set(this.#topics.class(device.kid, sensor.kid, event.class), state);
  }

  #onGap(kid: string, missed: number): void {
    const device = this.#devices.get(kid);
    if (device === undefined) return;
    device.missed += missed;
    this.#retained.set(this.#topics.ofDevice(kid, 'missed'), String(device.missed));
  }

  #onHomeAssistant({ payload, retained }: LinkMessage): void {
    // Retained, it is from before this connection, at whose start everything is sent anyway.
    if (retained || Buffer.from(payload).toString() !== 'online') return;
    this.emit('birth');
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        this.#retained.again();
      },
      Math.random() * (this.options.birthDelay ?? 500),
    );
    this.#timers.add(timer);
  }

  #publishModel(device: BridgedDevice): void {
    const now = this.options.rules.devices.find(({ prefix }) => prefix === device.prefix)?.model ?? 0;
    const latest = Math.max(now, this.options.installer?.sequence ?? 0);
    const { installing } = device;
    this.#retained.set(
      this.#topics.update(device.kid),
      JSON.stringify({
        installed_version: now === 0 ? 'none' : String(now),
        latest_version: latest === 0 ? 'none' : String(latest),
        title: 'Model',
        in_progress: installing !== undefined,
        update_percentage: installing === undefined ? null : Math.round(100 * installing),
      }),
    );
  }

  #acceptInstalls(device: BridgedDevice): void {
    const { installer, to } = this.options;
    if (installer === undefined) return;
    const onCommand = ({ payload, retained }: LinkMessage): void => {
      // A retained command would install at every start.
      if (retained || device.installing !== undefined || Buffer.from(payload).toString() !== INSTALL) return;
      void this.#install(device, installer);
    };
    to.subscribe(this.#topics.install(device.kid), onCommand).then(
      (unsubscribe) => (device.unsubscribe = unsubscribe),
      (error: Error) => this.emit('failed', error),
    );
  }

  async #install(device: BridgedDevice, installer: ModelInstaller): Promise<void> {
    const progress = (fraction: number): void => {
      device.installing = Math.min(1, Math.max(0, fraction));
      this.#publishModel(device);
    };
    progress(0);
    try {
      await installer.install(device.prefix, progress);
    } catch (error) {
      this.emit('failed', error instanceof Error ? error : new Error(String(error)));
    } finally {
      device.installing = undefined;
      this.#publishModel(device);
    }
  }
}

function nameOf({ class: name, index }: { class: string; index: number }): string {
  return name === '' ? `class ${index}` : name;
}

const kidOf = ({ signingKey }: { readonly signingKey: Uint8Array }): string =>
  kidToHex(signingKid(signingKey));

function sensorsOf(roster: Roster): Map<string, string> {
  const sensors = roster.members.filter(({ role }) => role === 'sensor');
  return new Map(sensors.map((each) => [kidOf(each), each.name]));
}
