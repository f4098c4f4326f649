import { SmartZoneError } from '../../protocol/errors.js';
import { AgreementKey, type SigningKey } from '../../protocol/keys.js';
import type { Kid } from '../../protocol/kid.js';
import { openLabelOffer, type LabelOffer } from '../../protocol/messages/label-offer.js';
import { signRulesHello, type RulesHello } from '../../protocol/messages/rules-hello.js';
import { systemRandomness, type Randomness } from '../../protocol/randomness.js';

interface Fresh {
  readonly nonce: Uint8Array;
  readonly prekey: AgreementKey;
}

/**
 * What makes label offers fresh: a nonce and a prekey that this process drew. An offer made for another process, so also a
 * recorded one, cannot be opened. The pair before the current one stays valid for offers that are under way.
 */
export class Freshness {
  private current: Fresh | undefined;
  private previous: Fresh | undefined;

  constructor(
    private readonly keys: SigningKey,
    private readonly random: Randomness = systemRandomness,
  ) {}

  /** A new pair, and the signed hello that tells the device. */
  renew(content: Omit<RulesHello, 'freshNonce' | 'prekey'>): Uint8Array {
    this.previous = this.current;
    this.current = { nonce: this.random.bytes(16), prekey: AgreementKey.generate(this.random) };
    const { nonce: freshNonce, prekey } = this.current;
    return signRulesHello({ ...content, freshNonce, prekey: prekey.publicKey }, this.keys);
  }

  /** @throws DECRYPT_FAILED where the offer is not for this process; BAD_SIGNATURE, UNKNOWN_SENDER where not of the device */
  open(message: Uint8Array, deviceKey: Uint8Array): LabelOffer {
    let failure: unknown = new SmartZoneError('STALE_NONCE', 'no rules hello was sent yet');
    for (const fresh of [this.current, this.previous]) {
      if (fresh === undefined) continue;
      try {
        return openLabelOffer(message, deviceKey, { id: this.id, freshness: fresh.nonce }, fresh.prekey);
      } catch (error) {
        failure = error;
      }
    }
    throw failure;
  }

  private get id(): Kid {
    return this.keys.kid;
  }
}
