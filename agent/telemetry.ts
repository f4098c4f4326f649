import { encodeAgentCounters } from '../protocol/messages/telemetry.js';

export type Stage = 'queue' | 'tee' | 'publish';

const MOST_BYTES = 2048;

/** Counters and stage latencies of this process: into sealed telemetry, the state topic and /metrics. Never per label. */
export class Counters {
  readonly #counts = new Map<string, number>();
  readonly #stages = new Map<Stage, { totalMs: number; count: number; maxMs: number }>();

  add(name: string, by = 1): void {
    this.#counts.set(name, (this.#counts.get(name) ?? 0) + by);
  }

  get(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  /** A frame that gets no label, and why: a code of protocol/codes.json, or overload, too_long, refused_by_broker. */
  lost(reason: string): void {
    this.add('frames_lost');
    this.add(`frames_lost_${reason.toLowerCase()}`);
  }

  /** Time that one frame spent in a stage. */
  stage(name: Stage, ms: number): void {
    const { totalMs, count, maxMs } = this.#stages.get(name) ?? { totalMs: 0, count: 0, maxMs: 0 };
    this.#stages.set(name, { totalMs: totalMs + ms, count: count + 1, maxMs: Math.max(maxMs, ms) });
  }

  get counts(): ReadonlyMap<string, number> {
    return this.#counts;
  }

  get stages(): ReadonlyMap<
    Stage,
    { readonly totalMs: number; readonly count: number; readonly maxMs: number }
  > {
    return this.#stages;
  }

  /**
   * The CBOR map that the TELEMETRY command takes: text to unsigned integers, as much as fits (the TA takes 2 KiB). Counters by
   * code come last: there may be many, and their sums are in anyway.
   */
  encode(): Uint8Array {
    const all = this.#everything();
    const byCode = (name: string): number => (/_(lost|refused)_/.test(name) ? 1 : 0);
    const entries = [...all].sort(([a], [b]) => byCode(a) - byCode(b));
    for (;;) {
      const encoded = encodeAgentCounters(new Map(entries));
      if (encoded.length <= MOST_BYTES) return encoded;
      entries.pop();
    }
  }

  #everything(): Map<string, number> {
    const map = new Map<string, number>(this.#counts);
    for (const [name, { totalMs, count, maxMs }] of this.#stages) {
      map.set(`${name}_us_total`, Math.round(totalMs * 1000));
      map.set(`${name}_us_max`, Math.round(maxMs * 1000));
      map.set(`${name}_count`, count);
    }
    return map;
  }
}
