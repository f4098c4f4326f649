/** Frames of a zone that no device has labelled. */

/** What is known of one channel. */
interface Channel {
  highest: number;
  /** Numbers below it without a label, and when that showed. */
  readonly missing: Map<number, number>;
}

/** Beyond this a jump is counted at once, not number by number. */
const MOST_MISSING = 1024;
/** Of one sensor: labels of a channel that another has taken the place of may still be under way. */
const REMEMBERED_CHANNELS = 4;

/**
 * Which numbers of a zone's channels stay without a label. The devices answer in no common order, and a frame that was lost with one
 * of them goes to another some seconds later: a number is missing only when its label could not be acted on any more. When a sensor
 * begins a channel it seals again what had no receipt, so that what is missing in the one before says nothing.
 */
export class ZoneGaps {
  private readonly sensors = new Map<string, Map<string, Channel>>();

  /** @param patience milliseconds until a number counts as missing: the age at which labels go stale */
  constructor(private readonly patience: number) {}

  /** A label was acted on. Returns how many are missing for certain by that. */
  labelled(sensor: string, channel: string, number: number, now: number): number {
    const channels = this.sensors.get(sensor) ?? new Map<string, Channel>();
    this.sensors.set(sensor, channels);
    const known = channels.get(channel);
    if (known === undefined) {
      for (const { missing } of channels.values()) missing.clear();
      channels.set(channel, { highest: number, missing: new Map() });
      const [oldest] = channels.keys();
      if (channels.size > REMEMBERED_CHANNELS && oldest !== undefined) channels.delete(oldest);
      return 0;
    }
    known.missing.delete(number);
    if (number <= known.highest) return 0;
    const skipped = number - known.highest - 1;
    const from = Math.max(known.highest + 1, number - MOST_MISSING);
    if ([...channels.keys()].at(-1) === channel)
      for (let each = from; each < number; each++) known.missing.set(each, now);
    known.highest = number;
    return Math.max(0, skipped - MOST_MISSING);
  }

  /** Takes out what has waited long enough: by sensor, how many. */
  due(now: number): ReadonlyMap<string, number> {
    const due = new Map<string, number>();
    for (const [sensor, channels] of this.sensors)
      for (const { missing } of channels.values())
        for (const [number, since] of missing) {
          if (now - since < this.patience) continue;
          missing.delete(number);
          due.set(sensor, (due.get(sensor) ?? 0) + 1);
        }
    return due;
  }
}
