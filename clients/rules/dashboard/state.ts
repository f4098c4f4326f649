import { kidToHex } from '../../../protocol/kid.js';
import { levelMeaning, levelName } from '../../owner/security-level.js';
import type { Rules } from '../rules.js';
import type { LabelEvent } from '../label-event.js';
import type { RuleEdge } from '../rule-engine.js';
import { detectionsOf, partyKey, type RulesEventOf, type RulesEventType } from '../rules-event.js';

/** What the page shows; JSON. Times are milliseconds since 1970 by this host's clock. */
export interface Snapshot {
  readonly now: number;
  readonly connected: boolean;
  readonly devices: readonly {
    readonly name: string;
    readonly state: string;
    readonly level: string;
    readonly meaning: string;
    readonly behind: boolean;
    /** Newest first. */
    readonly models: readonly { readonly time: number; readonly to: number }[];
  }[];
  readonly sensors: readonly {
    readonly name: string;
    readonly device: string;
    readonly total: number;
    readonly missed: number;
    readonly last: string;
    /** Of the last minute. */
    readonly labels: readonly { readonly time: number; readonly score: number }[];
    readonly gaps: readonly number[];
  }[];
  readonly latency: {
    /** Upper bounds in milliseconds; `counts` has one more, for what took longer. */
    readonly edges: readonly number[];
    readonly counts: readonly number[];
    readonly median?: number;
    readonly p95?: number;
  };
  readonly hasRules: boolean;
  readonly rules: readonly { readonly time: number; readonly rule: string; readonly on: boolean }[];
  /** As they went over the broker, newest first. */
  readonly wire: readonly { readonly topic: string; readonly size: number; readonly hex: string }[];
  readonly known: readonly { readonly time: number; readonly sensor: string; readonly text: string }[];
}

const EDGES = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000];
const MINUTE = 60_000;
/** Bounds on what is kept and sent: a page is looked at, not searched. */
const MOST = {
  lines: 40,
  sensors: 64,
  labels: 240,
  gaps: 60,
  models: 5,
  latencies: 1000,
  text: 120,
  hex: 32,
};

interface SensorState {
  name: string;
  readonly device: string;
  total: number;
  missed: number;
  last: string;
  labels: { time: number; score: number }[];
  gaps: number[];
}

/** Keeps the last of everything, in bounded memory. */
export class DashboardState {
  readonly #sensors = new Map<string, SensorState>();
  readonly #models = new Map<string, { time: number; to: number }[]>();
  readonly #wire: Snapshot['wire'][number][] = [];
  readonly #known: Snapshot['known'][number][] = [];
  readonly #fired: Snapshot['rules'][number][] = [];
  readonly #latencies: number[] = [];
  readonly #undo: (() => void)[] = [];

  /** @param changed called after every change: often */
  constructor(
    private readonly rules: Rules,
    private readonly changed: () => void,
    private readonly hasRules = false,
    private readonly clock: () => number = Date.now,
  ) {
    this.#listen('label', ({ label }) => this.#onLabel(label));
    this.#listen('gap', ({ device, sensor, missed }) => {
      const state = this.#sensor(device, sensor);
      state.missed += missed;
      push(state.gaps, this.clock(), MOST.gaps);
    });
    this.#listen('model', ({ device, to }) => {
      const models = this.#models.get(kidToHex(device.kid)) ?? [];
      this.#models.set(kidToHex(device.kid), models);
      // What was told before we listened may be told again.
      if (models[0]?.to !== to) unshift(models, { time: this.clock(), to }, MOST.models);
    });
    this.#listen('device', () => undefined);
    this.#listen('connection', () => undefined);
    for (const { device, model } of rules.devices)
      if (device !== undefined && model !== undefined)
        this.#models.set(kidToHex(device.kid), [{ time: this.clock(), to: model }]);
  }

  /** A message as the broker carried it. */
  sawMessage(topic: string, payload: Uint8Array): void {
    const start = Buffer.from(payload.subarray(0, MOST.hex)).toString('hex');
    const hex = payload.length > MOST.hex ? `${start}…` : start;
    unshift(this.#wire, { topic: cut(topic), size: payload.length, hex }, MOST.lines);
    this.changed();
  }

  ruleFired({ rule, state }: Pick<RuleEdge, 'rule' | 'state'>): void {
    unshift(this.#fired, { time: this.clock(), rule: cut(rule.name), on: state === 'on' }, MOST.lines);
    this.changed();
  }

  snapshot(): Snapshot {
    const now = this.clock();
    const sorted = [...this.#latencies].sort((a, b) => a - b);
    const quantile = (share: number): number | undefined =>
      sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))];
    const [median, p95] = [quantile(0.5), quantile(0.95)];
    return {
      now,
      connected: this.rules.link.connected,
      devices: this.rules.devices.map(({ prefix, device, state, securityLevel, behind }) => ({
        name: cut(device?.name ?? prefix),
        state: device === undefined ? `${state}, and is not verified yet` : state,
        level: securityLevel === undefined ? 'unknown' : levelName(securityLevel),
        meaning: securityLevel === undefined ? '' : levelMeaning(securityLevel),
        behind: behind === true,
        models: (device === undefined ? undefined : this.#models.get(kidToHex(device.kid))) ?? [],
      })),
      sensors: [...this.#sensors.values()].map((sensor) => ({
        ...sensor,
        labels: sensor.labels.filter(({ time }) => time > now - MINUTE),
        gaps: sensor.gaps.filter((time) => time > now - MINUTE),
      })),
      latency: {
        edges: EDGES,
        counts: countIn(EDGES, this.#latencies),
        ...(median === undefined || p95 === undefined ? {} : { median, p95 }),
      },
      hasRules: this.hasRules,
      rules: this.#fired,
      wire: this.#wire,
      known: this.#known,
    };
  }

  close(): void {
    for (const undo of this.#undo.splice(0)) undo();
  }

  #listen<T extends RulesEventType>(type: T, listener: (event: RulesEventOf<T>) => void): void {
    const heard = (event: RulesEventOf<T>): void => {
      listener(event);
      this.changed();
    };
    this.rules.on(type, heard);
    this.#undo.push(() => this.rules.off(type, heard));
  }

  #sensor(device: LabelEvent['device'], { kid, name }: LabelEvent['sensor']): SensorState {
    const key = partyKey(device.kid, kid);
    let state = this.#sensors.get(key);
    if (state === undefined) {
      state = { name, device: cut(device.name), total: 0, missed: 0, last: '', labels: [], gaps: [] };
      this.#sensors.set(key, state);
      const [oldest] = this.#sensors.keys();
      if (this.#sensors.size > MOST.sensors && oldest !== undefined) this.#sensors.delete(oldest);
    }
    state.name = cut(name);
    return state;
  }

  #onLabel(label: LabelEvent): void {
    const sensor = this.#sensor(label.device, label.sensor);
    const text = cut(describe(label));
    sensor.total++;
    sensor.last = text;
    const score = Math.max(0, ...detectionsOf(label).map((each) => each.score));
    push(sensor.labels, { time: label.received, score: Math.min(1, score) }, MOST.labels);
    push(this.#latencies, Math.max(0, label.received - label.sensorTime), MOST.latencies);
    unshift(this.#known, { time: label.received, sensor: sensor.name, text }, MOST.lines);
  }
}

/** In words, the best first. */
function describe(label: LabelEvent): string {
  const { results } = label;
  if (results.kind === 'reconstruction') return `reconstruction error ${results.error.toPrecision(4)}`;
  if (results.kind === 'tensor') return `${results.data.length} bytes of tensor`;
  const best = detectionsOf(label).sort((a, b) => b.score - a.score);
  const named = best.map(
    ({ class: name, index, score }) => `${name === '' ? `class ${index}` : name} ${score.toFixed(2)}`,
  );
  return named.slice(0, 3).join(', ') || 'nothing';
}

function countIn(edges: readonly number[], values: readonly number[]): number[] {
  const counts = new Array<number>(edges.length + 1).fill(0);
  for (const value of values) {
    const at = edges.findIndex((edge) => value <= edge);
    const bin = at < 0 ? edges.length : at;
    counts[bin] = (counts[bin] ?? 0) + 1;
  }
  return counts;
}

const cut = (text: string): string => (text.length > MOST.text ? `${text.slice(0, MOST.text)}…` : text);

function push<T>(list: T[], item: T, most: number): void {
  list.push(item);
  if (list.length > most) list.shift();
}

function unshift<T>(list: T[], item: T, most: number): void {
  list.unshift(item);
  if (list.length > most) list.pop();
}
