import { toHex } from '../../protocol/bytes.js';

/** Where a frame was last sealed: the number it has in that channel. */
export interface Sealing {
  readonly channel: Uint8Array;
  readonly number: number;
  /** As it was sent; empty where it is never sent again as it is. */
  record: Uint8Array;
  /** When it was sent last, milliseconds. */
  sentAt: number;
}

/** A frame that no receipt covers yet. */
export interface QueuedFrame<T> {
  /** Kept when the frame is sealed again: by it rules hosts know a repeat. */
  readonly id: Uint8Array;
  /** When the picture was taken, milliseconds since 1970. */
  readonly time: number;
  readonly frame: T;
  /** Undefined: to be sealed, for the first time or again. */
  sealing: Sealing | undefined;
  /** Times it was sealed or sent. */
  attempts: number;
  /** The device took later frames and not this one: it waits to be sealed under another number. */
  lost: boolean;
}

export type DropReason = 'overflow' | 'too-old' | 'shape' | 'unanswered' | 'closed';

export interface Dropped<T> {
  readonly reason: DropReason;
  readonly frame: QueuedFrame<T>;
}

/**
 * The frames that the device has not receipted, oldest first, bounded: when it is full the oldest goes, because a newer
 * picture says more about now. Frames leave when a receipt covers them.
 */
export class FrameQueue<T> {
  private frames: QueuedFrame<T>[] = [];

  /** @param capacity in frames, at least 1 */
  constructor(readonly capacity: number) {
    if (!Number.isInteger(capacity) || capacity < 1) throw new RangeError('a queue holds at least one frame');
  }

  get length(): number {
    return this.frames.length;
  }

  /** Adds a frame, and returns the oldest if that had to go. */
  push(id: Uint8Array, time: number, frame: T): Dropped<T> | undefined {
    const oldest = this.frames.length >= this.capacity ? this.frames.shift() : undefined;
    this.frames.push({ id, time, frame, sealing: undefined, attempts: 0, lost: false });
    return oldest === undefined ? undefined : { reason: 'overflow', frame: oldest };
  }

  /**
   * The frame that is to be sealed next: the oldest, but one that was lost only after all others, and only while fewer than `most`
   * wait for a receipt. A device that cannot keep up is not asked to take again what it let go.
   */
  nextUnsealed(most = Infinity): QueuedFrame<T> | undefined {
    const unsealed = this.frames.filter(({ sealing }) => sealing === undefined);
    const fresh = unsealed.find(({ lost }) => !lost);
    return fresh ?? (this.outstanding() < most ? unsealed[0] : undefined);
  }

  /** Frames that are sealed and wait for their receipt. */
  outstanding(): number {
    return this.frames.reduce((sum, frame) => sum + (frame.sealing === undefined ? 0 : 1), 0);
  }

  /** Those frames, oldest first. */
  sealed(): readonly QueuedFrame<T>[] {
    return this.frames.filter(({ sealing }) => sealing !== undefined);
  }

  /** Takes out what a receipt covers of what was sealed in `channel`. */
  receipted(channel: Uint8Array, covers: (number: number) => boolean): QueuedFrame<T>[] {
    const name = toHex(channel);
    return this.take(
      ({ sealing }) => sealing !== undefined && toHex(sealing.channel) === name && covers(sealing.number),
    );
  }

  /** Takes the sealing from what was sealed in `channel` under numbers that `lost` holds for. Call `receipted` first. */
  unsealLost(channel: Uint8Array, lost: (number: number) => boolean): void {
    const name = toHex(channel);
    for (const frame of this.sealed()) {
      const { sealing } = frame;
      if (sealing === undefined || toHex(sealing.channel) !== name || !lost(sealing.number)) continue;
      frame.sealing = undefined;
      frame.lost = true;
    }
  }

  /** The channel is gone (new boot, new offer): everything is to be sealed again, in the same order. */
  unsealAll(): void {
    for (const frame of this.frames) {
      frame.sealing = undefined;
      frame.lost = false;
    }
  }

  /** Takes out the frames that `condition` holds for. */
  drop(reason: DropReason, condition: (frame: QueuedFrame<T>) => boolean): Dropped<T>[] {
    return this.take(condition).map((frame) => ({ reason, frame }));
  }

  private take(condition: (frame: QueuedFrame<T>) => boolean): QueuedFrame<T>[] {
    const taken = this.frames.filter(condition);
    if (taken.length > 0) this.frames = this.frames.filter((frame) => !taken.includes(frame));
    return taken;
  }
}
