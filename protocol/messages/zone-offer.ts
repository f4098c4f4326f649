/** What opens one channel to all devices of a zone: whichever of them gets a frame can open it. */
import { equalBytes } from '../bytes.js';
import { parseProfiledSign1, verifySign1 } from '../cose/sign1.js';
import { SmartZoneError } from '../errors.js';
import type { AgreementKey, SigningKey } from '../keys.js';
import { signingKid, type Kid } from '../kid.js';
import type { Randomness } from '../randomness.js';
import { bytes, decodeWith, encodeWith, field, kid, struct } from '../schema.js';
import { openFor, purposeAad, sealFor, sealSigned } from '../signed.js';
import { offerCodec, type Offer } from './offer.js';

const PURPOSE = 'zone-offer';

interface Envelope {
  readonly zone: Kid;
  /** COSE_Encrypt of an offer, to each device's prekey. */
  readonly sealed: Uint8Array;
}

const codec = struct<Envelope>({ zone: field(1, kid), sealed: field(2, bytes(1)) });

/** What a zone offer needs to know of one device: both are of its present boot. */
export interface ZoneReceiver {
  readonly bootNonce: Uint8Array;
  readonly prekey: Uint8Array;
}

/** @param devices 1 to 16 */
export function sealZoneOffer(
  offer: Offer,
  zone: Kid,
  sensor: SigningKey,
  devices: readonly ZoneReceiver[],
  random?: Randomness,
): Uint8Array {
  const receivers = devices.map(({ bootNonce, prekey }) => ({
    id: zone,
    freshness: bootNonce,
    publicKey: prekey,
  }));
  const sealed = sealFor(PURPOSE, sensor.kid, receivers, encodeWith(offerCodec, offer), random);
  return sealSigned(codec, PURPOSE, { zone, sealed }, sensor);
}

/** What a device does. Throws UNKNOWN_SENDER, BAD_SIGNATURE, DECRYPT_FAILED, STALE_NONCE where it is no recipient. */
export function openZoneOffer(
  raw: Uint8Array,
  sensorKey: Uint8Array,
  { bootNonce }: Pick<ZoneReceiver, 'bootNonce'>,
  prekey: AgreementKey,
): Offer & { readonly zone: Kid } {
  const message = parseProfiledSign1(raw);
  if (!equalBytes(signingKid(sensorKey), message.kid))
    throw new SmartZoneError('UNKNOWN_SENDER', `${PURPOSE} signed by another key`);
  const { zone, sealed } = decodeWith(codec, verifySign1(message, sensorKey, purposeAad(PURPOSE)), PURPOSE);
  const plaintext = openFor(PURPOSE, message.kid, { id: zone, freshness: bootNonce }, prekey, sealed);
  return { ...decodeWith(offerCodec, plaintext, PURPOSE), zone };
}
