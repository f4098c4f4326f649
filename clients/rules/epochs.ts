import { equalBytes, toHex } from '../../protocol/bytes.js';
import { SmartZoneError } from '../../protocol/errors.js';
import { kidToHex, type ChannelId } from '../../protocol/kid.js';
import type { LabelOffer } from '../../protocol/messages/label-offer.js';
import { recordKey, type RecordContext } from '../../protocol/messages/record.js';

/** A device's epoch, as its label offer gave it to this host. */
export class Epoch {
  readonly number: number;
  readonly channel: ChannelId;
  readonly bootNonce: Uint8Array;
  private readonly secret: Uint8Array;
  private readonly keys = new Map<string, Uint8Array>();

  /** @param fromStart this host had the epoch before: it would have had every record of this one. */
  constructor(
    offer: LabelOffer,
    readonly fromStart: boolean,
  ) {
    this.number = offer.epoch;
    this.channel = asOwned(offer.channel);
    this.bootNonce = Uint8Array.from(offer.bootNonce);
    this.secret = Uint8Array.from(offer.secret);
  }

  key(context: RecordContext): Uint8Array {
    const name = `${context.purpose}/${kidToHex(context.sender)}`;
    const known = this.keys.get(name);
    if (known !== undefined) return known;
    const key = recordKey(this.secret, context, this.number);
    this.keys.set(name, key);
    return key;
  }

  wipe(): void {
    this.secret.fill(0);
    for (const key of this.keys.values()) key.fill(0);
    this.keys.clear();
  }
}

/** The current epoch of a device and the one before it: labels under way when it changed can still be opened. */
export class Epochs {
  private current: Epoch | undefined;
  private previous: Epoch | undefined;

  /**
   * Takes a label offer that was verified and opened. Returns the new epoch, or undefined where it is the current one again.
   * @throws STALE_COUNTER where it is older than the current one of the same boot, or another with its number
   */
  adopt(offer: LabelOffer): Epoch | undefined {
    const { current } = this;
    const sameBoot = current !== undefined && equalBytes(current.bootNonce, offer.bootNonce);
    if (sameBoot) {
      if (offer.epoch === current.number && equalBytes(offer.channel, current.channel)) return undefined;
      if (offer.epoch <= current.number)
        throw new SmartZoneError('STALE_COUNTER', `epoch ${offer.epoch}, epoch ${current.number} is current`);
    }
    this.previous?.wipe();
    this.previous = current;
    this.current = new Epoch(offer, sameBoot && offer.epoch === current.number + 1);
    return this.current;
  }

  find(channel: ChannelId): Epoch | undefined {
    return [this.current, this.previous].find(
      (epoch) => epoch !== undefined && equalBytes(epoch.channel, channel),
    );
  }

  /** Channels that records can be opened of, in hexadecimal. */
  get channels(): string[] {
    return [this.current, this.previous].flatMap((epoch) =>
      epoch === undefined ? [] : [toHex(epoch.channel)],
    );
  }

  get newest(): Epoch | undefined {
    return this.current;
  }

  wipe(): void {
    this.current?.wipe();
    this.previous?.wipe();
    this.current = this.previous = undefined;
  }
}

function asOwned<T extends Uint8Array>(bytes: T): T {
  return Uint8Array.from(bytes) as T;
}
