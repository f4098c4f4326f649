import type { LabelEvent } from '../label-event.js';
import { detectionsOf, type SeenEvent } from '../rules-event.js';
import type { Announcer } from './announcer.js';
import { announceSensor, sensorId, shortened, UNKNOWN, type BridgeTopics } from './entities.js';
import type { Remain } from './remains.js';
import type { RetainedTopics } from './retained-topics.js';

const MOST_CLASSES = 32;

export interface SensorSurroundings {
  readonly topics: BridgeTopics;
  readonly retained: RetainedTopics;
  readonly announcer: Announcer;
  /** Classes that become binary sensors; undefined: each that is seen. */
  readonly wanted: readonly string[] | undefined;
}

/** The entities of one sensor behind one device, and their states. */
export class BridgedSensor {
  readonly #classes: Set<string>;
  #error: boolean;
  /** A label came since the bridge started: "not seen" is known, not guessed. */
  #known = false;

  /** @param remain what an earlier run announced: those classes stay that are still wanted */
  constructor(
    private readonly surroundings: SensorSurroundings,
    readonly device: string,
    readonly kid: string,
    private name: string,
    remain: Remain | undefined,
  ) {
    const classes = surroundings.wanted ?? remain?.classes.slice(0, MOST_CLASSES) ?? [];
    this.#classes = new Set(classes);
    this.#error = remain?.error === true;
    this.#announce();
  }

  get id(): string {
    return sensorId(this.device, this.kid);
  }

  /** Topics of all its states. */
  get states(): string[] {
    return [
      this.#topic('top'),
      this.#topic('score'),
      ...(this.#error ? [this.#topic('error')] : []),
      ...[...this.#classes].map((name) => this.#ofClass(name)),
    ];
  }

  /** The owner's roster can give it another name. */
  rename(name: string): void {
    if (name === this.name) return;
    this.name = name;
    this.#announce();
  }

  apply(label: LabelEvent): void {
    const { retained } = this.surroundings;
    if (label.results.kind === 'reconstruction') {
      if (!this.#error) {
        this.#error = true;
        this.#announce();
      }
      retained.set(this.#topic('error'), String(Number(label.results.error.toPrecision(4))));
    }
    if (!this.#known) {
      this.#known = true;
      for (const name of this.#classes)
        if (retained.get(this.#ofClass(name)) === UNKNOWN) retained.set(this.#ofClass(name), 'OFF');
    }
    if (label.results.kind === 'reconstruction' || label.results.kind === 'tensor') return;
    let top: { class: string; index: number; score: number } | undefined;
    for (const each of detectionsOf(label)) if (top === undefined || each.score > top.score) top = each;
    retained.set(this.#topic('top'), top === undefined ? 'nothing' : shortened(nameOf(top)));
    retained.set(this.#topic('score'), String(Math.round(100 * (top?.score ?? 0))));
  }

  setClass({ class: name }: SeenEvent, state: 'ON' | 'OFF'): void {
    if (!this.#classes.has(name)) {
      if (this.surroundings.wanted !== undefined || this.#classes.size >= MOST_CLASSES) return;
      this.#classes.add(name);
      this.#announce();
    }
    this.surroundings.retained.set(this.#ofClass(name), state);
  }

  #announce(): void {
    const { announcer, topics, retained } = this.surroundings;
    const { device, kid, name } = this;
    announcer.announce(
      this.id,
      announceSensor(topics, { device, kid, name, classes: this.#classes, error: this.#error }),
    );
    for (const topic of this.states) if (retained.get(topic) === undefined) retained.set(topic, UNKNOWN);
  }

  #topic(what: 'top' | 'score' | 'error'): string {
    return this.surroundings.topics.ofSensor(this.device, this.kid, what);
  }

  #ofClass(name: string): string {
    return this.surroundings.topics.class(this.device, this.kid, name);
  }
}

function nameOf({ class: name, index }: { class: string; index: number }): string {
  return name === '' ? `class ${index}` : name;
}
