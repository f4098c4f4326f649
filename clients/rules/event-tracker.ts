import { randomUUID } from 'node:crypto';
import type { LabelEvent } from './label-event.js';
import { detectionsOf, partyKey, type DetectionEvent, type SeenEvent } from './rules-event.js';
import type { RuleClock } from './timers.js';

export interface TrackerOptions {
  /** Least score that counts as seen. Default 0.5. */
  readonly score?: number;
  /** Milliseconds without a detection after which an event ends. Default 10 000. */
  readonly quiet?: number;
  /** Events open at once; beyond it the one seen longest ago ends. Bounds memory: class names come from strangers. Default 1024. */
  readonly most?: number;
}

/** A score must rise by this much to be worth an update. */
const BETTER = 0.05;

interface Open {
  seen: SeenEvent;
  /** The score that was told last. */
  told: number;
  /** By the host's clock. */
  until: number;
}

/** Groups detections into events. One class at one sensor has one event at a time. */
export class EventTracker {
  // In order of the last detection: the first is the first to end.
  readonly #open = new Map<string, Open>();
  readonly #score: number;
  readonly #quiet: number;
  readonly #most: number;
  #timer: unknown;

  constructor(
    private readonly clock: RuleClock,
    private readonly tell: (event: SeenEvent) => void,
    { score = 0.5, quiet = 10_000, most = 1024 }: TrackerOptions = {},
  ) {
    this.#score = score;
    this.#quiet = quiet;
    this.#most = most;
  }

  get open(): readonly SeenEvent[] {
    return [...this.#open.values()].map(({ seen }) => seen);
  }

  apply(label: LabelEvent): void {
    this.#endDue();
    const groups = new Map<string, DetectionEvent[]>();
    for (const detection of detectionsOf(label)) {
      if (!(detection.score >= this.#score)) continue;
      const { class: name, index } = detection;
      const key = partyKey(label.device.kid, label.sensor.kid, name === '' ? `#${index}` : `=${name}`);
      const group = groups.get(key);
      if (group === undefined) groups.set(key, [detection]);
      else group.push(detection);
    }
    for (const [key, group] of groups) this.#see(key, group, label);
    this.#arm();
  }

  /** Ends what is open: nobody would do it later. */
  close(): void {
    this.clock.clear(this.#timer);
    for (const key of [...this.#open.keys()]) this.#end(key);
  }

  #see(key: string, group: readonly DetectionEvent[], label: LabelEvent): void {
    const best = group.reduce((a, b) => (b.score > a.score ? b : a));
    const known = this.#open.get(key);
    this.#open.delete(key);
    const before = known?.seen;
    const better = before === undefined || best.score > before.score;
    const box = better ? best.box : before.box;
    const seen: SeenEvent = {
      type: 'event',
      phase: before === undefined ? 'new' : 'update',
      id: before?.id ?? randomUUID(),
      device: label.device,
      sensor: label.sensor,
      class: best.class === '' ? `class ${best.index}` : best.class,
      score: better ? best.score : before.score,
      ...(box === undefined ? {} : { box }),
      count: group.length,
      labels: (before?.labels ?? 0) + 1,
      start: before?.start ?? label.sensorTime,
      last: Math.max(before?.last ?? 0, label.sensorTime),
    };
    const tell = known === undefined || seen.count !== known.seen.count || seen.score >= known.told + BETTER;
    const until = this.clock.now() + this.#quiet;
    this.#open.set(key, { seen, told: tell ? seen.score : known.told, until });
    if (tell) this.tell(seen);
    if (this.#open.size > this.#most) this.#end(this.#open.keys().next().value as string);
  }

  #endDue(): void {
    const now = this.clock.now();
    for (const [key, { until }] of this.#open) {
      if (until > now) break;
      this.#end(key);
    }
  }

  #end(key: string): void {
    const open = this.#open.get(key);
    this.#open.delete(key);
    if (open !== undefined) this.tell({ ...open.seen, phase: 'end' });
  }

  /** One timer, for the event that ends next; it is not moved with every label. */
  #arm(): void {
    if (this.#timer !== undefined) return;
    const next = this.#open.values().next().value;
    if (next === undefined) return;
    this.#timer = this.clock.set(
      () => {
        this.#timer = undefined;
        this.#endDue();
        this.#arm();
      },
      Math.max(1, next.until - this.clock.now()),
    );
  }
}
