import { toHex } from '../../protocol/bytes.js';
import type { World } from './world.js';

/** A camera that goes on sending the same picture, and who answered it when. */
export class Camera {
  /** Manifest digest of the model that made a label, and when it was here (performance.now()). */
  readonly labels: { readonly at: number; readonly model: string }[] = [];
  readonly #timer: NodeJS.Timeout;
  readonly #unwatch: () => void;

  constructor(world: Pick<World, 'rules' | 'sensor'>, frame: Uint8Array, everyMs = 100) {
    const { rules, sensor } = world;
    const onLabel = ({ model }: { readonly model: Uint8Array }): void => {
      this.labels.push({ at: performance.now(), model: toHex(model) });
    };
    rules.on('label', onLabel);
    this.#unwatch = () => rules.off('label', onLabel);
    this.#timer = setInterval(() => {
      try {
        sensor.sendFrame(frame);
      } catch {
        // No channel at the moment: the next one tries again.
      }
    }, everyMs);
    // A test that failed before it could stop the camera still ends.
    this.#timer.unref();
  }

  /** The models that made labels since then. */
  models(since = 0): Set<string> {
    return new Set(this.labels.filter(({ at }) => at >= since).map(({ model }) => model));
  }

  /** The longest time without a label of this model between two moments, in milliseconds. */
  longestGap(model: string, from: number, to: number): number {
    const times = this.labels.filter((label) => label.model === model).map(({ at }) => at);
    const inside = [from, ...times.filter((at) => at > from && at < to), to];
    return Math.max(...inside.slice(1).map((at, i) => at - (inside[i] ?? 0)));
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#unwatch();
  }
}
