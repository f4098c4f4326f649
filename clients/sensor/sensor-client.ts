import { EventEmitter } from 'node:events';
import { equalBytes } from '../../protocol/bytes.js';
import { SmartZoneError, isSmartZoneError } from '../../protocol/errors.js';
import { asChannelId, KID_LENGTH } from '../../protocol/kid.js';
import { encodeFrameChunks, FRAME_ID_LENGTH } from '../../protocol/messages/frame.js';
import { inputBytes, type InputShape } from '../../protocol/messages/input-shape.js';
import { sealOffer } from '../../protocol/messages/offer.js';
import { verifyReceipt } from '../../protocol/messages/receipt.js';
import { RecordWriter } from '../../protocol/messages/record.js';
import { systemRandomness, type Randomness } from '../../protocol/randomness.js';
import { Topics } from '../../protocol/topics.js';
import { Witness, type PartyKeys, type PartyPublic } from '../keys/index.js';
import type { BrokerLink, LinkMessage } from '../link/index.js';
import { decodePicture, resizePicture, type Fit, type Picture } from '../picture/index.js';
import { DeviceTrust, sameBoot, type Refusal, type TrustedDevice } from '../trust/index.js';
import { FrameQueue, type Dropped, type DropReason } from './frame-queue.js';

export interface SensorOptions {
  /** Open connection to the broker; the caller closes it. */
  readonly link: BrokerLink;
  /** Keys with the role sensor. */
  readonly keys: PartyKeys;
  /** The owner whose roster counts: the one anchor. */
  readonly owner: PartyPublic;
  /** What the device's topics start with, such as smartzone/porch-pi. */
  readonly prefix: string;
  /** File of what this sensor has seen, beside its key file; without it a restart forgets. */
  readonly seenPath?: string;
  /** Frames kept until the device has receipted them; when full the oldest is dropped. Default 32. */
  readonly queueCapacity?: number;
  /** Frames under way to the broker at a time. Default 8. */
  readonly window?: number;
  /** Seconds after which the broker drops a frame that the device did not fetch (MQTT 5). Default 30. */
  readonly frameExpiry?: number;
  /** Milliseconds after which a frame without receipt is not sent again. Default 30 000: rules hosts ignore older labels. */
  readonly maxAge?: number;
  /**
   * Milliseconds without a receipt, while frames wait for one, after which a new channel is offered. Default 10 000. Each time that it
   * was in vain the wait doubles, up to four times this: a device that takes longer for one frame would never finish one.
   */
  readonly offerAgainAfter?: number;
  /** How pictures of another aspect ratio meet the network's input. Default stretch. */
  readonly fit?: Fit;
  /** Milliseconds since 1970. */
  readonly clock?: () => number;
  readonly random?: Randomness;
}

/** A frame was sealed and given to the broker. */
export interface FrameSent {
  readonly frameId: Uint8Array;
  /** Its number in the channel. */
  readonly number: number;
  /** 1 for the first time; more when it was sealed again. */
  readonly attempt: number;
  /** Bytes of the record. */
  readonly size: number;
}

export interface FrameReceipted {
  readonly frameId: Uint8Array;
  readonly number: number;
}

export interface FrameDropped {
  readonly frameId: Uint8Array;
  readonly reason: DropReason;
}

export interface SensorEvents {
  /** The device, verified: for the first time, after a start of the TA, or with another model or roster. */
  device: [TrustedDevice];
  /** A channel was offered: frames go out from here on. */
  channel: [{ readonly inputShape: InputShape }];
  sent: [FrameSent];
  receipted: [FrameReceipted];
  dropped: [FrameDropped];
  /** A message of the broker was not believed. */
  refused: [{ readonly what: Refusal['what'] | 'receipt'; readonly error: SmartZoneError }];
}

export interface SensorStats {
  /** Frames taken, whatever became of them. */
  readonly frames: number;
  /** Records given to the broker: more than frames where some were sealed again. */
  readonly sent: number;
  readonly receipted: number;
  readonly dropped: number;
  /** Frames that wait. */
  readonly queued: number;
  readonly offers: number;
}

interface Channel {
  readonly writer: RecordWriter;
  readonly device: TrustedDevice;
  readonly inputShape: InputShape;
  readonly offeredAt: number;
}

type FrameBody = InputShape & { readonly data: Uint8Array };

/** After so many sealings without a receipt a frame is taken for the cause. */
const MOST_ATTEMPTS = 4;
/** The longest wait for a receipt, in `offerAgainAfter`. */
const MOST_PATIENCE = 4;
const HOUSEKEEPING_INTERVAL = 500;

/**
 * Seals frames for one device. Waits for a device that the owner's roster vouches for, offers it a channel, and keeps each
 * frame until the device receipted it; after a start of the TA what was not receipted is sealed again.
 */
export class SensorClient extends EventEmitter<SensorEvents> {
  private readonly topics: Topics;
  private readonly trust: DeviceTrust;
  private readonly witness: Witness;
  private readonly queue: FrameQueue<FrameBody>;
  private readonly random: Randomness;
  private readonly clock: () => number;
  private readonly counts = { frames: 0, sent: 0, receipted: 0, dropped: 0, offers: 0 };
  private readonly subscriptions: (() => Promise<void>)[] = [];
  private channel: Channel | undefined;
  private lastProgress = 0;
  /** In `offerAgainAfter`. It stays when a receipt comes: the next frame will not take less. */
  private patience = 1;
  private underWay = 0;
  private state: 'starting' | 'running' | 'closed' = 'starting';
  private timer: NodeJS.Timeout | undefined;
  private lastOffer: Uint8Array | undefined;
  /** The agent's connection to the broker, by its own count. */
  private agentSession: number | undefined;
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
    this.topics = new Topics(options.prefix);
    this.queue = new FrameQueue(options.queueCapacity ?? 32);
    this.random = options.random ?? systemRandomness;
    this.clock = options.clock ?? Date.now;
    this.witness = Witness.open(options.seenPath, owner.kid);
    this.trust = new DeviceTrust(owner.signing, this.witness);
  }

  /** Subscribes and starts; resolves before a device is found: see `ready`. */
  static async open(options: SensorOptions): Promise<SensorClient> {
    const client = new SensorClient(options);
    await client.start();
    return client;
  }

  /** The device that frames go to, as far as it is known and trusted. */
  get device(): TrustedDevice | undefined {
    return this.trust.device;
  }

  /** What frames must look like; undefined until the device has said so. */
  get inputShape(): InputShape | undefined {
    return this.trust.device?.hello.inputShape;
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
      let refused: SmartZoneError | undefined;
      const onRefused = ({ error }: { error: SmartZoneError }): void => void (refused = error);
      const onChannel = ({ inputShape }: { inputShape: InputShape }): void =>
        finish(() => resolve(inputShape));
      const timer = setTimeout(() => finish(() => reject(this.whyNotReady(refused))), timeout);
      const finish = (then: () => void): void => {
        clearTimeout(timer);
        this.off('channel', onChannel);
        this.off('refused', onRefused);
        then();
      };
      this.on('channel', onChannel);
      this.on('refused', onRefused);
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
    await Promise.all(this.subscriptions.splice(0).map((unsubscribe) => unsubscribe()));
  }

  private async start(): Promise<void> {
    const { link, keys } = this.options;
    this.trust.on('device', () => this.onDevice());
    this.trust.on('refused', (refusal) => this.emit('refused', refusal));
    link.on('connected', this.onConnected);
    this.timer = setInterval(() => this.keepHouse(), HOUSEKEEPING_INTERVAL);
    this.timer.unref();
    const subscribe = async (topic: string, handle: (payload: Uint8Array) => void): Promise<void> => {
      this.subscriptions.push(await link.subscribe(topic, (message: LinkMessage) => handle(message.payload)));
    };
    await subscribe(this.topics.roster, (payload) => this.trust.receiveRoster(payload));
    await subscribe(this.topics.hello, (payload) => this.trust.receiveHello(payload));
    await subscribe(this.topics.sensorReceipt(keys.signing.kid), (payload) => this.receiveReceipt(payload));
    await subscribe(this.topics.state, (payload) => this.receiveAgentState(payload));
    // Whoever awaited `open` attaches listeners first.
    setImmediate(() => {
      this.state = this.state === 'starting' ? 'running' : this.state;
      this.onDevice();
    });
  }

  private onDevice(): void {
    const { device } = this.trust;
    if (this.state !== 'running' || device === undefined) return;
    this.emit('device', device);
    this.considerOffer();
  }

  private shapeNow(): InputShape {
    const shape = this.channel?.inputShape ?? this.inputShape;
    if (shape === undefined) throw this.whyNotReady();
    return shape;
  }

  private whyNotReady(refused?: SmartZoneError): SmartZoneError {
    const { device, roster } = this.trust;
    const { prefix, keys } = this.options;
    if (roster === undefined) return refused ?? new SmartZoneError('TIMED_OUT', `no roster at ${prefix}`);
    if (device === undefined) return refused ?? new SmartZoneError('TIMED_OUT', `no hello at ${prefix}`);
    if (this.trust.member(keys.signing.kid, 'sensor') === undefined)
      return new SmartZoneError('UNKNOWN_SENDER', `${keys.name} in roster ${roster.version}`);
    if (device.behind)
      return new SmartZoneError('TIMED_OUT', `${device.name} has not taken roster ${roster.version} yet`);
    if (device.hello.inputShape === undefined) return new SmartZoneError('NO_MODEL', device.name);
    return new SmartZoneError('TIMED_OUT', `no channel to ${device.name}`);
  }

  /** Offers a channel when there is none yet for this boot, prekey and input. */
  private considerOffer(): void {
    const { device } = this.trust;
    const shape = device?.hello.inputShape;
    if (device === undefined || shape === undefined || device.behind) return;
    if (this.trust.member(this.options.keys.signing.kid, 'sensor') === undefined) return;
    const { channel } = this;
    if (channel !== undefined && sameBoot(channel.device, device) && sameShape(channel.inputShape, shape))
      return;
    this.patience = 1;
    this.offer(device, shape);
  }

  private offer(device: TrustedDevice, inputShape: InputShape): void {
    const { keys } = this.options;
    const { hello } = device;
    const now = this.clock();
    const channel = asChannelId(this.random.bytes(KID_LENGTH));
    const secret = this.random.bytes(32);
    const seen = this.witness.device(device.kid);
    const offer = sealOffer(
      {
        channel,
        secret,
        inputShape,
        counter: this.witness.nextCounter(now),
        rosterVersion: this.trust.roster?.version ?? 0,
        modelSequence: seen.model,
        time: Math.floor(now / 1000),
      },
      keys.signing,
      [{ id: device.kid, freshness: hello.bootNonce, publicKey: hello.prekey }],
      this.random,
    );
    const writer = new RecordWriter(
      secret,
      { purpose: 'frame', device: device.kid, sender: keys.signing.kid },
      channel,
    );
    secret.fill(0);
    this.channel = { writer, device, inputShape, offeredAt: now };
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
    const { link, keys } = this.options;
    if (this.lastOffer === undefined || this.channel === undefined) return;
    const topic = this.topics.sensorOffer(keys.signing.kid);
    link.publish(topic, this.lastOffer, { retain: true }).catch(() => undefined);
  }

  /** Seals and sends what may be sent. Frames wait unsealed while the broker is away: the newest are worth most. */
  private pump(): void {
    const { link, keys, window = 8, frameExpiry = 30 } = this.options;
    const { channel } = this;
    if (channel === undefined) return;
    for (;;) {
      if (!link.connected || this.underWay >= window) return;
      const next = this.queue.nextUnsealed();
      if (next === undefined) return;
      const { id, time, frame } = next;
      const record = channel.writer.seal(encodeFrameChunks({ id, time, ...frame }));
      const number = channel.writer.lastNumber;
      if (this.queue.outstanding() === 0) this.lastProgress = this.clock();
      next.sealing = { channel: channel.writer.channel, number };
      next.attempts++;
      this.underWay++;
      this.counts.sent++;
      link
        .publish(this.topics.sensorFrame(keys.signing.kid), record, { expiry: frameExpiry })
        .catch(() => undefined)
        .finally(() => {
          this.underWay--;
          this.pump();
        });
      this.emit('sent', { frameId: id, number, attempt: next.attempts, size: record.length });
    }
  }

  /**
   * Broker or agent was away: nobody knows which of the frames that the broker took it has passed on, and in which order, and a
   * receipt names only the last number. Without this a later frame's receipt would cover frames that never arrived. Those that
   * did arrive get a second label, which rules hosts drop.
   */
  private sealAgain(): void {
    this.queue.unsealAll();
    this.pump();
  }

  /** The agent's own words, which nobody vouches for: at worst frames are sealed once more than they need to be. */
  private receiveAgentState(message: Uint8Array): void {
    const session = sessionOf(message);
    if (session === undefined || session === this.agentSession) return;
    const known = this.agentSession !== undefined;
    this.agentSession = session;
    if (known) this.sealAgain();
  }

  private receiveReceipt(message: Uint8Array): void {
    const device = this.trust.device;
    if (device === undefined || message.length === 0) return;
    try {
      const receipt = verifyReceipt(message, device.hello.signingKey);
      if (!equalBytes(receipt.device, device.kid)) throw new SmartZoneError('WRONG_DEVICE', 'receipt');
      // The receipt of an earlier boot lies retained until the first of this one.
      if (!equalBytes(receipt.bootNonce, device.hello.bootNonce)) return;
      const receipted = this.queue.receipted(receipt.channel, receipt.lastNumber);
      if (receipted.length > 0) {
        this.lastProgress = this.clock();
        this.trust.confirmAlive();
      }
      for (const { id, sealing } of receipted) {
        this.counts.receipted++;
        this.emit('receipted', { frameId: id, number: sealing?.number ?? 0 });
      }
    } catch (error) {
      if (!isSmartZoneError(error)) throw error;
      this.emit('refused', { what: 'receipt', error });
    }
  }

  private keepHouse(): void {
    const { link, maxAge = 30_000, offerAgainAfter = 10_000 } = this.options;
    const now = this.clock();
    this.report(...this.queue.drop('too-old', ({ time }) => now - time > maxAge));
    this.pump();
    const { channel } = this;
    if (channel === undefined || !link.connected || this.queue.outstanding() === 0) return;
    if (now - this.lastProgress < offerAgainAfter * this.patience) return;
    this.patience = Math.min(2 * this.patience, MOST_PATIENCE);
    // Nothing came back: the channel may be gone (the TA evicts, storage was put back), and no message says so.
    this.report(...this.queue.drop('unanswered', ({ attempts }) => attempts >= MOST_ATTEMPTS));
    const { device } = this.trust;
    if (this.queue.outstanding() > 0 && device?.hello.inputShape !== undefined && !device.behind)
      this.offer(device, device.hello.inputShape);
  }

  private report(...dropped: (Dropped<FrameBody> | undefined)[]): void {
    for (const drop of dropped) {
      if (drop === undefined) continue;
      this.counts.dropped++;
      this.emit('dropped', { frameId: drop.frame.id, reason: drop.reason });
    }
  }
}

/** The state topic is JSON: {"state", "session", ...}; the session changes with every connection of the agent. */
function sessionOf(message: Uint8Array): number | undefined {
  try {
    const { session } = JSON.parse(Buffer.from(message).toString('utf8')) as { session?: unknown };
    return typeof session === 'number' ? session : undefined;
  } catch {
    return undefined;
  }
}

function sameShape(a: InputShape, b: InputShape): boolean {
  return (
    a.format === b.format && a.dims.length === b.dims.length && a.dims.every((dim, i) => dim === b.dims[i])
  );
}

/** For people: "u8 128x128x3". */
export function describeShape({ format, dims }: InputShape): string {
  return `${format} ${dims.join('x')}`;
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
