import type { Topics } from '../../protocol/topics.js';
import type { Witness } from '../keys/index.js';
import { sameBoot, type DeviceTrust, type TrustedDevice } from '../trust/index.js';
import type { Freshness } from './freshness.js';
import type { RulesOptions } from './rules-options.js';

const DAY = 24 * 3600 * 1000;
/** First wait for a label offer before asking again; doubles up to the longest. */
const ASK_AGAIN = 10_000;
const ASK_AGAIN_MOST = 5 * 60_000;

/** Rules hellos: how a host asks a device for the epoch that opens its labels. */
export class Asking {
  /** The last hello was answered, and nothing since then shows that the answer no longer serves. */
  answered = false;
  /** The device, in the boot, that the last hello was for. */
  private asked: TrustedDevice | undefined;
  private askedAt = 0;
  private askAgainAfter = ASK_AGAIN;
  private lastHello: Uint8Array | undefined;

  constructor(
    private readonly options: Pick<RulesOptions, 'link' | 'keys'>,
    private readonly topics: Topics,
    private readonly trust: DeviceTrust,
    private readonly witness: Witness,
    private readonly freshness: Freshness,
    private readonly clock: () => number,
  ) {}

  /** Tells the device our freshness: once per boot of it, and when it may have missed or refused the last one. */
  consider(device: TrustedDevice): void {
    if (device.behind) return;
    if (this.trust.member(this.options.keys.signing.kid, 'rules') === undefined) return;
    if (this.asked === undefined || !sameBoot(this.asked, device)) {
      this.askAgainAfter = ASK_AGAIN;
      this.send(device);
    }
  }

  /** Asks anew when the last hello has gone unanswered for too long, or is a day old. */
  again(): void {
    const { device } = this.trust;
    if (device === undefined || this.asked === undefined || !this.options.link.connected) return;
    const since = this.clock() - this.askedAt;
    if (this.answered ? since >= DAY : since >= this.askAgainAfter) {
      this.askAgainAfter = this.answered ? ASK_AGAIN : Math.min(2 * this.askAgainAfter, ASK_AGAIN_MOST);
      this.send(device);
    }
  }

  /** Says the last hello again. */
  publish(): void {
    const { link, keys } = this.options;
    if (this.lastHello === undefined) return;
    link
      .publish(this.topics.rulesHello(keys.signing.kid), this.lastHello, { retain: true })
      .catch(() => undefined);
  }

  private send(device: TrustedDevice): void {
    const now = this.clock();
    this.asked = device;
    this.askedAt = now;
    this.answered = false;
    this.lastHello = this.freshness.renew({
      device: device.kid,
      time: this.witness.nextCounter(now),
      ...this.trust.seenRoster,
      modelSequence: this.witness.device(device.kid).model,
    });
    this.publish();
  }
}
