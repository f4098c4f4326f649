import { classKey, ORIGIN, parseObjectId, type BridgeTopics, type Component } from './entities.js';

/** An announcement that the broker retains from an earlier run. */
export interface Remain {
  readonly id: string;
  readonly device: string;
  readonly sensor?: string;
  /** Made by a bridge of this rules host: its topics are under the same base. */
  readonly ours: boolean;
  readonly components: readonly (readonly [string, Component['p']])[];
  readonly classes: readonly string[];
  readonly error: boolean;
  /** State topics under our base, to be cleared with it. */
  readonly states: readonly string[];
}

const PLATFORMS: ReadonlySet<string> = new Set(['binary_sensor', 'sensor', 'event', 'update']);
/** Far above what a bridge announces; the broker could put anything there. */
const LONGEST = 256 * 1024;
const MOST = 1024;

/** What earlier runs announced. Read with suspicion: whoever may write to that broker could have made it. */
export class Remains {
  readonly #found = new Map<string, Remain>();

  constructor(private readonly topics: BridgeTopics) {}

  all(): Remain[] {
    return [...this.#found.values()];
  }

  find(id: string): Remain | undefined {
    return this.#found.get(id);
  }

  forget(id: string): void {
    this.#found.delete(id);
  }

  /** Keeps an announcement, and returns it where it is one of a Smart Zone bridge. */
  read(topic: string, payload: Uint8Array): Remain | undefined {
    const start = `${this.topics.discovery}/device/`;
    if (!topic.startsWith(start) || !topic.endsWith('/config')) return undefined;
    const id = topic.slice(start.length, -'/config'.length);
    const who = parseObjectId(id);
    if (who === undefined || payload.length === 0 || payload.length > LONGEST) return undefined;
    let found: unknown;
    try {
      found = JSON.parse(Buffer.from(payload).toString());
    } catch {
      return undefined;
    }
    if (!isObject(found) || !isObject(found.o) || found.o.name !== ORIGIN || !isObject(found.cmps))
      return undefined;
    const cmps = Object.entries(found.cmps).filter(
      (entry): entry is [string, Record<string, unknown>] =>
        isObject(entry[1]) && PLATFORMS.has(String(entry[1].p)),
    );
    const under = `${this.topics.base}/`;
    const topicsOf = cmps
      .map(([, component]) => component.state_topic)
      .filter((each): each is string => typeof each === 'string' && each.startsWith(under))
      .filter((each) => !/[+#\0]/.test(each));
    const remain: Remain = {
      id,
      ...who,
      ours: topicsOf.length > 0,
      components: cmps.map(([key, { p }]) => [key, p as Component['p']]),
      classes: cmps
        .filter(([key, { p, name }]) => p === 'binary_sensor' && key === `class_${classKey(String(name))}`)
        .map(([, { name }]) => String(name)),
      error: cmps.some(([key]) => key === 'error'),
      states: topicsOf,
    };
    if (this.#found.size >= MOST && !this.#found.has(id)) return undefined;
    this.#found.set(id, remain);
    return remain;
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
