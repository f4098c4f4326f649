/** Where a zone's frame came from, and can go back to. */
export interface FrameSource {
  /** Offers the sensor's channel to the TA again. Returns whether that may have helped. */
  replay(sensor: string): Promise<boolean>;
  /** Gives the frame to another device of the zone. False: it has been handed on too often. */
  handBack(frame: QueuedFrame): boolean;
  receiptTopic(sensor: string): string;
}

/** A sealed frame that waits for the TEE. */
export interface QueuedFrame {
  /** kid in the topic: who claims to have sent it. Only the TA knows whether that is true. */
  readonly sensor: string;
  readonly record: Buffer;
  /** Milliseconds of a monotonic clock. */
  readonly arrived: number;
  readonly connection: number;
  /** Undefined: it came on the device's own topics. */
  readonly zone?: FrameSource;
  acknowledge(): void;
}

/**
 * Bounded, first in first out. When it is full the oldest frame goes: what a camera saw last is what matters. The dropped
 * frame is acknowledged, otherwise the broker would keep sending what nobody wants to work on.
 */
export class FrameQueue {
  #frames: QueuedFrame[] = [];
  #taker: ((frame: QueuedFrame | undefined) => void) | undefined;
  #closed = false;

  constructor(
    private depth: number,
    private readonly onDrop: (frame: QueuedFrame) => void,
  ) {}

  get length(): number {
    return this.#frames.length;
  }

  /** A smaller depth drops at once what is too much. */
  setDepth(depth: number): void {
    this.depth = depth;
    this.#shed();
  }

  /** After close() frames are left to the broker, unacknowledged: it keeps them for the next start. */
  push(frame: QueuedFrame): void {
    if (this.#closed) return;
    const taker = this.#taker;
    if (taker) {
      this.#taker = undefined;
      taker(frame);
      return;
    }
    this.#frames.push(frame);
    this.#shed();
  }

  /** The oldest frame; undefined once the queue is closed and empty. One caller at a time. */
  take(): Promise<QueuedFrame | undefined> {
    const frame = this.#frames.shift();
    if (frame || this.#closed) return Promise.resolve(frame);
    return new Promise((resolve) => (this.#taker = resolve));
  }

  /**
   * Removes frames of connections before this one: the broker sends them again. Zones have a connection of their own. Returns how
   * many there were.
   */
  forget(beforeConnection: number, zones = false): number {
    const { length } = this.#frames;
    this.#frames = this.#frames.filter(
      ({ connection, zone }) => (zone !== undefined) !== zones || connection >= beforeConnection,
    );
    return length - this.#frames.length;
  }

  close(): void {
    this.#closed = true;
    this.#taker?.(undefined);
    this.#taker = undefined;
  }

  #shed(): void {
    while (this.#frames.length > this.depth) {
      const oldest = this.#frames.shift();
      if (!oldest) return;
      oldest.acknowledge();
      this.onDrop(oldest);
    }
  }
}
