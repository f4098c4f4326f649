import { RecentFrames } from './recent-frames.js';
import { ZoneGaps } from './zone-gaps.js';

/**
 * What a rules host has acted on, over all devices that may label the same frame: whichever label comes first counts. The clients
 * of one host share it.
 */
export class ActedFrames {
  private readonly recent = new RecentFrames();
  readonly gaps: ZoneGaps;

  /** @param maxAge milliseconds after which a label would be stale */
  constructor(private readonly maxAge = 30_000) {
    this.gaps = new ZoneGaps(maxAge);
  }

  has(...frames: readonly string[]): boolean {
    return frames.some((frame) => this.recent.has(frame));
  }

  /** @param time the sensor's, milliseconds since 1970 */
  add(time: number, ...frames: readonly string[]): void {
    for (const frame of frames) this.recent.add(frame, time);
  }

  forget(now: number): void {
    this.recent.forgetBefore(now - this.maxAge);
  }
}
