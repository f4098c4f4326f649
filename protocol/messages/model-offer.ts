/** What lets one device open a model package: the content key, sealed to the device's static key, signed by the publisher. */
import { AES_GCM_KEY_LENGTH } from '../aes-gcm.js';
import { equalBytes, utf8 } from '../bytes.js';
import { cborMap, decodeStrict, encodeDeterministic } from '../cbor.js';
import { openEncrypt, sealEncrypt } from '../cose-hpke.js';
import { parseProfiledSign1, sealSign1, verifySign1 } from '../cose/sign1.js';
import { SmartZoneError } from '../errors.js';
import type { Kid } from '../kid.js';
import type { AgreementKey, SigningKey } from '../keys.js';
import { systemRandomness, type Randomness } from '../randomness.js';

const PURPOSE = 'model-offer';
const AAD = utf8(`smart-zone/1/${PURPOSE}`);

export interface ModelOffer {
  readonly manifestDigest: Uint8Array;
  /** COSE_Encrypt of the content key. */
  readonly sealedKey: Uint8Array;
  readonly rosterVersion: number;
  readonly modelSequence: number;
  readonly ownerGeneration?: number;
}

export interface ModelOfferContent {
  readonly manifestDigest: Uint8Array;
  readonly contentKey: Uint8Array;
  /** The device's kid (of its Ed25519 key) and its static X25519 key. */
  readonly device: Kid;
  readonly deviceAgreementKey: Uint8Array;
  /** The newest that the publisher has seen: the device refuses an offer that knows more than it does itself. */
  readonly rosterVersion: number;
  readonly modelSequence: number;
  /** Of that roster; undefined: not known. */
  readonly ownerGeneration?: number;
}

/** hpke-context: binds the key to purpose, publisher, device and manifest. */
const context = (publisher: Kid, device: Kid, manifestDigest: Uint8Array): Uint8Array =>
  encodeDeterministic([1, PURPOSE, publisher, device, manifestDigest]);

export function sealModelOffer(
  content: ModelOfferContent,
  publisher: SigningKey,
  random: Randomness = systemRandomness,
): Uint8Array {
  const { manifestDigest, contentKey } = content;
  if (contentKey.length !== AES_GCM_KEY_LENGTH || manifestDigest.length !== 32)
    throw new RangeError('a content key has 16 bytes, a digest 32');
  const extraInfo = context(publisher.kid, content.device, manifestDigest);
  const recipient = { publicKey: content.deviceAgreementKey, extraInfo };
  const sealedKey = sealEncrypt(contentKey, [recipient], AAD, random);
  return sealSign1(encodeOffer({ ...content, sealedKey }), publisher, AAD);
}

const encodeOffer = (offer: ModelOffer): Uint8Array =>
  encodeDeterministic(
    cborMap([
      [1, offer.manifestDigest],
      [2, offer.sealedKey],
      [3, offer.rosterVersion],
      [4, offer.modelSequence],
      ...(offer.ownerGeneration === undefined ? [] : [[5, offer.ownerGeneration] as const]),
    ]),
  );

/** Verifies an offer by the publisher's Ed25519 key. Throws BAD_SIGNATURE, MALFORMED. */
export function verifyModelOffer(
  bytes: Uint8Array,
  publisherKey: Uint8Array,
): ModelOffer & { readonly publisher: Kid } {
  const message = parseProfiledSign1(bytes);
  const payload = verifySign1(message, publisherKey, AAD);
  const map = decodeStrict(payload);
  const field = (key: number): unknown => (map instanceof Map ? map.get(key) : undefined);
  const [digest, sealedKey, roster, sequence, generation] = [1, 2, 3, 4, 5].map(field);
  if (!(digest instanceof Uint8Array) || digest.length !== 32 || !(sealedKey instanceof Uint8Array))
    throw malformed();
  if (typeof roster !== 'number' || typeof sequence !== 'number') throw malformed();
  if (generation !== undefined && typeof generation !== 'number') throw malformed();
  const offer = {
    manifestDigest: digest,
    sealedKey,
    rosterVersion: roster,
    modelSequence: sequence,
    ...(generation !== undefined && { ownerGeneration: generation }),
  };
  if (!equalBytes(encodeOffer(offer), payload)) throw malformed();
  return { ...offer, publisher: message.kid };
}

/** What the device does: the content key. Throws DECRYPT_FAILED where the offer is for another device or model. */
export function openModelOffer(
  offer: ModelOffer & { readonly publisher: Kid },
  device: Kid,
  deviceKey: AgreementKey,
): Uint8Array {
  const extraInfo = context(offer.publisher, device, offer.manifestDigest);
  const contentKey = openEncrypt(offer.sealedKey, deviceKey, extraInfo, AAD);
  if (contentKey.length !== AES_GCM_KEY_LENGTH) throw malformed();
  return contentKey;
}

const malformed = (): SmartZoneError => new SmartZoneError('MALFORMED', 'model offer');
