/**
 * Frames whose labels were acted on. One is remembered until its label would be refused for its age anyway, so nothing is
 * acted on twice, whatever number a repeat comes under.
 */
export class RecentFrames {
  private readonly times = new Map<string, number>();

  /** @param most a bound on memory; the oldest go first. */
  constructor(private readonly most = 65_536) {}

  has(frame: string): boolean {
    return this.times.has(frame);
  }

  /** @param time the sensor's, milliseconds since 1970 */
  add(frame: string, time: number): void {
    this.times.set(frame, time);
    if (this.times.size > this.most) {
      const [oldest] = this.times.keys();
      if (oldest !== undefined) this.times.delete(oldest);
    }
  }

  /** Forgets frames from before `time`. */
  forgetBefore(time: number): void {
    for (const [frame, taken] of this.times) if (taken < time) this.times.delete(frame);
  }

  get size(): number {
    return this.times.size;
  }
}
