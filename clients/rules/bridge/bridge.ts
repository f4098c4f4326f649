import { EventEmitter } from 'node:events';
import { signingKid, kidToHex } from '../../../protocol/kid.js';
import { levelName } from '../../owner/security-level.js';
import type { LinkMessage } from '../../link/index.js';
import type { LabelEvent } from '../label-event.js';
import type { DeviceEvent, RulesEventOf, RulesEventType, SeenEvent } from '../rules-event.js';
import type { Roster } from '../../../protocol/messages/roster.js';
import { Announcer } from './announcer.js';
import { BridgedSensor, type SensorSurroundings } from './bridged-sensor.js';
import { announceDevice, BridgeTopics, deviceId, sensorId, UNKNOWN } from './entities.js';
import { ModelUpdates } from './model-updates.js';
import type { BridgeEvents, BridgeOptions } from './options.js';
import { Remains, type Remain } from './remains.js';
import { RetainedTopics } from './retained-topics.js';

interface BridgedDevice {
  readonly kid: string;
  readonly prefix: string;
  readonly sensors: Map<string, BridgedSensor>;
  missed: number;
}

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
  readonly #announcer: Announcer;
  readonly #models: ModelUpdates;
  readonly #sensors: SensorSurroundings;
  readonly #undo: (() => unknown)[] = [];
  readonly #timers = new Set<NodeJS.Timeout>();
  /** What is told before whoever awaited `open` has listeners. */
  #early: (() => void)[] | undefined = [];
  #connected: boolean;
  #closed = false;

  private constructor(private readonly options: BridgeOptions) {
    super();
    this.#topics = new BridgeTopics(options.base, options.discovery ?? 'homeassistant');
    this.#retained = new RetainedTopics(options.to);
    this.#remains = new Remains(this.#topics);
    const { to, installer, classes: wanted } = options;
    this.#announcer = new Announcer(this.#topics, this.#retained, this.#remains, to, (event, what) =>
      this.#tell(() => this.emit(event, what)),
    );
    this.#models = new ModelUpdates(this.#topics, this.#retained, to, installer, (error) =>
      this.#tell(() => this.emit('failed', error)),
    );
    this.#sensors = { topics: this.#topics, retained: this.#retained, announcer: this.#announcer, wanted };
    this.#connected = options.rules.link.connected;
  }

  /**
   * Resolves when what was announced before is read, and the bridge announces and follows from here on. Attach listeners right after
   * that: events that come before are kept until the next turn of the event loop.
   */
  static async open(options: BridgeOptions): Promise<HomeAssistantBridge> {
    const bridge = new HomeAssistantBridge(options);
    await bridge.#start();
    setImmediate(() => bridge.#flush());
    return bridge;
  }

  /** The installer has another package than before. */
  modelsChanged(): void {
    this.#models.changed();
  }

  /** Says that the bridge goes, and stops. An install that is under way is given up. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    for (const undo of this.#undo.splice(0)) await undo();
    for (const timer of this.#timers) clearTimeout(timer);
    await this.#models.close();
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

  #tell(emit: () => void): void {
    if (this.#early === undefined) emit();
    else this.#early.push(emit);
  }

  #flush(): void {
    const early = this.#early ?? [];
    this.#early = undefined;
    for (const emit of early) emit();
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
      this.#announcer.remove(sensorId(remain.device, remain.sensor), remain.states);
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
        if (remain.ours && !all.has(remain.device)) this.#announcer.remove(remain.id, remain.states);
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
      device = { kid, prefix: event.prefix, sensors: new Map(), missed: 0 };
      this.#devices.set(kid, device);
    }
    this.#announcer.announce(
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
    this.#models.show(event);
    if (client?.roster !== undefined) this.#updateSensors(device, client.roster);
    const serving = event.state === 'online' || event.state === 'degraded';
    this.#retained.set(this.#topics.deviceStatus(kid), this.#connected && serving ? 'online' : 'offline');
  }

  #updateSensors(device: BridgedDevice, roster: Roster): void {
    const members = sensorsOf(roster);
    for (const [kid, sensor] of device.sensors) {
      if (members.has(kid)) continue;
      device.sensors.delete(kid);
      this.#announcer.remove(sensor.id, sensor.states);
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
    before?.rename(name);
    if (before !== undefined) return before;
    const remain = this.#remains.find(sensorId(device.kid, kid));
    const sensor = new BridgedSensor(this.#sensors, device.kid, kid, name, remain);
    device.sensors.set(kid, sensor);
    return sensor;
  }

  #removeDevice(device: BridgedDevice): void {
    this.#devices.delete(device.kid);
    this.#models.forget(device.kid);
    for (const sensor of device.sensors.values()) this.#announcer.remove(sensor.id, sensor.states);
    this.#announcer.remove(deviceId(device.kid), [
      this.#topics.update(device.kid),
      this.#topics.ofDevice(device.kid, 'security_level'),
      this.#topics.ofDevice(device.kid, 'missed'),
      this.#topics.deviceStatus(device.kid),
    ]);
  }

  #onLabel(label: LabelEvent): void {
    const device = this.#devices.get(kidToHex(label.device.kid));
    if (device !== undefined)
      this.#putSensor(device, kidToHex(label.sensor.kid), label.sensor.name).apply(label);
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
    device?.sensors.get(kidToHex(event.sensor.kid))?.setClass(event, state);
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
    this.#tell(() => this.emit('birth'));
    const timer = setTimeout(
      () => {
        this.#timers.delete(timer);
        this.#retained.again();
      },
      Math.random() * (this.options.birthDelay ?? 500),
    );
    this.#timers.add(timer);
  }
}

const kidOf = ({ signingKey }: { readonly signingKey: Uint8Array }): string =>
  kidToHex(signingKid(signingKey));

function sensorsOf(roster: Roster): Map<string, string> {
  const sensors = roster.members.filter(({ role }) => role === 'sensor');
  return new Map(sensors.map((each) => [kidOf(each), each.name]));
}
