import { EventEmitter } from 'node:events';
import { SmartZoneError } from '../../protocol/errors.js';
import { asChannelId, KID_LENGTH } from '../../protocol/kid.js';
import { encodeFrameChunks, FRAME_ID_LENGTH } from '../../protocol/messages/frame.js';
import { inputBytes, type InputShape } from '../../protocol/messages/input-shape.js';
import { RECEIPT_WINDOW, receiptCovers, type Receipt } from '../../protocol/messages/receipt.js';
import { RecordWriter } from '../../protocol/messages/record.js';
import { systemRandomness, type Randomness } from '../../protocol/randomness.js';
import { Witness } from '../keys/index.js';
import { decodePicture, resizePicture, type Picture } from '../picture/index.js';
import type { TrustedDevice } from '../trust/index.js';
import { describeShape, sameShape, type Destination, type Target } from './destination.js';
import { DeviceDestination } from './device-destination.js';
import { FrameQueue, type Dropped, type QueuedFrame } from './frame-queue.js';
import type { SensorEvents, SensorOptions, SensorStats } from './sensor-options.js';
import { ZoneDestination } from './zone-destination.js';

interface Channel {
  readonly writer: RecordWriter;
  /** Of the target that it was offered to. */
  readonly identity: string;
  readonly inputShape: InputShape;
}

type FrameBody = InputShape & { readonly data: Uint8Array };

/** After so many sealings without a receipt a frame is taken for the cause. */
const MOST_ATTEMPTS = 4;
/** The longest wait for a receipt, in `offerAgainAfter`. */
const MOST_PATIENCE = 4;
const HOUSEKEEPING_INTERVAL = 500;
const NOTHING = new Uint8Array(0);

/**
 * Seals frames for one device, or for the devices of a zone. Waits for a device that the owner's roster vouches for, offers it a channel, and keeps each
 * frame until the device receipted it; after a start of the TA what was not receipted is sealed again.
 */
export class SensorClient extends EventEmitter<SensorEvents> {
  private readonly destination: Destination;
  private readonly witness: Witness;
  private readonly queue: FrameQueue<FrameBody>;
  private readonly random: Randomness;
  private readonly clock: () => number;
  private readonly counts = { frames: 0, sent: 0, receipted: 0, dropped: 0, offers: 0 };
  private channel: Channel | undefined;
  private lastProgress = 0;
  /** In `offerAgainAfter`. It stays when a receipt comes: the next frame will not take less. */
  private patience = 1;
  private underWay = 0;
  private state: 'starting' | 'running' | 'closed' = 'starting';
  private timer: NodeJS.Timeout | undefined;
  private lastOffer: Uint8Array | undefined;
  /** What was not believed last: it may be why there is no device. */
  private refusal: SmartZoneError | undefined;
  private readonly onConnected = (): void => {
    // A broker that was restarted may have lost what it retained; the device takes an equal offer as the same.
    this.publishOffer();
    this.sealAgain();
  };

  private constructor(private readonly options: SensorOptions) {
    super();
    const { keys, owner } = options;
    if (keys.role !== 'sensor')
      throw new SmartZoneError('WRONG_ROLE', `a key for ${keys.role}, not for a sensor`);
    if (owner.role !== 'owner')
      throw new SmartZoneError('WRONG_ROLE', `the public line of a ${owner.role}, not of the owner`);
    this.queue = new FrameQueue(options.queueCapacity ?? 32);
    this.random = options.random ?? systemRandomness;
    this.clock = options.clock ?? Date.now;
    this.witness = Witness.open(options.seenPath, owner.kid);
    this.destination = this.chooseDestination();
  }

  /** Subscribes and starts; resolves before a device is found: see `ready`. */
  static async open(options: SensorOptions): Promise<SensorClient> {
    const client = new SensorClient(options);
    await client.start();
    return client;
  }

  /** The device that frames go to, as far as it is known and trusted. */
  get device(): TrustedDevice | undefined {
    return this.destination.device;
  }

  /** What frames must look like; undefined until the device has said so. */
  get inputShape(): InputShape | undefined {
    return this.destination.inputShape;
  }

  get stats(): SensorStats {
    return { ...this.counts, queued: this.queue.length };
  }

  /**
   * Resolves with the input shape when a channel is offered.
   * @throws TIMED_OUT, UNTRUSTED_DEVICE, UNKNOWN_SENDER, NO_MODEL: what was missing when the time was over
   */
  async ready(timeout = 30_000): Promise<InputShape> {
    if (this.channel !== undefined) return this.channel.inputShape;
    return new Promise((resolve, reject) => {
      const onChannel = ({ inputShape }: { inputShape: InputShape }): void =>
        finish(() => resolve(inputShape));
      const timer = setTimeout(() => finish(() => reject(this.destination.whyNot(this.refusal))), timeout);
      const finish = (then: () => void): void => {
        clearTimeout(timer);
        this.off('channel', onChannel);
        then();
      };
      this.on('channel', onChannel);
    });
  }

  /**
   * Decodes a picture (BMP, JPEG, PNG, WebP), brings it to the device's input size and queues it.
   * @param time when it was taken, milliseconds since 1970; default now
   * @returns the frame's id
   * @throws PICTURE_INVALID; BAD_FRAME where the device takes no pictures; NO_MODEL where it is not known yet what it takes
   */
  async sendPicture(picture: Uint8Array | Picture, time = this.clock()): Promise<Uint8Array> {
    const shape = pictureShape(this.shapeNow());
    const decoded = picture instanceof Uint8Array ? await decodePicture(picture) : picture;
    const { data } = resizePicture(decoded, shape, this.options.fit);
    return this.sendFrame(data, time);
  }

  /**
   * Queues a frame in the device's input format as it is: u8, i8, or f32 little-endian.
   * @param data copied
   * @returns the frame's id
   * @throws BAD_FRAME where the size is not the input's; NO_MODEL where it is not known yet what the device takes
   */
  sendFrame(data: Uint8Array, time = this.clock()): Uint8Array {
    const shape = this.shapeNow();
    if (data.length !== inputBytes(shape))
      throw new SmartZoneError(
        'BAD_FRAME',
        `${data.length} bytes; ${describeShape(shape)} takes ${inputBytes(shape)}`,
      );
    const id = this.random.bytes(FRAME_ID_LENGTH);
    this.counts.frames++;
    const { format, dims } = shape;
    this.report(
      this.queue.push(id, Math.max(0, Math.floor(time)), { format, dims, data: new Uint8Array(data) }),
    );
    this.pump();
    return id;
  }

  /** Resolves when no frame waits any more: each is receipted or dropped. @throws TIMED_OUT */
  async idle(timeout = 30_000): Promise<void> {
    const end = Date.now() + timeout;
    while (this.queue.length > 0) {
      if (Date.now() >= end)
        throw new SmartZoneError('TIMED_OUT', `${this.queue.length} frames without receipt`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }

  /** Stops; what is queued is dropped and reported so. */
  async close(): Promise<void> {
    this.state = 'closed';
    clearInterval(this.timer);
    this.options.link.off('connected', this.onConnected);
    this.report(...this.queue.drop('closed', () => true));
    this.channel = undefined;
    await this.destination.close();
  }

  private chooseDestination(): Destination {
    const { link, prefix, zone, keys, owner } = this.options;
    if ((prefix === undefined) === (zone === undefined))
      throw new SmartZoneError('CONFIG_INVALID', 'a sensor sends to a prefix or to a zone: name one of them');
    return zone === undefined
      ? new DeviceDestination(link, prefix ?? '', keys, owner.signing, this.witness, this.random)
      : new ZoneDestination(link, zone, keys, owner.signing, this.witness, this.random);
  }

  private async start(): Promise<void> {
    this.options.link.on('connected', this.onConnected);
    this.timer = setInterval(() => this.keepHouse(), HOUSEKEEPING_INTERVAL);
    this.timer.unref();
    await this.destination.start({
      device: (device) => this.running && this.emit('device', device),
      changed: () => this.considerOffer(),
      refused: (refusal) => {
        this.refusal = refusal.error;
        this.emit('refused', refusal);
      },
      receipt: (receipt) => this.receiveReceipt(receipt),
      interrupted: () => this.sealAgain(),
    });
    // Whoever awaited `open` attaches listeners first.
    setImmediate(() => {
      this.state = this.state === 'starting' ? 'running' : this.state;
      const { device } = this.destination;
      if (this.running && device !== undefined) this.emit('device', device);
      this.considerOffer();
    });
  }

  private get running(): boolean {
    return this.state === 'running';
  }

  private shapeNow(): InputShape {
    const shape = this.channel?.inputShape ?? this.inputShape;
    if (shape === undefined) throw this.destination.whyNot();
    return shape;
  }

  /** Offers a channel when there is none yet for these boots, prekeys and input. */
  private considerOffer(): void {
    const { target } = this.destination;
    if (!this.running || target === undefined || target.identity === this.channel?.identity) return;
    this.patience = 1;
    this.offer(target);
  }

  private offer(target: Target): void {
    const { keys } = this.options;
    const { inputShape, identity } = target;
    const now = this.clock();
    const channel = asChannelId(this.random.bytes(KID_LENGTH));
    const secret = this.random.bytes(32);
    const offer = target.seal({
      channel,
      secret,
      inputShape,
      counter: this.witness.nextCounter(now),
      ...this.destination.seenRoster,
      modelSequence: target.modelSequence,
      time: Math.floor(now / 1000),
    });
    const context = { purpose: 'frame', device: target.audience, sender: keys.signing.kid } as const;
    const writer = new RecordWriter(secret, context, channel);
    secret.fill(0);
    this.channel = { writer, identity, inputShape };
    this.lastProgress = now;
    this.counts.offers++;
    this.report(...this.queue.drop('shape', ({ frame }) => !sameShape(frame, inputShape)));
    this.queue.unsealAll();
    this.lastOffer = offer;
    this.publishOffer();
    this.emit('channel', { inputShape });
    this.pump();
  }

  private publishOffer(): void {
    if (this.lastOffer === undefined || this.channel === undefined) return;
    const { offerTopic } = this.destination;
    this.options.link.publish(offerTopic, this.lastOffer, { retain: true }).catch(() => undefined);
  }

  /** Seals and sends what may be sent. Frames wait unsealed while the broker is away: the newest are worth most. */
  private pump(): void {
    const { link, window = 8 } = this.options;
    const { channel } = this;
    if (channel === undefined) return;
    for (;;) {
      if (!link.connected || this.underWay >= window) return;
      const next = this.queue.nextUnsealed(window);
      if (next === undefined) return;
      const { id, time, frame } = next;
      const record = channel.writer.seal(encodeFrameChunks({ id, time, ...frame }));
      const number = channel.writer.lastNumber;
      if (this.queue.outstanding() === 0) this.lastProgress = this.clock();
      next.sealing = { channel: channel.writer.channel, number, record, sentAt: 0 };
      next.lost = false;
      this.send(next);
    }
  }

  private send(frame: QueuedFrame<FrameBody>): void {
    const { link, frameExpiry = 30 } = this.options;
    const { sealing } = frame;
    if (sealing === undefined) return;
    const { number, record } = sealing;
    sealing.sentAt = this.clock();
    // What goes to one device comes in order, and is sealed anew where it has to go again.
    if (!this.destination.shared) sealing.record = NOTHING;
    frame.attempts++;
    this.underWay++;
    this.counts.sent++;
    link
      .publish(this.destination.frameTopic, record, { expiry: frameExpiry })
      .catch(() => undefined)
      .finally(() => {
        this.underWay--;
        this.pump();
      });
    this.emit('sent', { frameId: frame.id, number, attempt: frame.attempts, size: record.length });
  }

  /**
   * Broker or agent was away: nobody knows which of the frames that the broker took it has passed on, and in which order. Receipts
   * tell of those before the last one that arrived, but not of the last ones, nor whether a label got through. Frames for a device
   * are sealed again at once, because it would not take an old number behind a higher one; those that did arrive get a second label,
   * which rules hosts drop by the frame's id. To a zone the same record goes again.
   */
  private sealAgain(): void {
    if (this.destination.shared) this.sendAgain(0);
    else this.queue.unsealAll();
    this.pump();
  }

  /** Records that have waited so long for a zone's receipt: the device that was dealt them may be gone. */
  private sendAgain(after: number): void {
    const { link, window = 8 } = this.options;
    const { channel } = this;
    const now = this.clock();
    if (channel === undefined) return;
    for (const frame of this.queue.sealed()) {
      if (!link.connected || this.underWay >= window) return;
      if (frame.sealing === undefined || now - frame.sealing.sentAt < after) continue;
      // No device could tell any more whether it has taken this number: seal it under a new one.
      if (channel.writer.lastNumber - frame.sealing.number >= RECEIPT_WINDOW) frame.sealing = undefined;
      else this.send(frame);
    }
  }

  private receiveReceipt(receipt: Receipt): void {
    const receipted = this.queue.receipted(receipt.channel, (number) => receiptCovers(receipt, number));
    if (receipted.length > 0) {
      this.lastProgress = this.clock();
      this.destination.confirmAlive(receipt.device);
    }
    for (const { id, sealing } of receipted) {
      this.counts.receipted++;
      this.emit('receipted', { frameId: id, number: sealing?.number ?? 0 });
    }
    if (!this.destination.shared) this.sealLostAgain(receipt);
  }

  /**
   * A device takes higher numbers only: what it took later frames than, it never took, or the frame is so far back that no receipt
   * tells of it any more. It goes again under a number of its own, and rules hosts know it by its id should it arrive twice.
   */
  private sealLostAgain({ channel, lastNumber }: Receipt): void {
    this.queue.unsealLost(channel, (number) => number < lastNumber);
    this.report(...this.queue.drop('unanswered', ({ lost, attempts }) => lost && attempts >= MOST_ATTEMPTS));
    this.pump();
  }

  private keepHouse(): void {
    const { link, maxAge = 30_000, offerAgainAfter = 10_000, sendAgainAfter = 2_000 } = this.options;
    const now = this.clock();
    this.report(...this.queue.drop('too-old', ({ time }) => now - time > maxAge));
    if (this.destination.shared) this.sendAgain(sendAgainAfter);
    this.pump();
    const { channel } = this;
    if (channel === undefined || !link.connected || this.queue.outstanding() === 0) return;
    if (now - this.lastProgress < offerAgainAfter * this.patience) return;
    this.patience = Math.min(2 * this.patience, MOST_PATIENCE);
    // Nothing came back: the channel may be gone (the TA evicts, storage was put back), and no message says so.
    // A zone's frame is sent again and again, and goes when it is too old.
    if (!this.destination.shared)
      this.report(...this.queue.drop('unanswered', ({ attempts }) => attempts >= MOST_ATTEMPTS));
    const { target } = this.destination;
    if (this.queue.outstanding() > 0 && target !== undefined) this.offer(target);
  }

  private report(...dropped: (Dropped<FrameBody> | undefined)[]): void {
    for (const drop of dropped) {
      if (drop === undefined) continue;
      this.counts.dropped++;
      this.emit('dropped', { frameId: drop.frame.id, reason: drop.reason });
    }
  }
}

function pictureShape(shape: InputShape): { width: number; height: number; channels: 1 | 3 } {
  const [height, width, channels] = shape.dims;
  if (
    shape.format !== 'u8' ||
    shape.dims.length !== 3 ||
    height === undefined ||
    width === undefined ||
    (channels !== 1 && channels !== 3)
  )
    throw new SmartZoneError('BAD_FRAME', `the device takes ${describeShape(shape)}, which is no picture`);
  return { width, height, channels };
}
